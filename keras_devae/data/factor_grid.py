"""The grid of factor values that the rows of a synthetic data set enumerate."""

import dataclasses
import math

import numpy as np

from keras_devae.checks import shown, texts
from keras_devae.data.indexing import integer_array, row_numbers
from keras_devae.errors import UsageError


@dataclasses.dataclass(frozen=True)
class FactorGrid:
    """All combinations of a few discrete factors, numbered in C order (the last factor fastest).

    The map between a row number and its factor values is one-to-one in both directions. Grids
    are immutable, hashable and equal when their names and sizes are.

    Args:
        names: Name of each factor; distinct.
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

    def __post_init__(self):
        names = texts("names", self.names)
        sizes = integer_array(self.sizes, "Factor sizes")
        if sizes.ndim != 1:
            raise UsageError(f"Factor sizes must be a list. Received: {shown(self.sizes)}.")
        sizes = tuple(sizes.tolist())
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

    def factors(self, indices) -> np.ndarray:
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

    def indices(self, factors) -> np.ndarray:
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

    def _check_range(self, values: np.ndarray) -> None:
        outside = (values < 0) | (values >= np.array(self.sizes))
        if outside.any():
            row, column = np.argwhere(outside)[0]
            raise UsageError(
                f"Factor {self.names[column]!r} takes the values 0 to {self.sizes[column] - 1}. "
                f"Received: {values[row, column]}."
            )
