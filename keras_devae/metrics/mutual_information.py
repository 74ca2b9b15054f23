"""Entropy and mutual information of discrete variables, counted in float64, in nats."""

import numpy as np

from keras_devae.metrics.discretization import discretize
from keras_devae.metrics.inputs import check_codes, check_factors, check_same_length


def entropy(values: np.ndarray) -> np.ndarray:
    """Entropy of each column's empirical distribution.

    Args:
        values: `(n, k)` whole numbers, e.g. factors or discretised codes.

    Returns:
        Float64 array `(k,)`, in nats; 0 for a constant column, never below.

    Raises:
        UsageError: If the values are not a matrix of whole numbers.
    """
    return np.array([_entropy(np.bincount(labels)) for labels in _labels(check_factors(values))])


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
    code_labels = _labels(discretize(codes, bins, discretizer))
    factor_labels = _labels(factors)
    return np.array(
        [[_mutual_information(code, factor) for factor in factor_labels] for code in code_labels]
    )


def _labels(values):
    """Numbers each column's distinct values from 0 without holes."""
    return [np.unique(column, return_inverse=True)[1] for column in values.T]


def _entropy(counts):
    probabilities = counts / counts.sum()
    return max(0.0, -np.sum(probabilities * np.log(probabilities)))


def _mutual_information(first, second):
    width = second.max() + 1
    pairs = np.bincount(first * width + second, minlength=(first.max() + 1) * width)
    joint = pairs.reshape(-1, width) / len(first)
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    seen = joint > 0
    return max(0.0, np.sum(joint[seen] * np.log(joint[seen] / independent[seen])))
