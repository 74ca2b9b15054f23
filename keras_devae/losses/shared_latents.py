"""The latent dimensions that two images share, and the posterior that both get in them."""

import math

from keras import ops

from keras_devae.checks import Tensor
from keras_devae.errors import unknown_name

#: How two posteriors become one: averaged (GVAE), or multiplied (ML-VAE).
AVERAGINGS = ("group", "multi_level")
Gaussian = tuple[Tensor, Tensor]


def kl_between_gaussians(first: Gaussian, second: Gaussian) -> Tensor:
    """Computes `KL(first || second)` of diagonal Gaussians, per dimension.

    `1/2 (v1 / v2 - 1 - log(v1 / v2) + (m1 - m2)^2 / v2)` with means `m` and variances `v`. Always
    computed in float32, and never negative.

    Args:
        first: Means and log-variances, each `(..., latent_dim)`, any float dtype.
        second: The same of the other Gaussian.

    Returns:
        Float32 tensor `(..., latent_dim)` in nats.
    """
    (mean, log_var), (other_mean, other_log_var) = map(_in_float32, (first, second))
    log_ratio = log_var - other_log_var
    distance = ops.square(mean - other_mean) * ops.exp(-other_log_var)
    return 0.5 * (ops.expm1(log_ratio) - log_ratio + distance)


def shared_dimensions(kl: Tensor) -> Tensor:
    """Tells which latent dimensions two images share, by the adaptive threshold of Ada-GVAE.

    These are the dimensions whose divergence is below the threshold `(max + min) / 2` of the pair,
    Locatello et al. (2020), section 4. Where all divergences are equal none is: pairs differ.

    Args:
        kl: Divergences between the two posteriors, float32 `(..., latent_dim)`.

    Returns:
        Boolean tensor of the same shape; no gradient passes through it.
    """
    kl = ops.stop_gradient(kl)
    highest, lowest = (f(kl, axis=-1, keepdims=True) for f in (ops.max, ops.min))
    return kl < 0.5 * highest + 0.5 * lowest


def average_posteriors(first: Gaussian, second: Gaussian, averaging: str = "group") -> Gaussian:
    """Combines two diagonal Gaussians into one, per dimension.

    `"group"` takes the means of the two means and of the two variances (GVAE, Hosoya 2019);
    `"multi_level"` their product, of which it takes twice the variance as the published code does:
    means weighted by precision and the harmonic mean of the variances (ML-VAE, Bouchacourt et al.
    2018). Both are computed from the log-variances, without overflow.

    Args:
        first: Means and log-variances, each `(..., latent_dim)`, any float dtype.
        second: The same of the other Gaussian.
        averaging: `"group"` (default) or `"multi_level"`.

    Returns:
        Mean and log-variance, float32 `(..., latent_dim)`.

    Raises:
        UsageError: If there is no such averaging.
    """
    if averaging not in AVERAGINGS:
        raise unknown_name("averaging", averaging, AVERAGINGS)
    (mean, log_var), (other_mean, other_log_var) = map(_in_float32, (first, second))
    if averaging == "group":
        average = 0.5 * mean + 0.5 * other_mean
        return average, ops.logaddexp(log_var, other_log_var) - math.log(2)
    share = ops.sigmoid(other_log_var - log_var)
    average = share * mean + (1 - share) * other_mean
    return average, math.log(2) - ops.logaddexp(-log_var, -other_log_var)


def share_posteriors(first: Gaussian, second: Gaussian, averaging: str = "group") -> list[Gaussian]:
    """Gives two images one posterior in the dimensions that they share, and leaves the others.

    The divergence that decides is `KL(first || second)`, as in the published code.

    Args:
        first: Means and log-variances of the first images, each `(pairs, latent_dim)`.
        second: The same of the second images.
        averaging: As for `average_posteriors`.

    Returns:
        Means and log-variances of the first images, and of the second ones, float32.

    Raises:
        UsageError: If there is no such averaging.
    """
    first, second = _in_float32(first), _in_float32(second)
    shared = shared_dimensions(kl_between_gaussians(first, second))
    common = average_posteriors(first, second, averaging)

    def merged(own):
        mean, log_var = (ops.where(shared, c, o) for c, o in zip(common, own, strict=True))
        return mean, log_var

    return [merged(first), merged(second)]


def _in_float32(gaussian):
    mean, log_var = (ops.cast(ops.convert_to_tensor(part), "float32") for part in gaussian)
    return mean, log_var
