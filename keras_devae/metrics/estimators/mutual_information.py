"""Entropy and mutual information of discrete variables, counted in float64, in nats."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from keras_devae.checks import Array
from keras_devae.metrics.arrays import check_codes, check_factors
from keras_devae.metrics.estimators.discretization import discretized_columns
from keras_devae.metrics.labelled import check_same_length

# Factors are counted jointly up to this many combined values.
COMBINED_VALUES = 256
# Larger tables of joint counts, which would be nearly all 0, are not allocated.
LARGEST_TABLE = 2**24


def entropy(values: Array) -> Array:
    """Computes the entropy of each column's empirical distribution.

    Args:
        values: `(n, k)` whole numbers, e.g. factors or discretised codes.

    Returns:
        Float64 array `(k,)`, in nats; 0 for a constant column, never negative.

    Raises:
        UsageError: If the values are not a matrix of whole numbers.
    """
    columns = check_factors(values).T
    return np.array([_entropy(np.bincount(_labels(column))) for column in columns])


def mutual_information_matrix(
    codes: Array, factors: Array, *, bins: int = 20, discretizer: str = "histogram"
) -> Array:
    """Computes the mutual information of each discretised code with each factor.

    The plug-in estimate from joint counts, as in disentanglement_lib. It is biased upwards by about
    `(bins - 1) (factor values - 1) / 2n`: independent variables score slightly above 0.

    Args:
        codes: `(n, d)` codes.
        factors: `(n, f)` whole-number factors. They are not binned, however many values they have.
        bins: As for `mig`.
        discretizer: As for `mig`.

    Returns:
        Float64 array `(d, f)`, in nats; 0 for a constant code or factor, never negative.

    Raises:
        UsageError: If the arrays are malformed or of different lengths, or a setting is wrong.
    """
    codes, factors = check_codes(codes), check_factors(factors)
    columns = discretized_columns(codes, bins, discretizer)
    check_same_length(codes, factors)
    counter = _FactorCounter(factors)
    if discretizer != "identity":
        return np.array([counter.information_of(code, bins + 1) for code in columns])
    labels = map(_labels, columns)
    return np.array([counter.information_of(code, int(code.max()) + 1) for code in labels])


class _FactorCounter:
    """Counts a code's labels jointly with every factor's.

    With integer counts c and n samples, mutual information is (sum c_ij log c_ij - sum c_i log c_i
    - sum c_j log c_j + n log n) / n, and every term comes from a table. Factors are counted jointly
    while their combined values stay few: one joint count costs less than one count per factor.
    """

    def __init__(self, factors: Array) -> None:
        labels = [_labels(column) for column in factors.T]
        self._groups = _grouped(labels)
        self._xlogx = _xlogx_table(len(factors))
        self._of_factors = np.array([self._xlogx[np.bincount(v)].sum() for v in labels])
        self._pairs = np.empty(len(factors), np.int64)
        self._scaled: tuple[int, list[Array]] = (0, [])
        self._order = np.argsort([i for group in self._groups for i in group.members])
        sizes = [size for group in self._groups for size in group.sizes]
        self._starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])

    def information_of(self, code: Array, width: int) -> Array:
        """Returns the mutual information `(f,)` of labels below `width` with each factor."""
        if width * max(math.prod(group.sizes) for group in self._groups) > LARGEST_TABLE:
            joint, of_code = self._terms_of_pairs(code, width), np.bincount(code)
        else:
            joints = np.concatenate(list(self._joint_counts(code, width)))
            terms = self._xlogx.take(joints).sum(axis=1)
            joint = np.add.reduceat(terms, self._starts)
            of_code = joints[: self._starts[1] if len(self._starts) > 1 else None].sum(axis=0)
        if np.count_nonzero(of_code) == 1:
            return np.zeros(len(self._of_factors))
        shared = joint[self._order] - self._of_factors
        shared += self._xlogx[len(code)] - self._xlogx[of_code].sum()
        return np.maximum(shared / len(code), 0.0)

    def _terms_of_pairs(self, code: Array, width: int) -> Array:
        """Sums c log c over the joint counts with each factor, in the groups' order."""
        terms = []
        for group in self._groups:
            for of_factor in np.unravel_index(group.labels, group.sizes):
                counts = np.unique(code + width * of_factor, return_counts=True)[1]
                terms.append(self._xlogx[counts].sum())
        return np.array(terms)

    def _joint_counts(self, code: Array, width: int) -> Iterator[Array]:
        """Counts the labels with each factor, each `(values, width)`, in the groups' order."""
        for group, labels in zip(self._groups, self._labels_times(width), strict=True):
            pairs = np.add(code, labels, out=self._pairs)
            counts = np.bincount(pairs, minlength=width * math.prod(group.sizes))
            counts = counts.reshape(*group.sizes, width)
            axes = range(len(group.sizes))
            for axis in axes:
                yield counts.sum(axis=tuple(i for i in axes if i != axis))

    def _labels_times(self, width: int) -> list[Array]:
        if self._scaled[0] != width:
            self._scaled = (width, [width * group.labels for group in self._groups])
        return self._scaled[1]


class _Group(NamedTuple):
    """Factors counted jointly: their indices, numbers of values, and combined labels."""

    members: list[int]
    sizes: list[int]
    labels: Array


def _grouped(factor_labels: list[Array]) -> list[_Group]:
    """Groups factors for joint counting, those with the most values first."""
    groups: list[_Group] = []
    sizes = [int(labels.max()) + 1 for labels in factor_labels]
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        fitting = [g for g in groups if math.prod(g.sizes) * sizes[i] <= COMBINED_VALUES]
        if fitting:
            group = fitting[0]
            merged = group.labels * sizes[i] + factor_labels[i]
            joined = _Group([*group.members, i], [*group.sizes, sizes[i]], merged)
            groups = [joined if g is group else g for g in groups]
        else:
            groups.append(_Group([i], [sizes[i]], factor_labels[i]))
    return groups


def _xlogx_table(largest: int) -> Array:
    counts = np.arange(1, largest + 1)
    return np.concatenate([[0.0], counts * np.log(counts)])


def _labels(column: Array) -> Array:
    """Numbers the values of a column of whole numbers from 0."""
    low, high = column.min(), column.max()
    if int(high) - int(low) < 4 * len(column):
        return column - low
    return np.unique(column, return_inverse=True)[1]


def _entropy(counts: Array) -> float:
    probabilities = counts[counts > 0] / counts.sum()
    return max(0.0, -np.sum(probabilities * np.log(probabilities)))
