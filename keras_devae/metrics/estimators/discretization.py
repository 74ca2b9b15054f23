"""Discretises real-valued codes, so that information can be counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_devae.checks import Array, one_of
from keras_devae.errors import UsageError
from keras_devae.metrics.arguments import check_bins
from keras_devae.metrics.arrays import check_codes
from keras_devae.metrics.metric_warnings import caution, named

# Codes are transposed in blocks of this size, small enough to use each cache line completely.
ROWS, COLUMNS = 128, 64
#: A histogram is uninformative if more than this share of a code's points are in one bin.
CROWDED = 0.95
# Columns beyond these powers of two are rescaled, so that ranges and bin widths fit in float64.
SMALLEST, LARGEST = -900, 1000


def histogram_discretize(codes: Array, bins: int = 20) -> Array:
    """Numbers the equal-width bins that codes fall in, over each dimension's own range.

    The discretiser of disentanglement_lib (Locatello et al. 2019): the edges of `numpy.histogram`
    from the smallest to the largest value; a value on an inner edge belongs to the bin above, the
    largest value to the last bin. All of a constant dimension is in the middle bin.

    A single outlier can use up nearly all of the range. A `MetricWarning` names the codes that
    have more than 95 % of their points in one bin, unless nearly all of those are equal.

    Args:
        codes: `(n, d)` real or integer codes.
        bins: Number of bins per dimension, 2 to 10,000; published results use 20.

    Returns:
        Int64 array `(n, d)` of bin numbers, 1 to `bins`.

    Raises:
        UsageError: If the codes are not a finite matrix or `bins` is out of range.
    """
    return discretize(codes, bins, "histogram")


def quantile_discretize(codes: Array, bins: int = 20) -> Array:
    """Numbers bins with equally many codes, separately for each dimension.

    Bins depend on a code's rank among the n codes, so outliers do no harm. Equal values share the
    bin of their middle rank. A dimension with at most `bins` different values has one bin for each
    value. Arguments, result and errors are as for `histogram_discretize`.
    """
    return discretize(codes, bins, "quantile")


def identity_discretize(codes: Array, bins: int | None = None) -> Array:
    """Returns integer codes `(n, d)` unchanged, as int64: every integer is its own bin.

    Real codes raise a `UsageError`: every sample would have its own bin, and a good code would
    score near 0.
    """
    del bins
    return discretize(codes, None, "identity")


def equal_width_bins(column: Array, bins: int) -> Array:
    """Returns the bins, int64 `(n,)` from 1, of finite float64 values, see `histogram_discretize`.

    It warns of nothing.
    """
    return _histogram_discretize_column(column, bins, np.empty((2, len(column))))


#: Name -> function of codes that returns numbers of bins.
DISCRETIZERS = {
    "histogram": histogram_discretize,
    "quantile": quantile_discretize,
    "identity": identity_discretize,
}


def discretize(codes: Array, bins: int | None = 20, discretizer: str = "histogram") -> Array:
    """Discretises codes by the named method: int64 `(n, d)`."""
    return np.stack(list(discretized_columns(codes, bins, discretizer)), axis=1)


def discretized_columns(
    codes: Array, bins: int | None = 20, discretizer: str = "histogram"
) -> Iterator[Array]:
    """Discretises codes dimension by dimension, int64 `(n,)` each, without copying all of them.

    `"identity"` ignores `bins` and refuses codes of a floating dtype.
    """
    one_of("discretizer", discretizer, DISCRETIZERS)
    codes = check_codes(codes)
    if discretizer == "histogram":
        return _histogram_columns(codes, check_bins(bins))
    if discretizer == "quantile":
        count = check_bins(bins)
        columns = _contiguous_columns(codes, np.float64)
        return (_quantile_discretize_column(column, count) for column in columns)
    if codes.dtype.kind == "f":
        raise UsageError(
            "The discretizer 'identity' is for integer codes. Received: codes of a floating dtype; "
            "use discretizer='histogram', or pass integers."
        )
    return _contiguous_columns(codes, np.int64)


def binning_settings(bins: int, discretizer: str) -> dict[str, Any]:
    """Returns the binning settings for a result; `bins` is `None` for `"identity"`."""
    return {"bins": None if discretizer == "identity" else int(bins), "discretizer": discretizer}


def _histogram_columns(codes: Array, bins: int) -> Iterator[Array]:
    # Reusing memory is cheaper than allocating it again for each column.
    work = np.empty((2, len(codes)))
    crowded = []
    for code, column in enumerate(_contiguous_columns(codes, np.float64)):
        numbers = _histogram_discretize_column(column, bins, work)
        if _is_crowded(column, numbers):
            crowded.append(code)
        yield numbers
    if crowded:
        noun, verb = ("Code", "has") if len(crowded) == 1 else ("Codes", "have")
        caution(
            f"{noun} {named(crowded)} {verb} more than {100 * CROWDED:g} % of the points in one "
            f"of {bins} bins of equal width, or in two neighbours, so that information may not be "
            "counted: look for outliers, or use discretizer='quantile'."
        )


def _is_crowded(column: Array, numbers: Array) -> bool:
    """Returns whether two bins hold nearly all points of a code, and those have several values.

    Two, because an edge may split the points that outliers press together.
    """
    counts, allowed = np.bincount(numbers), (1 - CROWDED) * len(column)
    pairs = np.append(counts, 0)[1:] + counts
    first = pairs.argmax()
    if len(column) - pairs[first] >= allowed:
        return False
    # A code with few values, such as class numbers, is counted well in any case.
    _, equal = np.unique(column[(numbers == first) | (numbers == first + 1)], return_counts=True)
    return pairs[first] - np.sort(equal)[-2:].sum() > allowed


def _quantile_discretize_column(column: Array, bins: int) -> Array:
    values, labels, counts = np.unique(column, return_inverse=True, return_counts=True)
    if len(values) > bins:
        # Doubled middle ranks of equal values, so that they are whole numbers.
        middles = 2 * np.cumsum(counts) - counts
        labels = (middles * bins // (2 * len(column)))[labels]
    return labels + 1


def _contiguous_columns(codes: Array, dtype: type) -> Iterator[Array]:
    count, width = codes.shape
    for left in range(0, width, COLUMNS):
        block = np.empty((min(COLUMNS, width - left), count), dtype)
        for top in range(0, count, ROWS):
            block[:, top : top + ROWS] = codes[top : top + ROWS, left : left + COLUMNS].T
        yield from block


def _histogram_discretize_column(column: Array, bins: int, work: Array) -> Array:
    low, high = column.min(), column.max()
    if low == high:
        return np.full(len(column), bins // 2 + 1)
    exponent = int(np.frexp(max(-low, high))[1])
    if not SMALLEST <= exponent <= LARGEST:
        # Scaling by a power of two moves no value across an edge.
        column, low, high = (np.ldexp(part, -exponent) for part in (column, low, high))
    # As in numpy.histogram, which however refuses a range of only a few representable numbers.
    edges = np.linspace(low, high, bins + 1)
    step = (high - low) / bins
    place, edge = work
    np.subtract(column, low, out=place)
    place /= step
    numbers = place.astype(np.int64)
    numbers += 1
    np.minimum(numbers, bins, out=numbers)
    # Division is exact except next to an inner edge; those values are compared with the edge.
    np.rint(place, out=edge)
    place -= edge
    doubtful = 16 * np.finfo(np.float64).eps * (max(abs(low), abs(high)) / step + bins)
    near = np.abs(place, out=place) <= doubtful
    near &= (edge > 0) & (edge < bins)
    if near.any():
        numbers[near] = np.digitize(column[near], edges[:-1])
    return numbers
