"""Properties of the posterior that need no factors: KL divergence and active dimensions."""

from __future__ import annotations

import numpy as np

from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.metrics.arrays import check_codes, numeric_array

# Beyond these, divergences and densities may overflow float64. No decoder can use such z.
LARGEST_MEAN, LARGEST_LOG_VAR = 1e30, 100.0
#: A latent dimension with at least this signal, in nats, is active, see `signal_per_dimension`.
ACTIVE_NATS = 0.5


def kl_per_dimension(z_mean: Array, z_log_var: Array) -> Array:
    """Computes the KL divergence of diagonal Gaussians from the standard normal, by dimension.

    `1/2 (mean^2 + exp(log_var) - log_var - 1)`, appendix B of Kingma and Welling (2014), averaged
    over the data.

    Args:
        z_mean: Posterior means `(n, d)`.
        z_log_var: Logarithms of the posterior variances `(n, d)`.

    Returns:
        Float64 array `(d,)`, in nats, never negative.

    Raises:
        UsageError: If the arrays are not finite matrices of one shape, a mean is beyond 10^30 or a
            log-variance beyond 100.
    """
    z_mean, z_log_var = check_posterior(z_mean, z_log_var)
    # expm1 keeps the digits that exp(v) - 1 - v loses next to the prior, where v is near 0.
    divergence = 0.5 * (np.square(z_mean) + np.expm1(z_log_var) - z_log_var)
    return np.maximum(0.0, divergence).mean(axis=0)


def signal_per_dimension(z_mean: Array, z_log_var: Array) -> Array:
    """Computes how much each latent dimension tells about the images, in nats: signal over noise.

    `1/2 ln(1 + variance of the means over the images / variance of the posterior)`, the capacity of
    a Gaussian channel. The posterior's variance is averaged geometrically, so that a dimension that
    is sharp for only some images is not drowned out by the others.

    Throughout the package, a dimension is active if this is at least `ACTIVE_NATS`, see
    `active_dimensions`. The reasons for this definition:

    - The KL divergence also counts a shift from the prior. A dimension with a mean of 1.95 for
      every image and a deviation of 0.135 has a KL of 3.4 nats, and carries no information.
    - The variance of the means (Burda et al. 2015) depends on the scale of the code. A code of
      thousandths with a deviation of ten-thousandths distinguishes images very well.
    - The ratio of the variances depends on neither. If all codes together follow the prior, the
      signal equals the KL divergence, so 0.5 nats is the threshold above which the DeVAE paper
      draws a dimension: means that spread by 1.3 deviations of the posterior.

    Means that differ by no more than float32 rounding count as equal. Scores of codes alone
    (FactorVAE, IRS, InfoMEC) have no posterior, and leave codes out by the rules of their papers.

    Arguments, result and errors are as for `kl_per_dimension`.
    """
    z_mean, z_log_var = check_posterior(z_mean, z_log_var)
    rounding = np.finfo(np.float32).eps * np.abs(z_mean).max(axis=0)
    spread = z_mean.std(axis=0)
    variance = np.where(spread > rounding, np.square(spread), 0.0)
    return 0.5 * np.log1p(variance * np.exp(-z_log_var.mean(axis=0)))


def active_dimensions(signal: Array) -> Array:
    """Tells which latent dimensions are active.

    Args:
        signal: What each dimension passes on, `(d,)`, in nats, see `signal_per_dimension`.

    Returns:
        Boolean array `(d,)`: whether the signal is at least `ACTIVE_NATS`.

    Raises:
        UsageError: If the signal is not one number for each dimension.
    """
    signal = numeric_array(signal, "signal", "numbers, one for each dimension", axes=1)
    if np.isnan(signal).any():
        raise UsageError("`signal` must have a value for each dimension. Received: NaN.")
    return signal >= ACTIVE_NATS


def check_posterior(z_mean: Array, z_log_var: Array) -> tuple[Array, Array]:
    """Checks means and log-variances, and returns them as float64.

    They must be finite matrices of one shape within `LARGEST_MEAN` and `LARGEST_LOG_VAR`.
    """
    z_mean = check_codes(z_mean, "z_mean").astype(np.float64)
    z_log_var = check_codes(z_log_var, "z_log_var").astype(np.float64)
    check_same_shape(z_mean, z_log_var)
    limits = {"z_mean": (z_mean, LARGEST_MEAN), "z_log_var": (z_log_var, LARGEST_LOG_VAR)}
    for name, (values, limit) in limits.items():
        largest = np.abs(values).max()
        if largest > limit:
            raise UsageError(
                f"`{name}` must be between -{limit:g} and {limit:g} for densities to be finite. "
                f"Received: a value of size {largest:g}; check the encoder for unscaled images."
            )
    return z_mean, z_log_var


def check_same_shape(z_mean: Array, z_log_var: Array) -> None:
    """Raises a `UsageError` unless there is a log-variance for each mean."""
    if z_mean.shape != z_log_var.shape:
        raise UsageError(
            "`z_mean` and `z_log_var` must have the same shape. Received: "
            f"{z_mean.shape} and {z_log_var.shape}."
        )


def check_divergences(divergences: Array, count: int) -> Array:
    """Checks KL divergences in nats, one for each posterior, and returns them as float64."""
    divergences = numeric_array(divergences, "divergences", "nats, one for each image", axes=1)
    if divergences.shape != (count,) or not np.isfinite(divergences).all():
        raise UsageError(
            f"`divergences` must be {count} finite numbers, one for each posterior. Received: "
            f"{divergences.shape}."
        )
    return divergences.astype(np.float64)
