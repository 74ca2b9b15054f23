"""How far codes are from independent, if they were jointly Gaussian."""

import math
import warnings

import numpy as np

from keras_devae.errors import UsageError
from keras_devae.metrics.arguments import check_recorded_seed
from keras_devae.metrics.cautions import caution_of_few
from keras_devae.metrics.inputs import MetricWarning, find_constant_codes
from keras_devae.metrics.matrices import check_codes
from keras_devae.metrics.results import result
from keras_devae.metrics.standardization import standardized


def gaussian_total_correlation(codes: np.ndarray, *, seed: int | None = None) -> dict:
    """Total correlation of a Gaussian with the codes' covariance (Locatello et al. 2019).

    The KL divergence of that Gaussian from the product of its marginals, 0 for uncorrelated codes.
    It is computed from the correlation matrix, so that the scale of a code does not matter. It sees
    linear dependence only.

    Codes that depend on each other linearly, which d codes of fewer than d + 1 samples always do,
    have an infinite total correlation. The eigenvalues of the correlation matrix are taken as at
    least d times the float64 epsilon, with a `MetricWarning`: each of those that are 0 counts about
    17 nats, and the score is finite. Constant codes are left out, with a `MetricWarning`; where
    every code is constant, or all but one, the score is 0.

    Args:
        codes: `(n, d)` codes, usually posterior means.
        seed: The seed that the samples were drawn with, to be recorded; nothing here is random.

    Returns:
        `gaussian_total_correlation.score` in nats. `details`: `constant_codes`, and
        `dependent_directions`, the number of eigenvalues that were too small. `settings`:
        `sample_count`, `code_count`, `seed`, and what every metric records.

    Raises:
        UsageError: If the codes are not a finite matrix.
    """
    check_recorded_seed(seed)
    codes = check_codes(codes)
    caution_of_few(len(codes))
    constant = find_constant_codes(codes)
    columns = standardized(np.delete(codes, constant, axis=1))
    eigenvalues = _correlation_eigenvalues(columns.T @ columns) if columns.size else np.ones(1)
    dependent = int(np.sum(eigenvalues < _floor(eigenvalues)))
    if dependent:
        message = (
            "Codes are linearly dependent, so that their total correlation is infinite: "
            f"gaussian_total_correlation counts {dependent} directions as far as float64 goes."
        )
        warnings.warn(message, MetricWarning, stacklevel=2)
    details = {"constant_codes": constant, "dependent_directions": dependent}
    values = {"score": _total_correlation(eigenvalues)}
    return result("gaussian_total_correlation", values, details, _settings(codes, seed))


def wasserstein_correlation(codes: np.ndarray, *, seed: int | None = None) -> dict:
    """Squared Wasserstein-2 distance of a Gaussian from independence (Locatello et al. 2019).

    The distance between the Gaussian with the codes' covariance and the product of its marginals.
    `score` is in the squared units of the codes; `normalized`, divided by their total variance,
    does not change when all codes are scaled alike. Both are 0 for uncorrelated codes.

    Constant codes add nothing and are named in a `MetricWarning`; where every code is constant both
    numbers are 0. Of codes so large that float64 cannot hold the distance (from about 10^154), the
    score is the largest float64, with a `MetricWarning`, and `normalized` is right.

    Args:
        codes: `(n, d)` codes, usually posterior means.
        seed: The seed that the samples were drawn with, to be recorded; nothing here is random.

    Returns:
        `wasserstein_correlation.score` and `wasserstein_correlation.normalized`. `details`:
        `constant_codes`. `settings`: `sample_count`, `code_count`, `seed`, and what every metric
        records.

    Raises:
        UsageError: If the codes are not a finite matrix.
    """
    check_recorded_seed(seed)
    codes = check_codes(codes)
    caution_of_few(len(codes))
    constant = find_constant_codes(codes)
    covariance, exponent = _scaled_covariance(np.delete(codes, constant, axis=1))
    distance = wasserstein_correlation_of(covariance) if covariance.size else 0.0
    total = np.trace(covariance)
    try:
        score = math.ldexp(distance, 2 * exponent)
    except OverflowError:
        score = np.finfo(np.float64).max
        message = (
            "wasserstein_correlation of codes this large is beyond float64: the score is the "
            "largest float64, use wasserstein_correlation.normalized."
        )
        warnings.warn(message, MetricWarning, stacklevel=2)
    values = {"score": score, "normalized": distance / total if total else 0.0}
    details = {"constant_codes": constant}
    return result("wasserstein_correlation", values, details, _settings(codes, seed))


def gaussian_total_correlation_of(covariance: np.ndarray) -> float:
    """Total correlation of a Gaussian with this covariance, in nats.

    Minus half the log-determinant of its correlation matrix, whose eigenvalues are taken as at
    least d times the float64 epsilon.

    Args:
        covariance: `(d, d)`, symmetric, with variances above 0.

    Returns:
        The total correlation, at least 0.

    Raises:
        UsageError: If it is not such a matrix.
    """
    covariance = _check_covariance(covariance)
    if np.any(np.diag(covariance) == 0):
        raise UsageError("`covariance` must have variances above 0. Leave constant codes out.")
    return _total_correlation(_correlation_eigenvalues(covariance))


def wasserstein_correlation_of(covariance: np.ndarray) -> float:
    """Squared Wasserstein-2 distance between N(0, C) and N(0, D), where D is the diagonal of C.

    With C and D of the same trace it is `2 trace(C) - 2 trace((D^1/2 C D^1/2)^1/2)`; the second
    trace is the sum of the roots of eigenvalues, which is right for a singular C too.

    Args:
        covariance: C, `(d, d)`, symmetric, with variances of at least 0.

    Returns:
        The distance, at least 0.

    Raises:
        UsageError: If it is not such a matrix.
    """
    covariance = _check_covariance(covariance)
    deviations = np.sqrt(np.diag(covariance))
    eigenvalues = np.linalg.eigvalsh(deviations[:, None] * covariance * deviations)
    roots = np.sqrt(np.maximum(0.0, eigenvalues))
    return float(max(0.0, 2 * (np.trace(covariance) - roots.sum())))


def _check_covariance(covariance):
    covariance = check_codes(covariance, "covariance").astype(np.float64)
    square = covariance.shape[0] == covariance.shape[1]
    if not square or not np.allclose(covariance, covariance.T) or np.diag(covariance).min() < 0:
        raise UsageError(
            "`covariance` must be a symmetric matrix with variances of at least 0. Received: shape "
            f"{covariance.shape}."
        )
    return covariance


def _scaled_covariance(codes):
    """Covariance of codes divided by one power of two, and its exponent."""
    # NumPy's ldexp of small integers is float32 or less.
    codes = codes.astype(np.float64)
    exponent = int(np.frexp(np.abs(codes).max(initial=0.0))[1])
    scaled = np.ldexp(codes, -exponent)
    scaled = scaled - scaled.mean(axis=0)
    return scaled.T @ scaled / max(1, len(codes) - 1), exponent


def _correlation_eigenvalues(covariance):
    deviations = np.sqrt(np.diag(covariance))
    return np.linalg.eigvalsh(covariance / deviations[:, None] / deviations)


def _floor(eigenvalues):
    return len(eigenvalues) * np.finfo(np.float64).eps


def _total_correlation(eigenvalues):
    floored = np.maximum(_floor(eigenvalues), eigenvalues)
    return max(0.0, -0.5 * np.log(floored).sum())


def _settings(codes, seed):
    return {"sample_count": len(codes), "code_count": codes.shape[1], "seed": seed}
