"""The grid of factor values that the rows of a synthetic data set enumerate."""

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike

from keras_devae.checks import Array, shown, texts
from keras_devae.data.indexing import integer_array, row_numbers
from keras_devae.errors import UsageError


@dataclasses.dataclass(frozen=True)
class FactorGrid:
    """All combinations of a few discrete factors, numbered in C order (the last factor fastest).

    Row numbers and factor values determine each other: the map is one-to-one. Grids
    are immutable, hashable and equal when their names and sizes are.

    Args:
        names: Distinct names of the factors.
        sizes: Number of values of each factor, at least 1.

    Raises:
        UsageError: If names repeat, a size is not a positive integer, or the lengths differ.

    Example:
        >>> grid = FactorGrid(("shape", "scale"), (3, 6))
        >>> len(grid)
        18
        >>> grid.factors([7, -1])
        array([[1, 1],
               [2, 5]])
        >>> grid.indices([[1, 1]])
        array([7])
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        names = texts("names", self.names)
        array = integer_array(self.sizes, "Factor sizes")
        if array.ndim != 1:
            raise UsageError(f"Factor sizes must be a list. Received: {shown(self.sizes)}.")
        sizes = tuple(array.tolist())
        if not names or len(names) != len(sizes):
            raise UsageError(
                "A factor grid needs one size for each name and at least one of them. "
                f"Received: names={names}, sizes={sizes}."
            )
        if len(set(names)) < len(names):
            raise UsageError(f"Factor names must be distinct. Received: {names}.")
        if min(sizes) < 1:
            raise UsageError(f"Every factor must have at least one value. Received: sizes={sizes}.")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "sizes", sizes)

    def __len__(self) -> int:
        return math.prod(self.sizes)

    def factors(self, indices: ArrayLike) -> Array:
        """Returns the factor values of rows.

        Args:
            indices: Integers of shape `(n,)`, in any order; negative ones count from the end.

        Returns:
            int64 array of shape `(n, number of factors)`; column `j` lies in `[0, sizes[j])`.

        Raises:
            UsageError: If an index is out of range or not an integer.
        """
        rows = row_numbers(indices, len(self))
        return np.stack(np.unravel_index(rows, self.sizes), axis=-1).astype(np.int64, copy=False)

    def indices(self, factors: ArrayLike) -> Array:
        """Returns the rows that hold given factor values: the inverse of `factors`.

        Args:
            factors: Integers of shape `(n, number of factors)`, each in `[0, size)`.

        Returns:
            int64 array of shape `(n,)`.

        Raises:
            UsageError: If the shape is wrong or a value is out of range or not an integer.
        """
        values = integer_array(factors, "Factor values")
        if values.size == 0:
            return np.zeros(0, np.int64)
        if values.ndim != 2 or values.shape[1] != len(self.sizes):
            raise UsageError(
                f"Factor values must have shape (n, {len(self.sizes)}), one column for each of "
                f"{', '.join(self.names)}. Received: shape {values.shape}."
            )
        self._check_range(values)
        return np.ravel_multi_index(tuple(values.T), self.sizes).astype(np.int64, copy=False)

    def _check_range(self, values: Array) -> None:
        outside = (values < 0) | (values >= np.array(self.sizes))
        if outside.any():
            row, column = np.argwhere(outside)[0]
            raise UsageError(
                f"Factor {self.names[column]!r} takes the values 0 to {self.sizes[column] - 1}. "
                f"Received: {values[row, column]}."
            )


def ranks(values: Array) -> Array:
    """Numbers the distinct values of each column of `(n, f)` values 0, 1, 2 ... in order."""
    columns = [np.unique(column, return_inverse=True)[1] for column in values.T]
    return np.stack(columns, axis=1).astype(np.int64, copy=False)


def distinct_counts(factors: Array) -> tuple[int, ...]:
    """Returns the number of distinct values in each column of `(n, f)` factors."""
    return tuple(len(np.unique(column)) for column in factors.T)


def complete_grid(factors: Array, names: tuple[str, ...]) -> FactorGrid | None:
    """Returns the grid whose C order the rows of `(n, f)` factors follow, or `None`."""
    sizes = distinct_counts(factors)
    # The length of the grid may be more than `len` can return.
    if math.prod(sizes) != len(factors):
        return None
    grid = FactorGrid(names, sizes)
    return grid if np.array_equal(grid.factors(np.arange(len(grid))), factors) else None
