"""What the posterior alone tells, without factors: its KL divergence and its active dimensions."""

import numpy as np

from keras_devae import checks
from keras_devae.errors import UsageError
from keras_devae.metrics.cautions import caution_of_few
from keras_devae.metrics.inputs import find_constant_codes
from keras_devae.metrics.matrices import check_codes, numeric_array
from keras_devae.metrics.results import result
from keras_devae.metrics.scaling import unit_scaled

LARGEST_MEAN, LARGEST_LOG_VAR = 1e30, 100.0
#: Nats of signal from which a latent dimension is active, see `signal_per_dimension`.
ACTIVE_NATS = 0.5


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


def signal_per_dimension(z_mean: np.ndarray, z_log_var: np.ndarray) -> np.ndarray:
    """What each latent dimension passes on of the images, in nats: its signal against its noise.

    `1/2 ln(1 + variance of the means over the images / variance of the posterior)`, the capacity of
    a Gaussian channel. The posterior's variance is its geometric mean, so that a dimension which is
    sharp for some images only is not drowned by the others.

    The package calls a dimension active where this is at least `ACTIVE_NATS`, see
    `active_dimensions`; there is no other definition. Its reasons:

    - The KL divergence counts a shift from the prior as well. A dimension with a mean of 1.95 for
      every image and a deviation of 0.135 has 3.4 nats of it, and tells nothing.
    - The variance of the means (Burda et al. 2015) depends on the scale of the code. A code of
      thousandths with a deviation of ten-thousandths tells images apart very well.
    - The ratio of the two depends on neither. Where all codes together follow the prior, the signal
      equals the KL divergence, so that 0.5 nats are those from which the DeVAE paper draws a
      dimension: means that spread by 1.3 deviations of the posterior.

    Means that differ by no more than the rounding of float32 do not spread. Scores of codes alone
    (FactorVAE, IRS, InfoMEC) know no posterior, and leave codes out by the rules of their papers.

    Args:
        z_mean: Posterior means `(n, d)`.
        z_log_var: Logarithms of the posterior variances `(n, d)`.

    Returns:
        Float64 array `(d,)`, in nats, never below 0.

    Raises:
        UsageError: As `kl_per_dimension`.
    """
    z_mean, z_log_var = check_posterior(z_mean, z_log_var)
    rounding = np.finfo(np.float32).eps * np.abs(z_mean).max(axis=0)
    spread = z_mean.std(axis=0)
    variance = np.where(spread > rounding, np.square(spread), 0.0)
    return 0.5 * np.log1p(variance * np.exp(-z_log_var.mean(axis=0)))


def active_dimensions(signal: np.ndarray) -> np.ndarray:
    """Returns which latent dimensions are active.

    Args:
        signal: `(d,)` what `signal_per_dimension` returned.

    Returns:
        Boolean array `(d,)`.
    """
    signal = numeric_array(signal, "signal", "numbers, one for each dimension", axes=1)
    if np.isnan(signal).any():
        raise UsageError("`signal` must have a value for each dimension. Received: NaN.")
    return signal >= ACTIVE_NATS


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
    """Number of latent dimensions that are active, and the field's count of those that vary.

    A dimension is active where its means spread enough beside the posterior's deviation, see
    `signal_per_dimension`. Beside that count stands the one of Burda et al. (2015), whose "active
    units" are those with a variance of the posterior mean above a threshold, whatever the noise.

    Constant means are named in a `MetricWarning`.

    Args:
        z_mean: Posterior means `(n, d)`.
        z_log_var: Logarithms of the posterior variances `(n, d)`.
        threshold: The variance above which a mean varies, for the count of Burda et al.; it does
            not move what is active.

    Returns:
        `active_variables.count`, of those active, and `active_variables.varying_means`, the count
        of Burda et al.; `details` with `signal` in nats, `variance_of_mean` and
        `mean_of_variance`, lists of `d` numbers (a collapsed dimension has about 0, 0 and 1), and
        `active`, the indices; `settings`: `metric`, `package_version`, `numpy_version`,
        `active_nats`, `threshold`, `sample_count`, `code_count`.

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
    # Neither may the mean's rounding make a constant vary, nor the squares of tiny means be 0.
    varies = (variance > threshold) | (threshold == 0)
    varies[constant] = False
    signal = signal_per_dimension(z_mean, z_log_var)
    active = np.flatnonzero(active_dimensions(signal))
    details = {
        "signal": signal.tolist(),
        "variance_of_mean": variance.tolist(),
        "mean_of_variance": np.exp(z_log_var).mean(axis=0).tolist(),
        "active": active.tolist(),
    }
    settings = {
        "active_nats": ACTIVE_NATS,
        "threshold": float(threshold),
        "sample_count": len(z_mean),
        "code_count": len(variance),
    }
    counts = {"count": len(active), "varying_means": np.sum(varies)}
    return result("active_variables", counts, details, settings)


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
