"""Log-densities of draws from Gaussian posteriors, under these and under their mean over images."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from keras_devae.checks import Array

# Densities are computed for this many pairs of a draw and a posterior at a time: a cache's worth.
PAIRS = 2**17
# No density that counts has a lower logarithm; sums of those above keep eight digits and more.
LOWEST = -1e6
_CONSTANT = -0.5 * math.log(2 * math.pi)


class LogDensities(NamedTuple):
    """Draws z `(rows, d)`, one from the posterior of each of the rows, and their log-densities.

    `posterior` `(rows, d)` is of each z_j under its own posterior, `aggregate` `(rows,)` of z and
    `marginals` `(rows, d)` of each z_j under the mean of all posteriors, and `without_each`
    `(rows, d)` of all of z but z_j, or `None` if it was not asked for.
    """

    draws: Array
    posterior: Array
    aggregate: Array
    marginals: Array
    without_each: Array | None


def log_densities(
    z_mean: Array, z_log_var: Array, rows: Array, noise: Array, leave_one_out: bool = False
) -> LogDensities:
    """Computes the log-densities of a draw from the posterior of each of the rows.

    Means and log-variances are `(n, d)`, of all posteriors that make up the aggregate one; `noise`
    is standard normal, `(rows, d)`. Nothing is multiplied but logarithms are added, so that no
    density underflows. Memory grows with n x d only.
    """
    z = z_mean[rows] + np.exp(0.5 * z_log_var[rows]) * noise
    # Not the noise itself, of which adding a large mean leaves less.
    deviations = (z - z_mean[rows]) * np.exp(-0.5 * z_log_var[rows])
    posterior = _CONSTANT - 0.5 * (np.square(deviations) + z_log_var[rows])
    aggregate, marginals = np.empty(len(rows)), np.empty_like(z)
    without_each = np.empty_like(z) if leave_one_out else None
    posteriors = _Posteriors(z_mean, z_log_var)
    step = max(1, PAIRS // len(z_mean))
    for start in range(0, len(rows), step):
        chunk = slice(start, start + step)
        joint = np.zeros((len(z[chunk]), len(z_mean)))
        for j, densities in posteriors.log_densities(z[chunk], leave_one_out):
            joint += densities
            marginals[chunk, j] = log_mean(densities)
        if without_each is not None:
            for j, densities in posteriors.log_densities(z[chunk], leave_one_out):
                np.subtract(joint, densities, out=densities)
                without_each[chunk, j] = log_mean(densities)
        aggregate[chunk] = log_mean(joint)
    return LogDensities(z, posterior, aggregate, marginals, without_each)


def log_mean(log_values: Array) -> Array:
    """Returns the logarithm of the mean of exponentials over the last axis; overwrites them."""
    largest = log_values.max(axis=1, keepdims=True)
    log_values -= largest
    np.exp(log_values, out=log_values)
    return largest[:, 0] + np.log(log_values.mean(axis=1))


class _Posteriors:
    """Gaussians by dimension."""

    def __init__(self, z_mean: Array, z_log_var: Array) -> None:
        # One row per dimension: each is read as a whole.
        self._means = np.ascontiguousarray(z_mean.T)
        self._precisions = np.exp(-0.5 * np.ascontiguousarray(z_log_var.T))
        self._offsets = _CONSTANT + np.log(self._precisions)

    def log_densities(self, z: Array, bounded: bool) -> Iterator[tuple[int, Array]]:
        """Yields each dimension with the log-densities `(draws, n)` of draws `(draws, d)`.

        The array is the same each time. What is `bounded` is at least `LOWEST`.
        """
        densities = np.empty((len(z), self._means.shape[1]))
        each = zip(self._means, self._precisions, self._offsets, strict=True)
        for j, (mean, precision, offset) in enumerate(each):
            np.subtract(z[:, j, None], mean, out=densities)
            densities *= precision
            np.square(densities, out=densities)
            densities *= -0.5
            densities += offset
            if bounded:
                np.maximum(densities, LOWEST, out=densities)
            yield j, densities
