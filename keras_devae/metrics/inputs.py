"""Checks every metric makes of its arrays before it computes anything."""

import operator
from collections.abc import Iterable

import numpy as np

from keras_devae.errors import UsageError


class MetricWarning(UserWarning):
    """A metric could be computed, but on less than it was given: a constant factor, a dead code."""


def check_codes(codes: np.ndarray, name: str = "codes") -> np.ndarray:
    """Checks a matrix of representations.

    Args:
        codes: `(n, d)`, floating or integer.
        name: What the array is called in the error.

    Returns:
        The array `(n, d)`: integers as they are, anything else as float64.

    Raises:
        UsageError: If it is not a non-empty numeric matrix, or has a NaN or an infinity.
    """
    codes = _check_matrix(codes, name)
    if codes.dtype.kind in "biu":
        return codes
    codes = codes.astype(np.float64)
    bad = np.argwhere(~np.isfinite(codes))
    if len(bad):
        row, column = bad[0]
        raise UsageError(
            f"`{name}` must be finite. Received: {codes[row, column]} at row {row}, column "
            f"{column} ({len(np.unique(bad[:, 0]))} rows affected); check the encoder for NaN "
            "weights or unscaled images."
        )
    return codes


def check_factors(factors: np.ndarray, name: str = "factors") -> np.ndarray:
    """Checks a matrix of ground-truth factors.

    Args:
        factors: `(n, f)` factor values: integers, booleans, or floats that are whole numbers.
        name: What the array is called in the error.

    Returns:
        Int64 array `(n, f)`.

    Raises:
        UsageError: If it is not a non-empty matrix of whole numbers.
    """
    factors = _check_matrix(factors, name)
    if factors.dtype.kind == "f":
        fractional = np.argwhere(~(np.isfinite(factors) & (factors == np.floor(factors))))
        if len(fractional):
            row, column = fractional[0]
            raise UsageError(
                f"`{name}` must be whole numbers, the index of each factor's value. Received: "
                f"{factors[row, column]} at row {row}, column {column}; number the values first, "
                "e.g. with `np.unique(column, return_inverse=True)`."
            )
    return factors.astype(np.int64)


def check_same_length(codes: np.ndarray, factors: np.ndarray) -> None:
    """Raises a `UsageError` unless both arrays have a row for each of the same samples."""
    if len(codes) != len(factors):
        raise UsageError(
            "Codes and factors must have one row for each sample. Received: "
            f"{len(codes)} rows of codes and {len(factors)} rows of factors."
        )


def check_factor_names(factor_names: Iterable[str] | None, count: int) -> tuple[str, ...]:
    """Checks the names of factors, or makes them.

    Args:
        factor_names: A name for each factor, or `None` for `factor_0`, `factor_1`, ...
        count: Number of factors.

    Returns:
        The names.

    Raises:
        UsageError: If there is another number of names, a repeated one, or one called `"score"`,
            which is the key of a metric's total.
    """
    if factor_names is None:
        return tuple(f"factor_{index}" for index in range(count))
    names = tuple(str(name) for name in factor_names)
    if len(names) != count or len(set(names)) != count or "score" in names:
        raise UsageError(
            f"`factor_names` must be {count} different names, one for each factor, none of them "
            f"'score'. Received: {list(names)}."
        )
    return names


def check_bins(bins: int) -> int:
    """Checks a number of bins: an integer of at least 2, else a `UsageError`."""
    try:
        count = operator.index(bins)
    except TypeError:
        count = 0
    if count < 2:
        raise UsageError(f"`bins` must be an integer of at least 2. Received: {bins!r}.")
    return count


def _check_matrix(values, name):
    values = np.asarray(values)
    if values.ndim != 2 or not values.size or values.dtype.kind not in "biuf":
        raise UsageError(
            f"`{name}` must be a numeric array with one row a sample and one column a variable, "
            f"neither of them empty. Received: shape {values.shape}, dtype {values.dtype}."
        )
    return values
