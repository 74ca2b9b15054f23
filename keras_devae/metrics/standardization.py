"""Codes with mean 0 and deviation 1, whatever their scale."""

import numpy as np

from keras_devae.metrics.scaling import unit_scaled

# No code that fits a predictor is this many deviations out; beyond, predictors overflow.
FARTHEST = 1e6


def standardized(codes: np.ndarray, rows: int | None = None) -> np.ndarray:
    """Shifts and scales each code to mean 0 and deviation 1 over the first rows.

    Codes of any finite size are exact to rounding: each is first divided by a power of two.

    Args:
        codes: `(n, d)` finite codes.
        rows: Number of rows, from the first, whose means and deviations (with `ddof` 0) are used;
            `None` for all.

    Returns:
        Float64 array `(n, d)`. A code that is constant over those rows is 0 everywhere, and values
        are limited to 10^6 deviations either way, which only rows outside them can be away.
    """
    codes = np.asarray(codes, dtype=np.float64)
    varies = np.any(codes[:rows] != codes[0], axis=0)
    scaled, _ = unit_scaled(codes)
    scaled -= scaled[:rows].mean(axis=0)
    # Dividing twice: the squares of a code with a small spread would be 0.
    spread = np.abs(scaled[:rows]).max(axis=0)
    used = varies & (spread > 0)
    limits = np.where(used, spread, 1.0) * FARTHEST
    scaled = np.clip(scaled, -limits, limits) / np.where(used, spread, 1.0)
    deviations = np.where(used, scaled[:rows].std(axis=0), 1.0)
    return np.where(used, np.clip(scaled / deviations, -FARTHEST, FARTHEST), 0.0)
