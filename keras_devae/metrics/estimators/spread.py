"""Mean, standard deviation and confidence interval of a few numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from keras_devae.errors import UsageError

#: Probability with which the interval of a `Spread` covers the mean.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Spread:
    """The mean of a few values of one score, e.g. over several seeds, and its uncertainty.

    `std` has n - 1 in the denominator; `low` and `high` are the ends of the 95 % interval of the
    mean by Student's t, and `count` is n. A single value has a `std` of 0, and both ends of its
    interval are the value itself.
    """

    mean: float
    std: float
    low: float
    high: float
    count: int


def spread_of(values: Iterable[float]) -> Spread:
    """Computes the mean of one or more finite values and its uncertainty.

    The interval is by Student's t with n - 1 degrees of freedom, for independent values from a
    normal distribution.
    """
    values = np.asarray(list(values), dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise UsageError(
            f"A spread is computed from one or more finite numbers. Received: {values.tolist()}."
        )
    mean, deviation = values.mean(), values.std(ddof=1) if len(values) > 1 else 0.0
    half = stdtrit(max(1, len(values) - 1), (1 + CONFIDENCE) / 2) * deviation
    half /= math.sqrt(len(values))
    ends = (float(mean - half), float(mean + half))
    return Spread(float(mean), float(deviation), *ends, len(values))
