"""What can be told from the factor values that are stored with images."""

import math

import numpy as np

from keras_devae.data.factor_grid import FactorGrid


def ranks(values: np.ndarray) -> np.ndarray:
    """Numbers the distinct values of each column 0, 1, 2 ... in ascending order.

    Args:
        values: Array of shape `(n, f)`.

    Returns:
        int64 array of shape `(n, f)`.
    """
    columns = [np.unique(column, return_inverse=True)[1] for column in values.T]
    return np.stack(columns, axis=1).astype(np.int64, copy=False)


def distinct_counts(factors: np.ndarray) -> tuple[int, ...]:
    """Number of distinct values in each column of `(n, f)` factors."""
    return tuple(len(np.unique(column)) for column in factors.T)


def complete_grid(factors: np.ndarray, names: tuple[str, ...]) -> FactorGrid | None:
    """Returns the grid whose C order the rows of `(n, f)` factors follow, or `None`."""
    sizes = distinct_counts(factors)
    # Not by the length of the grid, which may be beyond what `len` can return.
    if math.prod(sizes) != len(factors):
        return None
    grid = FactorGrid(names, sizes)
    return grid if np.array_equal(grid.factors(np.arange(len(grid))), factors) else None
