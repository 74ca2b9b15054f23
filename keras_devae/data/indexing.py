"""Conversion and checks of row numbers and other arrays from the caller."""

import numpy as np
from numpy.typing import ArrayLike

from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.metrics.arrays import is_masked


def as_array(values: ArrayLike, what: str) -> Array:
    """Returns values as an array, or raises a `UsageError` that calls them `what`."""
    if is_masked(values):
        raise UsageError(
            f"{what} must have a value everywhere. Received: masked values; leave those rows out, "
            "or fill them."
        )
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{what} must be one array, rows all of one shape: {error}.") from None


def integer_array(values: ArrayLike, what: str) -> Array:
    """Returns `values`, called `what` in errors (`"Indices"`), as int64; refuses all but integers.

    An empty array may have any dtype. Boolean masks are refused; they would mean rows 0 and 1.
    """
    try:
        array = np.asarray(values)
    except ValueError:
        raise UsageError(f"{what} must be one array, rows all of one length.") from None
    if array.size == 0:
        return array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise UsageError(f"{what} must be integers. Received: dtype {array.dtype}.")
    return array.astype(np.int64, copy=False)


def row_numbers(indices: ArrayLike, length: int) -> Array:
    """Returns indices `(n,)` (negative ones count from the end) as int64 in `[0, length)`."""
    rows = integer_array(indices, "Indices")
    if rows.ndim != 1:
        raise UsageError(f"Indices must have shape (n,). Received: shape {rows.shape}.")
    outside = (rows < -length) | (rows >= length)
    if outside.any():
        raise UsageError(
            f"Index {rows[outside][0]} is out of range: there are {length:,} rows, "
            f"so indices go from {-length} to {length - 1}."
        )
    return np.where(rows < 0, rows + length, rows)
