"""A linear support vector machine with one variable, solved exactly and fast.

With 10,000 x 10 codes and 57 values of factors it takes a tenth of the time of `LinearSVC`, which
also stops short of the minimum for some of them and then depends on its random state.

It solves the same problem as scikit-learn's `LinearSVC`, which uses liblinear (Fan et al. 2008):
squared hinge loss, the intercept penalised like the slope, one class against the rest, balanced
class weights. The objective is convex and quadratic between kinks, so Newton's method reaches the
minimum in a few steps. With one variable, the samples within the margin are the first or the last
ones of a class in sorted order, so each step looks up sums over them instead of computing them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from keras_devae.checks import Array

# Newton's method takes about ten steps; this only stops it if rounding prolongs it.
STEPS = 100
# Stop when the next step would change no decision value by more than this.
TOLERANCE = 1e-11
# Beyond a scale of 2^33 the penalty of the slope is too small to matter, but a little of it keeps
# the slope finite if one outlier leaves the other values without a measurable spread.
NEGLIGIBLE = 33


class SortedCode(NamedTuple):
    """One code's `n` training values, sorted, divided by 2^exponent (at least 0), and centred.

    `order` has the row of each value, `centre` is the subtracted mean, and `sums` `(3, n + 1)` are
    the sums of 1, value and squared value over the first 0, 1, ..., n values.
    """

    order: Array
    values: Array
    centre: float
    exponent: int
    sums: Array

    def transform(self, values: Array) -> Array:
        """Scales and centres other values of the code in the same way."""
        return np.ldexp(values, -self.exponent) - self.centre


class Lines(NamedTuple):
    """Decision functions `slope * value + intercept`, `(p,)`: one per class, 1 for two classes."""

    slopes: Array
    intercepts: Array

    def predict(self, values: Array) -> Array:
        """Returns the class `(m,)` of each transformed value `(m,)`."""
        if len(self.slopes) == 1:
            return (self.slopes[0] * values + self.intercepts[0] > 0).astype(np.int64)
        decisions = np.multiply.outer(self.slopes, values) + self.intercepts[:, None]
        return decisions.argmax(axis=0)


def sort_code(values: Array, exponent: int) -> SortedCode:
    """Prepares the training values `(n,)` of a code for `fit_lines`.

    All values, including those to predict for, must be below 2^exponent in size; a negative
    exponent counts as 0, because small values do no harm.
    """
    exponent = max(0, int(exponent))
    order = np.argsort(values, kind="stable")
    scaled = np.ldexp(values[order], -exponent)
    centre = float(scaled.mean())
    scaled -= centre
    return SortedCode(order, scaled, centre, exponent, _sums(scaled))


def fit_lines(code: SortedCode, labels: Array, class_count: int, penalty: float) -> Lines:
    """Fits one class against the rest, for every class.

    Labels `(n,)`, in row order, are classes from 0 to `class_count - 1`; there are at least two,
    and all are present. The penalty C weighs the loss against the squared slope and intercept; for
    each class it is multiplied by n / (classes * samples of the class).
    """
    problem = _problem(code, labels[code.order], class_count, penalty)
    point = np.zeros((2, len(problem.classes)))
    value, target = _evaluate(problem, point)
    step = np.ones(len(problem.classes))
    reach = np.array([np.abs(code.values).max(), 1.0])
    for _ in range(STEPS):
        if np.all(reach @ (np.abs(target - point) * step) <= TOLERANCE):
            break
        trial = point + step * (target - point)
        trial_value, trial_target = _evaluate(problem, trial)
        # A full step can leave the region in which it is exact; halving it ensures a descent.
        better = trial_value <= value + 1e-13 * np.abs(value)
        point, target = np.where(better, trial, point), np.where(better, trial_target, target)
        value, step = np.where(better, trial_value, value), np.where(better, 1.0, step / 2)
    return Lines(*point)


class _Problem(NamedTuple):
    """The data from which the objective of every class is computed."""

    code: SortedCode
    classes: Array
    keys: Array
    starts: Array
    class_sums: Array
    class_totals: Array
    positive: Array
    negative: Array


def _problem(code: SortedCode, sorted_labels: Array, class_count: int, penalty: float) -> _Problem:
    count = len(sorted_labels)
    # Sorting short integers takes a fraction of the time.
    by_class = np.argsort(sorted_labels.astype(np.min_scalar_type(class_count)), kind="stable")
    sizes = np.bincount(sorted_labels, minlength=class_count)
    balanced = penalty * count / (class_count * sizes)
    # liblinear gives the rest the unweighted penalty, unless the rest is a single class.
    classes = np.array([1]) if class_count == 2 else np.arange(class_count)
    negative = balanced[:1] if class_count == 2 else np.full(class_count, penalty)
    sums = _sums(code.values[by_class])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    return _Problem(
        code,
        classes,
        sorted_labels[by_class] * (count + 1) + by_class,
        sums[:, starts[classes]],
        sums,
        sums[:, starts[classes + 1]] - sums[:, starts[classes]],
        2 * balanced[classes],
        2 * negative,
    )


def _evaluate(problem: _Problem, point: Array) -> tuple[Array, Array]:
    """Returns each problem's objective at a point, and where its Newton step leads from there."""
    slope, intercept = point
    centre, ridge = problem.code.centre, np.ldexp(1.0, -2 * min(problem.code.exponent, NEGLIGIBLE))
    inside, outside = _within_margin(problem, slope, intercept)
    inside, outside = inside * problem.positive, outside * problem.negative
    # Weighted sums over the margin's samples of 1, x, x^2; and of 1, x times the class's sign.
    n, s, q = inside + outside
    dn, ds = (inside - outside)[:2]
    # The penalty applies to the intercept for values before centring.
    origin = intercept - slope * centre
    value = 0.5 * (ridge * slope**2 + origin**2 + n + slope**2 * q + intercept**2 * n)
    value += slope * intercept * s - slope * ds - intercept * dn
    # The determinant as a sum of non-negative terms: differences of large terms would lose it.
    uncentred = np.maximum(0.0, q + 2 * centre * s + centre**2 * n)
    determinant = ridge * (1 + n) + np.maximum(0.0, q * n - s**2) + uncentred
    determinant = np.maximum(determinant, np.finfo(np.float64).tiny)
    mixed = s - centre
    target = [(1 + n) * ds - mixed * dn, (ridge + centre**2 + q) * dn - mixed * ds]
    return value, np.array(target) / determinant


def _within_margin(problem: _Problem, slope: Array, intercept: Array) -> tuple[Array, Array]:
    """Sums `(3, p)` over the samples of the class and of the rest that have a loss."""
    rising = slope >= 0
    # All far thresholds are equivalent; with a slope of 0 they are at infinity.
    steep = np.where(slope == 0, np.finfo(np.float64).tiny, slope)
    with np.errstate(over="ignore"):
        upper, lower = (1 - intercept) / steep, (-1 - intercept) / steep
    below_upper = np.searchsorted(problem.code.values, upper)
    below_lower = np.searchsorted(problem.code.values, lower)
    of_class = _class_sums(problem, below_upper)
    of_rest = problem.code.sums[:, below_lower] - _class_sums(problem, below_lower)
    rest_totals = problem.code.sums[:, -1:] - problem.class_totals
    inside = np.where(rising, of_class, problem.class_totals - of_class)
    return inside, np.where(rising, rest_totals - of_rest, of_rest)


def _class_sums(problem: _Problem, ranks: Array) -> Array:
    """Returns the sums `(3, p)` over each problem's class among its first `ranks` samples."""
    width = len(problem.code.values) + 1
    places = np.searchsorted(problem.keys, problem.classes * width + ranks)
    return problem.class_sums[:, places] - problem.starts


def _sums(values: Array) -> Array:
    terms = np.stack([np.ones_like(values), values, np.square(values)])
    return np.concatenate([np.zeros((3, 1)), np.cumsum(terms, axis=1)], axis=1)
