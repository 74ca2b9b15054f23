"""The terms of the models' objectives, as pure tensor functions."""

from keras_devae.losses.assignment import balanced_assignment
from keras_devae.losses.likelihoods import (
    LIKELIHOODS,
    BernoulliLikelihood,
    GaussianLikelihood,
    bernoulli_negative_log_likelihood,
    gaussian_negative_log_likelihood,
    get_likelihood,
)
from keras_devae.losses.posteriors import (
    DIP_KINDS,
    categorical_kl,
    dip_penalties,
    gaussian_kl,
    gumbel_softmax,
)
from keras_devae.losses.predictability import prediction_errors, without_own_unit
from keras_devae.losses.total_correlation import (
    ESTIMATORS,
    KLDecomposition,
    decompose_kl,
    density_ratio_total_correlation,
    discriminator_loss,
    permute_dimensions,
    stratified_log_weights,
)

__all__ = [
    "DIP_KINDS",
    "ESTIMATORS",
    "LIKELIHOODS",
    "BernoulliLikelihood",
    "GaussianLikelihood",
    "KLDecomposition",
    "balanced_assignment",
    "bernoulli_negative_log_likelihood",
    "categorical_kl",
    "decompose_kl",
    "density_ratio_total_correlation",
    "dip_penalties",
    "discriminator_loss",
    "gaussian_kl",
    "gaussian_negative_log_likelihood",
    "get_likelihood",
    "gumbel_softmax",
    "permute_dimensions",
    "prediction_errors",
    "stratified_log_weights",
    "without_own_unit",
]
