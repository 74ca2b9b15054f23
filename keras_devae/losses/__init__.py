"""Pure tensor functions: the terms that the models' objectives are made of."""

from keras_devae.losses.gaussian import gaussian_kl
from keras_devae.losses.likelihoods import (
    LIKELIHOODS,
    BernoulliLikelihood,
    GaussianLikelihood,
    bernoulli_negative_log_likelihood,
    gaussian_negative_log_likelihood,
    get_likelihood,
)

__all__ = [
    "LIKELIHOODS",
    "BernoulliLikelihood",
    "GaussianLikelihood",
    "bernoulli_negative_log_likelihood",
    "gaussian_kl",
    "gaussian_negative_log_likelihood",
    "get_likelihood",
]
