"""From real-valued codes to the discrete ones that information is counted on."""

import numpy as np

from keras_devae.errors import UsageError, unknown_name
from keras_devae.metrics.inputs import check_bins, check_codes


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
    bins = check_bins(bins)
    codes = check_codes(codes).astype(np.float64)
    columns = [_histogram_discretize_column(column, bins) for column in codes.T]
    return np.stack(columns, axis=1)


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
    codes = check_codes(codes)
    if codes.dtype.kind == "f":
        raise UsageError(
            "The discretizer 'identity' is for integer codes. Received: codes of a floating dtype; "
            "use discretizer='histogram', or pass integers."
        )
    return codes.astype(np.int64)


DISCRETIZERS = {"histogram": histogram_discretize, "identity": identity_discretize}


def discretize(codes: np.ndarray, bins: int = 20, discretizer: str = "histogram") -> np.ndarray:
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
    if discretizer not in DISCRETIZERS:
        raise unknown_name("discretizer", discretizer, DISCRETIZERS)
    return DISCRETIZERS[discretizer](codes, bins)


def _histogram_discretize_column(column, bins):
    low, high = column.min(), column.max()
    if low == high:
        return np.full(len(column), bins // 2 + 1)
    if max(-low, high) > np.finfo(np.float64).max / 4:
        # Dividing by a power of two moves no value across an edge, and the range cannot overflow.
        column, low, high = column / 4, low / 4, high / 4
    # numpy.histogram has these edges but refuses a range of only a few representable numbers.
    edges = np.linspace(low, high, bins + 1)
    return np.digitize(column, edges[:-1])
