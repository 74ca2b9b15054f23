"""Differences between the scores of two groups of runs, and what can be said of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy.special import stdtr, stdtrit

#: A p-value below it, after Holm's correction, tells a difference from zero.
LEVEL = 0.05


@dataclasses.dataclass(frozen=True)
class Difference:
    """By how much the mean of one sample exceeds another's.

    Attributes:
        mean: The difference of the means.
        share: The same as a share of the second mean; NaN if that is 0.
        interval: Ends of its 95 % interval by Welch's t, which lets the variances differ.
        narrow: Ends of its 90 % interval.
        p: Probability, in Welch's two-sided test, of a difference as large if there is none.
        g: Hedges' g: the difference in pooled standard deviations, with his approximate correction
            for small samples, 1 - 3 / (4 n - 9).

    The last four are `None` where a sample has a single number, or neither of them varies.
    """

    mean: float
    share: float
    interval: tuple[float, float] | None = None
    narrow: tuple[float, float] | None = None
    p: float | None = None
    g: float | None = None


def difference_of(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Compares two samples of at least one finite number each."""
    ours, theirs = float(np.mean(first)), float(np.mean(second))
    mean = ours - theirs
    share = mean / abs(theirs) if theirs else math.nan
    counts = [len(first), len(second)]
    if min(counts) < 2 or not any(variances := [_variance(first), _variance(second)]):
        return Difference(mean, share)
    squares = [variance / count for variance, count in zip(variances, counts, strict=True)]
    error = math.sqrt(sum(squares))
    freedom = error**4 / sum(s**2 / (n - 1) for s, n in zip(squares, counts, strict=True))
    wide, narrow = (error * stdtrit(freedom, 1 - tail) for tail in (LEVEL / 2, LEVEL))
    return Difference(
        mean,
        share,
        (float(mean - wide), float(mean + wide)),
        (float(mean - narrow), float(mean + narrow)),
        float(2 * stdtr(freedom, -abs(mean) / error)),
        _hedges_g(mean, counts, variances),
    )


def _variance(sample):
    # Of equal numbers it would be a rounding error, not 0.
    return float(np.var(sample, ddof=1)) if np.ptp(sample) else 0.0


def _hedges_g(mean, counts, variances):
    freedom = sum(counts) - 2
    squares = sum((n - 1) * variance for n, variance in zip(counts, variances, strict=True))
    return mean / math.sqrt(squares / freedom) * (1 - 3 / (4 * freedom - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrects the p-values of a family of tests by Holm's method; returns them in their order."""
    corrected, largest = [0.0] * len(p_values), 0.0
    for place, i in enumerate(np.argsort(p_values, kind="stable")):
        # A test is not rejected before one with a smaller p-value.
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[i]))
        corrected[i] = largest
    return corrected


def verdict(difference: Difference, corrected_p: float | None, smallest: float | None) -> str:
    """Says what is known of a difference.

    `"higher"` or `"lower"`: the corrected p-value is below 0.05. `"no difference of interest"`: the
    90 % interval lies within `smallest` of 0, by two one-sided tests at 5 %. `"undecided"` else.
    """
    if corrected_p is not None and corrected_p < LEVEL:
        return "higher" if difference.mean > 0 else "lower"
    if smallest is not None and difference.narrow is not None:
        low, high = difference.narrow
        if -smallest < low and high < smallest:
            return "no difference of interest"
    return "undecided"
