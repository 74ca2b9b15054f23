"""Differences between the scores of two groups of runs, and what can be said of them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

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
    if min(len(first), len(second)) < 2 or not np.var(first) + np.var(second):
        return Difference(mean, share)
    from scipy.stats import ttest_ind

    test = ttest_ind(first, second, equal_var=False)
    wide, narrow = (test.confidence_interval(level) for level in (1 - LEVEL, 1 - 2 * LEVEL))
    return Difference(
        mean,
        share,
        (float(wide.low), float(wide.high)),
        (float(narrow.low), float(narrow.high)),
        float(test.pvalue),
        _hedges_g(first, second),
    )


def _hedges_g(first, second):
    freedom = len(first) + len(second) - 2
    squares = sum((len(part) - 1) * np.var(part, ddof=1) for part in (first, second))
    deviations = (np.mean(first) - np.mean(second)) / math.sqrt(squares / freedom)
    return float(deviations * (1 - 3 / (4 * freedom - 1)))


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
