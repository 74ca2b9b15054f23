"""Measures how far a Gaussian is from independence, from its covariance."""

from __future__ import annotations

import numpy as np

from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.metrics.arrays import check_codes


def gaussian_total_correlation_of(covariance: Array) -> float:
    """Returns the total correlation of a Gaussian with this covariance `(d, d)`, in nats.

    This is minus half the log-determinant of its correlation matrix, with eigenvalues raised to at
    least d times the float64 epsilon. Variances must be above 0.
    """
    covariance = _check_covariance(covariance)
    if np.any(np.diag(covariance) == 0):
        raise UsageError("`covariance` must have variances above 0. Leave constant codes out.")
    return total_correlation(correlation_eigenvalues(covariance))


def wasserstein_correlation_of(covariance: Array) -> float:
    """Returns the squared Wasserstein-2 distance between N(0, C) and N(0, D), D the diagonal of C.

    Because C and D have the same trace, it is `2 trace(C) - 2 trace((D^1/2 C D^1/2)^1/2)`; the
    second trace is the sum of the square roots of eigenvalues, which also holds for a singular C.
    """
    covariance = _check_covariance(covariance)
    deviations = np.sqrt(np.diag(covariance))
    eigenvalues = np.linalg.eigvalsh(deviations[:, None] * covariance * deviations)
    roots = np.sqrt(np.maximum(0.0, eigenvalues))
    return float(max(0.0, 2 * (np.trace(covariance) - roots.sum())))


def correlation_eigenvalues(covariance: Array) -> Array:
    """Returns the eigenvalues `(d,)` of the correlation matrix of a covariance `(d, d)`."""
    deviations = np.sqrt(np.diag(covariance))
    return np.linalg.eigvalsh(covariance / deviations[:, None] / deviations)


def least_eigenvalue(eigenvalues: Array) -> float:
    """Returns the threshold below which float64 cannot tell an eigenvalue from 0."""
    return len(eigenvalues) * np.finfo(np.float64).eps


def total_correlation(eigenvalues: Array) -> float:
    """Returns the total correlation in nats from the eigenvalues of a correlation matrix."""
    floored = np.maximum(least_eigenvalue(eigenvalues), eigenvalues)
    return max(0.0, -0.5 * np.log(floored).sum())


def _check_covariance(covariance: Array) -> Array:
    covariance = check_codes(covariance, "covariance").astype(np.float64)
    square = covariance.shape[0] == covariance.shape[1]
    if not square or not np.allclose(covariance, covariance.T) or np.diag(covariance).min() < 0:
        raise UsageError(
            "`covariance` must be a symmetric matrix with variances of at least 0. Received: shape "
            f"{covariance.shape}."
        )
    return covariance
