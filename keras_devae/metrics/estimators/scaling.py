"""Scales codes of any magnitude so that squares, sums and float32 can hold them."""

from __future__ import annotations

import numpy as np

from keras_devae.checks import Array

# Predictors that square codes, or hold them in float32, need columns below this power of two.
LARGE_EXPONENT = 100
# No training code is this many deviations from the mean; beyond it, predictors overflow.
FARTHEST = 1e6


def column_exponents(codes: Array) -> Array:
    """Returns each column's least e such that all |values| are below 2^e, int64 `(d,)`.

    It is 0 for a column of zeros.
    """
    largest = np.abs(np.asarray(codes, dtype=np.float64)).max(axis=0)
    return np.frexp(largest)[1].astype(np.int64)


def unit_scaled(codes: Array) -> tuple[Array, Array]:
    """Divides each column by the power of two that brings its largest value close to 1.

    Returns float64 codes `(n, d)` within `[-1, 1]` and the exponents `(d,)`. The division is exact,
    except for values so far below the largest that any sum with it would lose them. Use it only for
    results that do not depend on the scale of a column.
    """
    exponents = column_exponents(codes)
    return np.ldexp(np.asarray(codes, dtype=np.float64), -exponents), exponents


def standard_deviations(codes: Array) -> tuple[Array, Array]:
    """Returns the standard deviation of each of codes `(n, d)`, with n - 1, in two parts `(d,)`.

    The parts are the deviations of the codes divided by powers of two, 0 for a constant code, and
    the exponents of those powers.
    """
    scaled, exponents = unit_scaled(codes)
    # A constant would deviate from its own mean where the mean is rounded.
    varies = np.any(scaled != scaled[0], axis=0)
    return np.where(varies, scaled.std(axis=0, ddof=1), 0.0), exponents


def scaled_down(codes: Array) -> Array:
    """Divides columns with values beyond 2^100 by a power of two that brings them close to 1."""
    exponents = column_exponents(codes)
    too_large = np.where(exponents > LARGE_EXPONENT, exponents, 0)
    return np.ldexp(np.asarray(codes, dtype=np.float64), -too_large)


def standardized(codes: Array, rows: int | None = None) -> Array:
    """Shifts and scales each finite code to mean 0 and deviation 1 (`ddof` 0) over the first rows.

    `None` means all rows. Codes of any size are exact up to rounding: each is first divided by a
    power of two. The result is float64 `(n, d)`. A code that is constant over those rows becomes 0
    everywhere, and values are clipped to +-10^6 deviations, which only other rows can exceed.
    """
    codes = np.asarray(codes, dtype=np.float64)
    varies = np.any(codes[:rows] != codes[0], axis=0)
    scaled, _ = unit_scaled(codes)
    scaled -= scaled[:rows].mean(axis=0)
    # Scale twice: otherwise the squares of a code with a small spread would underflow to 0.
    spread = np.abs(scaled[:rows]).max(axis=0)
    used = varies & (spread > 0)
    limits = np.where(used, spread, 1.0) * FARTHEST
    scaled = np.clip(scaled, -limits, limits) / np.where(used, spread, 1.0)
    deviations = np.where(used, scaled[:rows].std(axis=0), 1.0)
    return np.where(used, np.clip(scaled / deviations, -FARTHEST, FARTHEST), 0.0)
