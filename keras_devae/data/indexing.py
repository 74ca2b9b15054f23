"""The one reading of "indices" that the whole data package shares."""

import numpy as np

from keras_devae.errors import UsageError


def integer_array(values, what: str) -> np.ndarray:
    """Returns `values` as an int64 array, refusing anything that is not made of integers.

    Args:
        values: Array-like of integers of any shape. An empty one is accepted whatever its dtype.
        what: What the values stand for, in the plural, for the error, e.g. `"Indices"`.

    Returns:
        Array of int64.

    Raises:
        UsageError: If the values are not integers. Boolean masks are refused as well, because
            they would silently be read as rows 0 and 1.
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


def row_numbers(indices, length: int) -> np.ndarray:
    """Resolves indices as NumPy does: any order, repeats, negative ones counted from the end.

    Args:
        indices: Integers of shape `(n,)`; may be empty.
        length: Number of rows.

    Returns:
        int64 array of shape `(n,)` with values in `[0, length)`.

    Raises:
        UsageError: If `indices` is not one-dimensional, not integer, or out of range.
    """
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
