"""Reads arrays for all metrics: exactly, or refuses them with a one-sentence error."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_devae.checks import Array
from keras_devae.errors import UsageError

#: Whole numbers up to this size are exact in float64, the dtype of all computations.
EXACT = 2**53
_INT64 = np.iinfo(np.int64)
_FORM = "a numeric array with one row per sample and one column per variable, not empty"
# Errors from NumPy for objects without readable numbers: ragged lists raise a ValueError, and
# other libraries' symbolic tensors, or tensors that need a gradient, raise the others.
_UNREADABLE = (TypeError, ValueError, RuntimeError, OverflowError)


def numeric_array(values: object, name: str, form: str = _FORM, axes: int | None = 2) -> Array:
    """Reads an array of real numbers: boolean, integer or floating, in the machine's byte order.

    It must have `axes` axes and not be empty; `None` allows any number of axes, and empty arrays.
    Anything else (masked, ragged, sparse, complex, objects or strings) raises a `UsageError`, which
    calls it `name` and states the `form` that it must have.
    """
    if is_masked(values):
        raise UsageError(
            f"`{name}` must have a value everywhere. Received: masked values, which would count "
            "like any other; leave those rows out, or fill them."
        )
    try:
        array = np.asarray(values)
    except _UNREADABLE as error:
        raise UsageError(
            f"`{name}` must be {form}. Received: {_unreadable(values, error)}"
        ) from None
    if (
        array.dtype.kind not in "biuf"
        or axes not in (None, array.ndim)
        or (axes and not array.size)
    ):
        raise UsageError(f"`{name}` must be {form}. Received: {_described(values, array, axes)}.")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def check_codes(codes: Array, name: str = "codes") -> Array:
    """Checks a matrix of representations `(n, d)`: integers stay, anything else becomes float64.

    Raises a `UsageError` if they are not a non-empty numeric matrix, or have a NaN, an infinity or
    a value that float64 cannot represent exactly.
    """
    codes = check_finite(codes, name)
    return codes if codes.dtype.kind in "biu" else codes.astype(np.float64, copy=False)


def check_finite(codes: Array, name: str = "codes") -> Array:
    """Checks a matrix of representations, see `check_codes`, and keeps its floating dtype."""
    codes = numeric_array(codes, name)
    if codes.dtype.kind == "f":
        if not np.isfinite([codes.min(), codes.max()]).all():
            bad = np.argwhere(~np.isfinite(codes))
            row, column = bad[0]
            raise UsageError(
                f"`{name}` must be finite. Received: {codes[row, column]} at row {row}, column "
                f"{column} ({len(np.unique(bad[:, 0]))} rows affected); check the encoder for NaN "
                "weights or unscaled images."
            )
        return _at_most_float64(codes, name)
    if codes.dtype.itemsize == 8 and (codes.max() > EXACT or codes.min() < -EXACT):
        raise UsageError(
            f"`{name}` must be exact in float64, which whole numbers are up to 2^53 in size. "
            f"Received: values from {codes.min()} to {codes.max()}; subtract an offset, or number "
            "them from 0."
        )
    return codes


def check_factors(factors: Array, name: str = "factors") -> Array:
    """Checks a matrix of ground-truth factors `(n, f)` and returns it as int64.

    They may be integers, booleans, or floats that are whole numbers, small enough for their dtype
    to distinguish neighbours (below 2^53 in float64, 2^24 in float32, 2^11 in float16).
    """
    factors = numeric_array(factors, name)
    if factors.dtype.kind == "f":
        _refuse_at(
            ~(np.isfinite(factors) & (factors == np.floor(factors))),
            factors,
            f"`{name}` must be whole numbers, the index of each factor's value",
            "name a continuous factor in `continuous`, which `score_codes` and some metrics take, "
            "or put its values into bins first, e.g. with `keras_devae.data.binned(column, 20)`",
        )
        digits = min(np.finfo(factors.dtype).nmant + 1, 63)
        _refuse_at(
            np.abs(factors) >= factors.dtype.type(2) ** digits,
            factors,
            f"`{name}` must be below 2^{digits} in {factors.dtype}, where whole numbers stop being "
            "told apart",
            "number the values from 0 in an integer dtype",
        )
    elif factors.dtype == np.uint64:
        _refuse_at(
            factors > np.uint64(_INT64.max),
            factors,
            f"`{name}` must be within int64, up to {_INT64.max}",
            "number the values from 0",
        )
    return factors.astype(np.int64, copy=False)


def value_counts(column: Array) -> Array:
    """Returns the number of rows with each value of a column of whole numbers, `(values,)`."""
    low, high = int(column.min()), int(column.max())
    if high - low < 4 * len(column):
        counts = np.bincount(column - low)
        return counts[counts > 0]
    return np.unique(column, return_counts=True)[1]


def is_masked(values: Any, depth: int = 2) -> bool:
    """Returns whether an array, or one in a list of lists, masks some of its values."""
    if isinstance(values, np.ma.MaskedArray):
        return bool(np.ma.getmaskarray(values).any())
    nested = isinstance(values, (list, tuple)) and depth > 0
    return nested and any(is_masked(value, depth - 1) for value in values)


def _at_most_float64(codes: Array, name: str) -> Array:
    if codes.dtype.itemsize <= 8:
        return codes
    with np.errstate(over="ignore", under="ignore"):
        rounded = codes.astype(np.float64)
    if not np.array_equal(rounded, codes):
        raise UsageError(
            f"`{name}` must be exact in float64, which everything is computed in. Received: dtype "
            f"{codes.dtype}, with digits beyond it; round them with `.astype(np.float64)`."
        )
    return rounded


def _refuse_at(wrong: Array, factors: Array, must: str, remedy: str) -> None:
    """Raises a `UsageError` that names the first value that is wrong."""
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise UsageError(
            f"{must}. Received: {factors[row, column]} at row {row}, column {column}; {remedy}."
        )


def _unreadable(values: object, error: Exception) -> str:
    """Describes an object that NumPy could not read, as the end of a sentence."""
    if isinstance(values, (list, tuple)):
        lengths = sorted({len(row) for row in values if hasattr(row, "__len__")})
        if len(lengths) > 1:
            return f"rows of different lengths, from {lengths[0]} to {lengths[-1]} values."
    reason = " ".join(str(error).split())[:200]
    return f"a value of type {type(values).__name__} that is no array ({reason})."


def _described(values: object, array: Array, axes: int | None) -> str:
    """Describes a wrong array, with the remedy if there is one."""
    if hasattr(values, "toarray"):
        return f"a sparse {type(values).__name__}; pass its `.toarray()`"
    if array.ndim == 0:
        return f"a value of type {type(values).__name__}"
    found = f"shape {array.shape}, dtype {array.dtype}"
    if array.dtype.kind == "O":
        return f"{found}; convert it to numbers first, e.g. with `.astype(np.float64)`"
    if array.dtype.kind not in "biuf":
        return f"{found}, which is not a dtype of real numbers; convert it first"
    if array.ndim == 1 and axes == 2 and array.size:
        return f"{found}; a single column is `array[:, None]`"
    return found
