"""Loss terms of Gaussian and categorical posteriors, and relaxed samples of categorical ones."""

import math

import keras
from keras import ops

from keras_devae.backend.replicas import part_of_batch
from keras_devae.checks import Tensor
from keras_devae.errors import unknown_name


def gaussian_kl(
    mean: Tensor,
    log_var: Tensor,
    prior_mean: Tensor | None = None,
    prior_log_var: Tensor | None = None,
) -> Tensor:
    """Computes the KL divergence of a diagonal Gaussian from another, per dimension.

    From the standard normal, the default, it is `1/2 (mean^2 + exp(log_var) - 1 - log_var)`, the
    positive divergence of Kingma & Welling (2014), appendix B. From any other prior it is the same
    in units of that prior, `(mean - prior_mean) / prior_std` and `log_var - prior_log_var`. Always
    computed in float32: in float16 the exponential overflows from a log-variance of 11.
    `exp(log_var) - 1` is computed as one operation, so that rounding near the prior cannot make the
    divergence negative.

    Args:
        mean: Posterior means, `(..., latent_dim)`, any float dtype.
        log_var: Log-variances of the same shape.
        prior_mean: Means of the prior, which broadcast against these; `None` (default) for 0.
        prior_log_var: Log-variances of the prior, likewise; `None` (default) for 0.

    Returns:
        Float32 tensor `(..., latent_dim)` in nats, never negative. Sum over the last axis and
        average over the batch to get the KL term of the evidence lower bound.
    """
    mean = ops.cast(mean, "float32")
    log_var = ops.cast(log_var, "float32")
    if prior_mean is not None:
        mean = mean - ops.cast(prior_mean, "float32")
    if prior_log_var is not None:
        prior_log_var = ops.cast(prior_log_var, "float32")
        mean, log_var = mean * ops.exp(-0.5 * prior_log_var), log_var - prior_log_var
    return 0.5 * (ops.square(mean) + (ops.expm1(log_var) - log_var))


#: Kinds of DIP-VAE: by the covariance of the means, or of the codes.
DIP_KINDS = ("i", "ii")

# exp(40) squared is 5.5e34; from exp(44.4) on, the square overflows float32.
LARGEST_LOG_VAR = 40.0


def dip_penalties(mean: Tensor, log_var: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """Computes squared differences of the codes' covariance from the identity, Kumar et al. (2018).

    `"i"` (equation 6) uses the covariance of the means over the batch, divided by its size; `"ii"`
    (equation 7) adds the average posterior variance to the diagonal, which gives the covariance of
    the samples. The objective adds `lambda_od * off_diagonal + lambda_d * diagonal`.

    For `"ii"`, log-variances above 40 count as 40, without a gradient, because their squared
    variances would overflow. Means are not bounded; their covariance overflows from about 1e9.

    Args:
        mean: Posterior means, `(batch, latent_dim)`, any float dtype. A batch of one has a
            covariance of 0.
        log_var: Log-variances of the same shape; not used with `"i"`.
        kind: `"i"` or `"ii"`.

    Returns:
        A pair of float32 scalars: `off_diagonal`, the sum of squared covariances, each counted
        twice, and `diagonal`, the sum of squared differences of the variances from 1.

    Raises:
        UsageError: If the kind is unknown.
    """
    if kind not in DIP_KINDS:
        raise unknown_name("kind", kind, DIP_KINDS)
    mean = ops.cast(mean, "float32")
    centred = mean - ops.mean(mean, axis=0, keepdims=True)
    batch_size = ops.cast(ops.shape(mean)[0], "float32")
    covariance = ops.matmul(ops.transpose(centred), centred) / batch_size
    variances = ops.diagonal(covariance)
    if kind == "ii":
        log_var = ops.minimum(ops.cast(log_var, "float32"), LARGEST_LOG_VAR)
        variances = variances + ops.mean(ops.exp(log_var), axis=0)
    # Masked, because in a difference of two sums small covariances would be lost to rounding.
    off_diagonal = covariance * (1 - ops.eye(mean.shape[-1], dtype="float32"))
    return ops.sum(ops.square(off_diagonal)), ops.sum(ops.square(variances - 1))


# The extreme float32 numbers between 0 and 1 whose double logarithm is finite, with a margin.
SMALLEST_UNIFORM = 1e-20
LARGEST_UNIFORM = 1 - 1e-7


def categorical_kl(logits: Tensor) -> Tensor:
    """Computes the Kullback-Leibler divergence of a categorical distribution from the uniform one.

    This is `log K` minus the entropy, computed as the average over the categories of
    `t log t - (t - 1)` with `t = K p`: no term is negative and each is of second order near the
    uniform distribution, where a direct subtraction would leave only rounding errors.

    Args:
        logits: Finite logits `(batch, categories)`, any float dtype.

    Returns:
        Float32 tensor `(batch,)` in nats, from 0 to `log K`.
    """
    log_probabilities = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    log_ratio = log_probabilities + math.log(logits.shape[-1])
    return ops.mean(ops.exp(log_ratio) * log_ratio - ops.expm1(log_ratio), axis=-1)


def gumbel_softmax(
    logits: Tensor, temperature: Tensor | float, seed: keras.random.SeedGenerator | int
) -> Tensor:
    """Draws relaxed one-hot samples of a categorical distribution, differentiable in the logits.

    The Gumbel-softmax of Jang et al. (2017), also the concrete distribution of Maddison et al.
    (2017): `softmax((logits + g) / temperature)` with `g = -log(-log(u))`, `u` uniform.

    Args:
        logits: Logits `(batch, categories)`, any float dtype.
        temperature: Positive number or scalar tensor; samples approach one-hot ones as it falls.
        seed: A `keras.random.SeedGenerator`, or an integer for the same noise every time.

    Returns:
        Float32 tensor `(batch, categories)`, rows sum to 1.
    """
    logits = ops.cast(logits, "float32")
    uniform = part_of_batch(
        lambda shape: keras.random.uniform(shape, dtype="float32", seed=seed),
        ops.shape(logits),
        axis=0,
    )
    uniform = ops.clip(uniform, SMALLEST_UNIFORM, LARGEST_UNIFORM)
    perturbed = logits - ops.log(-ops.log(uniform))
    # With the largest value at 0, dividing by a tiny temperature can only overflow to weight 0.
    perturbed = perturbed - ops.max(perturbed, axis=-1, keepdims=True)
    return ops.softmax(perturbed / temperature, axis=-1)
