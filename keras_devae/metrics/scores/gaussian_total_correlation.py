"""The total correlation of a Gaussian with the covariance of the codes."""

from __future__ import annotations

import numpy as np

from keras_devae.checks import Array
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators import gaussian
from keras_devae.metrics.estimators.scaling import standardized
from keras_devae.metrics.labelled import check_unlabelled
from keras_devae.metrics.metric_warnings import warn

METRIC = Metric(
    "gaussian_total_correlation",
    takes="codes",
    description="total correlation of a Gaussian fitted to the codes",
    numbers={
        "score": Number(
            "Nats that the latents share, if they were Gaussian. 0: they are uncorrelated.",
            unit="nats",
            lower_is_better=True,
        )
    },
    place=110,
)


def gaussian_total_correlation(codes: Array, *, seed: int | None = None) -> Score:
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
        seed: Seed that the samples were drawn with; it is only recorded, as nothing here is random.

    Returns:
        `gaussian_total_correlation.score` in nats. `details`: `constant_codes`, and
        `dependent_directions`, the number of eigenvalues that were too small.

    Raises:
        UsageError: If the codes are not a finite matrix.
    """
    codes, constant, settings = check_unlabelled(codes, seed)
    columns = standardized(np.delete(codes, constant, axis=1))
    eigenvalues = np.ones(1)
    if columns.size:
        eigenvalues = gaussian.correlation_eigenvalues(columns.T @ columns)
    dependent = int(np.sum(eigenvalues < gaussian.least_eigenvalue(eigenvalues)))
    if dependent:
        warn(
            "Codes are linearly dependent, so that their total correlation is infinite: "
            f"gaussian_total_correlation counts {dependent} directions as far as float64 goes."
        )
    details = {"constant_codes": constant, "dependent_directions": dependent}
    values = {"score": gaussian.total_correlation(eigenvalues)}
    return METRIC.score(values, details, settings)
