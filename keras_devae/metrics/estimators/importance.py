"""Turns a matrix of importances, or other scores of codes for factors, into numbers in `[0, 1]`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.metrics.arrays import check_codes
from keras_devae.metrics.labelled import per_factor


def disentanglement_per_code(matrix: Array) -> Array:
    """Returns how far each code is about one factor only, `(d,)`: 1 minus the entropy of its row.

    The row of the importances `(d, f)` is treated as probabilities, and the base of the logarithm
    is the number of factors. A row of zeros gives 0. With one factor, where the base is 1 and the
    entropy 0/0, every other row gives 1: the code is about nothing else.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    totals = matrix.sum(axis=1)
    shares = matrix / np.where(totals > 0, totals, 1.0)[:, None]
    entropies = -np.sum(shares * np.log(np.where(shares > 0, shares, 1.0)), axis=1)
    base = np.log(matrix.shape[1]) if matrix.shape[1] > 1 else 1.0
    return np.where(totals > 0, np.clip(1.0 - entropies / base, 0.0, 1.0), 0.0)


def completeness_per_factor(matrix: Array) -> Array:
    """Returns how far each factor is in one code only, `(f,)`: 1 less the entropy of its column."""
    return disentanglement_per_code(np.transpose(matrix))


def disentanglement_of(matrix: Array) -> float:
    """Returns the codes' mean disentanglement, weighted by their shares of importance, or 0."""
    matrix = np.asarray(matrix, dtype=np.float64)
    return _weighted_mean(disentanglement_per_code(matrix), matrix.sum(axis=1))


def completeness_of(matrix: Array) -> float:
    """Returns the factors' mean completeness, weighted by their shares of all importance.

    The weights are as in disentanglement_lib. The authors' own code takes the plain mean; the two
    are equal if every factor's importances have the same sum. Without any importance, returns 0.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    return _weighted_mean(completeness_per_factor(matrix), matrix.sum(axis=0))


def importance_scores(
    matrix: Array, names: Iterable[str], constant_codes: Iterable[int]
) -> tuple[dict[str, float], dict[str, Any]]:
    """Scores a matrix of importances `(d, f)`, without the rows of constant codes.

    Constant codes have a `per_code` of 0 and do not count towards the number of codes, the base of
    completeness: appending some changes nothing. Returns scores and details by name.
    """
    constant_codes = list(constant_codes)
    varying = np.delete(matrix, constant_codes, axis=0)
    scores = {
        "disentanglement": disentanglement_of(varying),
        "completeness": completeness_of(varying),
    }
    details = {
        "importance_matrix": matrix.tolist(),
        "per_code": disentanglement_per_code(matrix).tolist(),
        "per_factor": per_factor(names, completeness_per_factor(varying)),
        "constant_codes": constant_codes,
    }
    return scores, details


def _weighted_mean(values: Array, weights: Array) -> float:
    total = weights.sum()
    return float(np.sum(values * weights) / total) if total > 0 else 0.0


def gap_of_best_two(scores: Array) -> Array:
    """Returns each column's largest score minus the second largest, or minus 0 with one row."""
    padded = np.concatenate([scores, np.zeros((1, scores.shape[1]))])
    ranked = np.sort(padded, axis=0)
    return ranked[-1] - ranked[-2]


def pairwise_entanglement(importance_matrix: Array) -> Array:
    """How entangled each pair of factors is in codes (Träuble et al. 2021), from importances.

    Codes and factors are the nodes of a graph, each importance the weight of an edge. A threshold
    removes all edges below it; the entanglement of two factors is the highest threshold at which
    they are still connected, be it through other codes and factors. Near 0: the codes keep the two
    factors apart. With importances that sum to 1 for each factor, as in `dci`, two factors
    that share a single code have 1, and two that are mixed evenly in two codes 1/2.

    The paper compares the pair that is correlated in the training data with the median of all
    others. `keras_devae.metrics.dci` has these numbers in its details.

    Args:
        importance_matrix: `(d, f)`, not negative: how important each code is for each factor.

    Returns:
        float64 `(f, f)`, symmetric; on the diagonal a factor's largest importance.

    Raises:
        UsageError: If the matrix is empty, has other than two axes, or a number in it is negative
            or not finite.

    Example:
        >>> kd.metrics.pairwise_entanglement([[0.9, 0.4], [0.1, 0.6]]).tolist()
        [[0.9, 0.4], [0.4, 0.6]]
    """
    matrix = check_codes(importance_matrix, "importance_matrix").astype(np.float64)
    if matrix.min() < 0:
        raise UsageError(
            "`importance_matrix` must hold importances, which are at least 0. Received: "
            f"{matrix.min():g}."
        )
    # The widest path between two nodes is the one whose narrowest edge is widest.
    widest = np.minimum(matrix[:, :, None], matrix[:, None, :]).max(axis=0)
    for factor in range(matrix.shape[1]):
        through = np.minimum(widest[:, [factor]], widest[[factor], :])
        widest = np.maximum(widest, through)
    return widest
