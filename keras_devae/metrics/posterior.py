"""What the posterior alone tells, without factors: its KL divergence and its active variables."""

import numpy as np

from keras_devae import checks
from keras_devae.errors import UsageError
from keras_devae.metrics.cautions import caution_of_few
from keras_devae.metrics.inputs import find_constant_codes
from keras_devae.metrics.matrices import check_codes
from keras_devae.metrics.results import result
from keras_devae.metrics.scaling import unit_scaled

LARGEST_MEAN, LARGEST_LOG_VAR = 1e30, 100.0


def kl_per_dimension(z_mean: np.ndarray, z_log_var: np.ndarray) -> np.ndarray:
    """KL divergence of diagonal Gaussian posteriors from the standard normal, by dimension.

    `1/2 (mean^2 + exp(log_var) - log_var - 1)`, appendix B of Kingma and Welling (2014), averaged
    over the data.

    Args:
        z_mean: Posterior means `(n, d)`.
        z_log_var: Logarithms of the posterior variances `(n, d)`.

    Returns:
        Float64 array `(d,)`, in nats, never below 0.

    Raises:
        UsageError: If the arrays are not finite matrices of one shape, a mean is beyond 10^30 or a
            log-variance beyond 100.
    """
    z_mean, z_log_var = check_posterior(z_mean, z_log_var)
    # expm1 keeps the digits that exp(v) - 1 - v loses next to the prior, where v is near 0.
    divergence = 0.5 * (np.square(z_mean) + np.expm1(z_log_var) - z_log_var)
    return np.maximum(0.0, divergence).mean(axis=0)


def kl(z_mean: np.ndarray, z_log_var: np.ndarray) -> dict:
    """KL divergence of the posterior from the standard normal prior, summed over dimensions.

    Args:
        z_mean: Posterior means `(n, d)`.
        z_log_var: Logarithms of the posterior variances `(n, d)`.

    Returns:
        `kl.total` in nats, the mean over data; `details` with `per_dimension`, a list of `d`
        numbers; `settings`: `metric`, `package_version`, `numpy_version`, `sample_count`,
        `code_count`.

    Raises:
        UsageError: If the arrays are not finite matrices of one shape, a mean is beyond 10^30 or a
            log-variance beyond 100.
    """
    z_mean, z_log_var = check_posterior(z_mean, z_log_var)
    caution_of_few(len(z_mean))
    per_dimension = kl_per_dimension(z_mean, z_log_var)
    return result(
        "kl",
        {"total": per_dimension.sum()},
        {"per_dimension": per_dimension.tolist()},
        {"sample_count": len(z_mean), "code_count": len(per_dimension)},
    )


def active_variables(z_mean: np.ndarray, z_log_var: np.ndarray, threshold: float = 0.01) -> dict:
    """Number of latent dimensions that respond to the data (Burda et al. 2015).

    A dimension is active where the variance over the data of its posterior mean is above the
    threshold.

    Constant means are named in a `MetricWarning`.

    Args:
        z_mean: Posterior means `(n, d)`.
        z_log_var: Logarithms of the posterior variances `(n, d)`; for `details` only, the
            definition does not use them.
        threshold: The variance above which a dimension is active.

    Returns:
        `active_variables.count`; `details` with `variance_of_mean` and `mean_of_variance`, lists of
        `d` numbers (an inactive dimension has about 0 and about 1), and `active`, the indices;
        `settings`: `metric`, `package_version`, `numpy_version`, `threshold`, `sample_count`,
        `code_count`.

    Raises:
        UsageError: If the arrays are not finite matrices of one shape or beyond the limits of
            `kl_per_dimension`, or the threshold is negative.
    """
    z_mean, z_log_var = check_posterior(z_mean, z_log_var)
    checks.finite_at_least("threshold", threshold)
    constant = find_constant_codes(z_mean)
    caution_of_few(len(z_mean))
    scaled, exponents = unit_scaled(z_mean)
    variance = np.ldexp(scaled.var(axis=0), 2 * exponents)
    # Neither may the mean's rounding make a constant active, nor the squares of tiny means be 0.
    varies = np.ones(len(variance), bool)
    varies[constant] = False
    active = np.flatnonzero(varies & ((variance > threshold) | (threshold == 0)))
    details = {
        "variance_of_mean": variance.tolist(),
        "mean_of_variance": np.exp(z_log_var).mean(axis=0).tolist(),
        "active": active.tolist(),
    }
    settings = {
        "threshold": float(threshold),
        "sample_count": len(z_mean),
        "code_count": len(variance),
    }
    return result("active_variables", {"count": len(active)}, details, settings)


def check_posterior(z_mean: np.ndarray, z_log_var: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Checks means and log-variances, and returns them as float64.

    Raises:
        UsageError: If they are not finite matrices of one shape, or a mean is beyond 10^30 or a
            log-variance beyond 100, where divergences and densities are no longer finite.
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


def check_same_shape(z_mean: np.ndarray, z_log_var: np.ndarray) -> None:
    """Raises a `UsageError` unless there is a log-variance for each mean."""
    if z_mean.shape != z_log_var.shape:
        raise UsageError(
            "`z_mean` and `z_log_var` must have the same shape. Received: "
            f"{z_mean.shape} and {z_log_var.shape}."
        )
