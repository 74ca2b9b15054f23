"""Entropy and mutual information of discrete variables, counted in float64, in nats."""

import math
from typing import NamedTuple

import numpy as np

from keras_devae.metrics.discretization import discretized_columns
from keras_devae.metrics.inputs import check_codes, check_factors, check_same_length

# Factors are counted together up to this many combined values.
COMBINED_VALUES = 256


def entropy(values: np.ndarray) -> np.ndarray:
    """Entropy of each column's empirical distribution.

    Args:
        values: `(n, k)` whole numbers, e.g. factors or discretised codes.

    Returns:
        Float64 array `(k,)`, in nats; 0 for a constant column, never below.

    Raises:
        UsageError: If the values are not a matrix of whole numbers.
    """
    columns = check_factors(values).T
    return np.array([_entropy(np.bincount(_labels(column))) for column in columns])


def mutual_information_matrix(
    codes: np.ndarray,
    factors: np.ndarray,
    *,
    bins: int = 20,
    discretizer: str = "histogram",
) -> np.ndarray:
    """Mutual information of each discretised code with each factor.

    The plug-in estimate from joint counts, as in disentanglement_lib. Its bias is upwards, by
    about `(bins - 1) (factor values - 1) / 2n`: independent variables get a little above 0.

    Args:
        codes: `(n, d)` codes.
        factors: `(n, f)` whole-number factors. They are not binned, however many values they have.
        bins: Number of equal-width bins a code.
        discretizer: `"histogram"` (default), or `"identity"` for integer codes.

    Returns:
        Float64 array `(d, f)`, in nats; 0 for a constant code or factor, never below.

    Raises:
        UsageError: If the arrays are malformed or of different lengths, or a setting is wrong.
    """
    codes, factors = check_codes(codes), check_factors(factors)
    check_same_length(codes, factors)
    groups = _grouped([_labels(column) for column in factors.T])
    xlogx = _xlogx_table(len(codes))
    columns = discretized_columns(codes, bins, discretizer)
    information = [_information_with_each(_labels(column), groups, xlogx) for column in columns]
    return np.array(information)[:, np.argsort([i for group in groups for i in group.members])]


class _Group(NamedTuple):
    """Factors counted together: one joint count costs less than one for each of them."""

    members: list[int]
    sizes: list[int]
    labels: np.ndarray


def _grouped(factor_labels):
    """Puts factors together as long as their combined values stay few, largest first."""
    groups = []
    sizes = [labels.max() + 1 for labels in factor_labels]
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        fits = (g for g in groups if math.prod(g.sizes) * sizes[i] <= COMBINED_VALUES)
        group = next(fits, None)
        if group is None:
            groups.append(_Group([i], [sizes[i]], factor_labels[i]))
        else:
            merged = group.labels * sizes[i] + factor_labels[i]
            joined = _Group([*group.members, i], [*group.sizes, sizes[i]], merged)
            groups[groups.index(group)] = joined
    return groups


def _information_with_each(code, groups, xlogx):
    """Mutual information of one code's labels with each factor, in the groups' order.

    With integer counts c and n samples it is (sum c_ij log c_ij - sum c_i log c_i - sum c_j log c_j
    + n log n) / n, and every term is looked up.
    """
    width, total = code.max() + 1, len(code)
    of_code = xlogx[np.bincount(code)].sum()
    information = []
    for group in groups:
        values = math.prod(group.sizes)
        pairs = np.bincount(code + width * group.labels, minlength=width * values)
        counts = pairs.reshape(*group.sizes, width)
        for axis, size in enumerate(group.sizes):
            others = tuple(i for i in range(len(group.sizes)) if i != axis)
            joint = counts.sum(axis=others) if others else counts
            if width == 1 or size == 1:
                information.append(0.0)
                continue
            of_factor = xlogx[joint.sum(axis=1)].sum()
            shared = xlogx[joint].sum() - of_code - of_factor + xlogx[total]
            information.append(max(0.0, shared / total))
    return information


def _xlogx_table(largest):
    counts = np.arange(1, largest + 1)
    return np.concatenate([[0.0], counts * np.log(counts)])


def _labels(column):
    """Numbers the values of a column of whole numbers from 0."""
    low, high = column.min(), column.max()
    if int(high) - int(low) < 4 * len(column):
        return column - low
    return np.unique(column, return_inverse=True)[1]


def _entropy(counts):
    probabilities = counts[counts > 0] / counts.sum()
    return max(0.0, -np.sum(probabilities * np.log(probabilities)))
