"""The terms of the models' objectives, as pure tensor functions."""

from keras_devae.losses.adversarial import (
    contrastive_loss,
    generator_loss,
    image_discriminator_loss,
    negative_information_bound,
    scaled_gradient,
    shared_in_pairs,
)
from keras_devae.losses.assignment import balanced_assignment
from keras_devae.losses.kl_decomposition import (
    ESTIMATORS,
    GroupedKLDecomposition,
    KLDecomposition,
    decompose_kl,
    decompose_kl_by_groups,
    stratified_log_weights,
)
from keras_devae.losses.likelihoods import (
    LIKELIHOODS,
    BernoulliLikelihood,
    GaussianLikelihood,
    bernoulli_negative_log_likelihood,
    gaussian_negative_log_likelihood,
    get_likelihood,
)
from keras_devae.losses.orthogonal_jacobian import JacobianOrthogonality, orthogonal_jacobian
from keras_devae.losses.posteriors import (
    DIP_KINDS,
    categorical_kl,
    dip_penalties,
    gaussian_kl,
    gumbel_softmax,
)
from keras_devae.losses.predictability import (
    prediction_errors,
    unpredicted_variances,
    without_own_unit,
)
from keras_devae.losses.sampled_kl import balanced_draws, flow_kl
from keras_devae.losses.shared_latents import (
    AVERAGINGS,
    average_posteriors,
    kl_between_gaussians,
    share_posteriors,
    shared_dimensions,
)
from keras_devae.losses.similarity import cosine_distance, spread_of_directions, unit_vectors
from keras_devae.losses.total_correlation import (
    density_ratio_total_correlation,
    discriminator_loss,
    permute_dimensions,
)

__all__ = [
    "AVERAGINGS",
    "DIP_KINDS",
    "ESTIMATORS",
    "LIKELIHOODS",
    "BernoulliLikelihood",
    "GaussianLikelihood",
    "GroupedKLDecomposition",
    "JacobianOrthogonality",
    "KLDecomposition",
    "average_posteriors",
    "balanced_assignment",
    "balanced_draws",
    "bernoulli_negative_log_likelihood",
    "categorical_kl",
    "contrastive_loss",
    "cosine_distance",
    "decompose_kl",
    "decompose_kl_by_groups",
    "density_ratio_total_correlation",
    "dip_penalties",
    "discriminator_loss",
    "flow_kl",
    "gaussian_kl",
    "gaussian_negative_log_likelihood",
    "generator_loss",
    "get_likelihood",
    "gumbel_softmax",
    "image_discriminator_loss",
    "kl_between_gaussians",
    "negative_information_bound",
    "orthogonal_jacobian",
    "permute_dimensions",
    "prediction_errors",
    "scaled_gradient",
    "share_posteriors",
    "shared_dimensions",
    "shared_in_pairs",
    "spread_of_directions",
    "stratified_log_weights",
    "unit_vectors",
    "unpredicted_variances",
    "without_own_unit",
]
