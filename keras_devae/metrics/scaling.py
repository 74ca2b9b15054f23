"""Brings codes of any magnitude to one that squares, sums and float32 can hold, exactly."""

import numpy as np

# Predictors that square codes, or hold them in float32, take columns below this power of two.
LARGE_EXPONENT = 100


def column_exponents(codes: np.ndarray) -> np.ndarray:
    """Returns, for each column, the least e with every absolute value below 2^e.

    Args:
        codes: `(n, d)` finite codes.

    Returns:
        Int64 array `(d,)`; 0 for a column of zeros.
    """
    largest = np.abs(np.asarray(codes, dtype=np.float64)).max(axis=0)
    return np.frexp(largest)[1].astype(np.int64)


def unit_scaled(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divides each column by the power of two that brings its largest value next to 1.

    The division is exact, except for values so far below the largest that they are lost in any sum
    with it. What is computed of the result must not depend on the scale of a column.

    Args:
        codes: `(n, d)` finite codes.

    Returns:
        The scaled codes, float64 `(n, d)` within `[-1, 1]`, and the exponents of two `(d,)` that
        they were divided by.
    """
    exponents = column_exponents(codes)
    return np.ldexp(np.asarray(codes, dtype=np.float64), -exponents), exponents


def scaled_down(codes: np.ndarray) -> np.ndarray:
    """Divides columns with values beyond 2^100 by the power of two that brings them next to 1.

    Args:
        codes: `(n, d)` finite codes.

    Returns:
        Float64 array `(n, d)`; columns of a usual size as they are.
    """
    exponents = column_exponents(codes)
    too_large = np.where(exponents > LARGE_EXPONENT, exponents, 0)
    return np.ldexp(np.asarray(codes, dtype=np.float64), -too_large)
