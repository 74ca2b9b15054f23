"""The Wasserstein distance of a Gaussian with the covariance of the codes from independence."""

from __future__ import annotations

import math

import numpy as np

from keras_devae.checks import Array
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.gaussian import wasserstein_correlation_of
from keras_devae.metrics.labelled import check_unlabelled
from keras_devae.metrics.metric_warnings import warn

METRIC = Metric(
    "wasserstein_correlation",
    takes="codes",
    description="Wasserstein distance of that Gaussian to its marginals",
    numbers={
        "score": Number(
            "How far the codes are from uncorrelated ones, in their squared units. Lower is "
            "better.",
            lower_is_better=True,
        ),
        "normalized": Number(
            "The same as a share of the codes' variance, which does not depend on their scale.",
            lower_is_better=True,
        ),
    },
    place=120,
)


def wasserstein_correlation(codes: Array, *, seed: int | None = None) -> Score:
    """Squared Wasserstein-2 distance of a Gaussian from independence (Locatello et al. 2019).

    The distance between the Gaussian with the codes' covariance and the product of its marginals.
    `score` is in the squared units of the codes; `normalized`, divided by their total variance,
    does not change when all codes are scaled alike. Both are 0 for uncorrelated codes.

    Constant codes add nothing and are named in a `MetricWarning`; where every code is constant both
    numbers are 0. Of codes so large that float64 cannot hold the distance (from about 10^154), the
    score is the largest float64, with a `MetricWarning`, and `normalized` is right.

    Args:
        codes: `(n, d)` codes, usually posterior means.
        seed: Seed that the samples were drawn with; it is only recorded, as nothing here is random.

    Returns:
        `wasserstein_correlation.score` and `wasserstein_correlation.normalized`. `details`:
        `constant_codes`.

    Raises:
        UsageError: If the codes are not a finite matrix.
    """
    codes, constant, settings = check_unlabelled(codes, seed)
    covariance, exponent = _scaled_covariance(np.delete(codes, constant, axis=1))
    distance = wasserstein_correlation_of(covariance) if covariance.size else 0.0
    total = np.trace(covariance)
    try:
        score = math.ldexp(distance, 2 * exponent)
    except OverflowError:
        score = np.finfo(np.float64).max
        warn(
            "wasserstein_correlation of codes this large is beyond float64: the score is the "
            "largest float64, use wasserstein_correlation.normalized."
        )
    values = {"score": score, "normalized": distance / total if total else 0.0}
    return METRIC.score(values, {"constant_codes": constant}, settings)


def _scaled_covariance(codes: Array) -> tuple[Array, int]:
    """Covariance of codes divided by one power of two, and its exponent."""
    # NumPy's ldexp of small integers is float32 or less.
    codes = codes.astype(np.float64)
    exponent = int(np.frexp(np.abs(codes).max(initial=0.0))[1])
    scaled = np.ldexp(codes, -exponent)
    scaled = scaled - scaled.mean(axis=0)
    return scaled.T @ scaled / max(1, len(codes) - 1), exponent
