"""From real-valued codes to the discrete ones that information is counted on."""

from collections.abc import Iterator

import numpy as np

from keras_devae.errors import UsageError, unknown_name
from keras_devae.metrics.inputs import check_bins, check_codes

# Codes are transposed in blocks of this size: within it, memory that is read once is used whole.
ROWS, COLUMNS = 128, 64


def histogram_discretize(codes: np.ndarray, bins: int = 20) -> np.ndarray:
    """Numbers the equal-width bins that codes fall in, for each dimension over its own range.

    The discretiser of disentanglement_lib (Locatello et al. 2019): the edges of `numpy.histogram`
    from the smallest to the largest value, a value on an inner edge in the bin above, the largest
    value in the last bin. A constant dimension is all in one bin, the middle one.

    Args:
        codes: `(n, d)` real or integer codes.
        bins: Number of bins a dimension, at least 2; the field's results are with 20.

    Returns:
        Int64 array `(n, d)` of bin numbers, 1 to `bins`.

    Raises:
        UsageError: If the codes are not a finite matrix or `bins` is below 2.
    """
    return discretize(codes, bins, "histogram")


def identity_discretize(codes: np.ndarray, bins: int | None = None) -> np.ndarray:
    """Returns codes that are discrete already as they are.

    Args:
        codes: `(n, d)` integer codes.
        bins: Not used: every integer is its own bin.

    Returns:
        Int64 array `(n, d)`.

    Raises:
        UsageError: If the codes are not of an integer type. With real codes every sample would be
            a bin of its own, and a good code would score near 0.
    """
    del bins
    return discretize(codes, None, "identity")


DISCRETIZERS = {"histogram": histogram_discretize, "identity": identity_discretize}


def discretize(
    codes: np.ndarray, bins: int | None = 20, discretizer: str = "histogram"
) -> np.ndarray:
    """Discretises codes by the named method.

    Args:
        codes: `(n, d)` codes.
        bins: Number of bins of the histogram.
        discretizer: `"histogram"` (default) or `"identity"`.

    Returns:
        Int64 array `(n, d)`.

    Raises:
        UsageError: If the method is unknown or the codes do not suit it.
    """
    return np.stack(list(discretized_columns(codes, bins, discretizer)), axis=1)


def discretized_columns(
    codes: np.ndarray, bins: int | None = 20, discretizer: str = "histogram"
) -> Iterator[np.ndarray]:
    """Discretises codes one dimension after the other, without a copy of all of them.

    Args:
        codes: `(n, d)` codes.
        bins: Number of bins of the histogram.
        discretizer: `"histogram"` (default) or `"identity"`.

    Returns:
        Iterator over d int64 arrays `(n,)`.

    Raises:
        UsageError: If the method is unknown or the codes do not suit it.
    """
    if discretizer not in DISCRETIZERS:
        raise unknown_name("discretizer", discretizer, DISCRETIZERS)
    codes = check_codes(codes)
    if discretizer == "histogram":
        bins = check_bins(bins)
        columns = _contiguous_columns(codes, np.float64)
        # Memory that is used again costs less than memory that is asked for anew each time.
        work = np.empty((2, len(codes)))
        return (_histogram_discretize_column(column, bins, work) for column in columns)
    if codes.dtype.kind == "f":
        raise UsageError(
            "The discretizer 'identity' is for integer codes. Received: codes of a floating dtype; "
            "use discretizer='histogram', or pass integers."
        )
    return _contiguous_columns(codes, np.int64)


def _contiguous_columns(codes, dtype):
    count, width = codes.shape
    for left in range(0, width, COLUMNS):
        block = np.empty((min(COLUMNS, width - left), count), dtype)
        for top in range(0, count, ROWS):
            block[:, top : top + ROWS] = codes[top : top + ROWS, left : left + COLUMNS].T
        yield from block


def _histogram_discretize_column(column, bins, work):
    low, high = column.min(), column.max()
    if low == high:
        return np.full(len(column), bins // 2 + 1)
    if max(-low, high) > np.finfo(np.float64).max / 4:
        # Dividing by a power of two moves no value across an edge, and the range cannot overflow.
        column, low, high = column / 4, low / 4, high / 4
    # numpy.histogram has these edges but refuses a range of only a few representable numbers.
    edges = np.linspace(low, high, bins + 1)
    step = (high - low) / bins
    place, edge = work
    np.subtract(column, low, out=place)
    place /= step
    numbers = place.astype(np.int64)
    numbers += 1
    np.minimum(numbers, bins, out=numbers)
    # The division places all but the values next to an inner edge; those are compared with it.
    np.rint(place, out=edge)
    place -= edge
    doubtful = 16 * np.finfo(np.float64).eps * (max(abs(low), abs(high)) / step + bins)
    near = np.abs(place, out=place) <= doubtful
    near &= (edge > 0) & (edge < bins)
    if near.any():
        numbers[near] = np.digitize(column[near], edges[:-1])
    return numbers
