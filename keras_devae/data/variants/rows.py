"""Variants that choose rows of a data set and leave the pixels alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_devae.checks import Array, at_least, check_dataset, flag
from keras_devae.data.dataset import Dataset, VariantDataset
from keras_devae.data.factor_grid import FactorGrid
from keras_devae.data.variants.arguments import (
    checked_combinations,
    checked_pairs,
    column_of,
    labels_in_words,
    value_of,
)
from keras_devae.data.variants.random_numbers import (
    CORRELATED,
    SUBSET,
    checked_seed,
    drawn_rows,
    shuffled_rows,
)
from keras_devae.errors import UsageError

#: The row numbers alone of a longer data set would not fit into memory.
_MOST_ROWS = 10**9


class SelectedDataset(VariantDataset):
    """Rows of another data set, in ascending order, with all or some of its factors.

    Args:
        base: Data set that the images come from.
        rows: int64 array of shape `(n,)` with row numbers of `base`; repeats allowed.
        entry: JSON-serialisable description of the selection, with a `name`; added to the list
            `variants` of the provenance.
        remark: The same in words, added to the description.
        columns: Positions of the factors that are shown. Default: all.
        grid: Grid of the shown factors that the rows follow. Default: the grid of `base` if each
            row occurs once and all factors are shown, and `None` otherwise.

    Example:
        >>> data = kd.data.load("dsprites", source="rendered")
        >>> data = kd.data.variants.subset(data, 1000)
        >>> isinstance(data, kd.data.variants.SelectedDataset), len(data)
        (True, 1000)
    """

    def __init__(
        self,
        base: Dataset,
        rows: Array,
        entry: dict[str, Any],
        remark: str,
        columns: Sequence[int] | None = None,
        grid: FactorGrid | None = None,
    ):
        if grid is None and columns is None and np.array_equal(rows, np.arange(len(base))):
            grid = base.grid
        names, sizes = base.factor_names, base.factor_sizes
        if columns is not None and names is not None and sizes is not None:
            names = tuple(names[column] for column in columns)
            sizes = tuple(sizes[column] for column in columns)
        super().__init__(
            base,
            entry,
            remark,
            length=len(rows),
            grid=grid,
            factor_names=names,
            factor_sizes=sizes,
            # The average number of chosen rows among neighbouring rows of the base.
            chunk_rows=max(1, base.chunk_rows * len(rows) // len(base)),
            sequences=None if base.sequences is None else base.sequences[rows],
        )
        self._rows = rows
        self._columns = slice(None) if columns is None else list(columns)

    def _read_images(self, rows: Array) -> Array:
        return self._base.images(self._rows[rows])

    def _read_factors(self, rows: Array) -> Array:
        return self._base.factors(self._rows[rows])[:, self._columns]

    def _read_factor_values(self, rows: Array) -> Array:
        return self._base.factor_values(self._rows[rows])[:, self._columns]


def correlated(
    dataset: Dataset,
    pairs: Sequence[tuple[str, str, float]],
    seed: int = 0,
    length: int | None = None,
) -> Dataset:
    """Draws rows so that pairs of factors are correlated.

    Follows Träuble et al. (2021), "On Disentangled Representations Learned from Correlated Data": a
    row has the weight `exp(-(a - alpha b)^2 / (2 sigma^2))`, with `alpha` the ratio of the largest
    value of `a` to the largest of `b`, so that the ridge is the diagonal of the two factors. Here,
    as in the code of Roth et al. (2023), each factor is first mapped to [0, 1] (smallest value 0,
    largest 1), which makes `alpha` 1 and gives `sigma` the same meaning for any number of values.
    With several pairs the weights multiply. All other factors stay uniform and independent.

    Each row occurs its expected number of times, rounded down or up. So the rows follow the weights
    more closely than independent draws would; unlike those, they are the same in each epoch.

    Args:
        dataset: Data set with factors.
        pairs: Tuples `(factor, other factor, sigma)`, at least one. The paper uses `sigma` of
            0.2, 0.4 and 0.7; the smaller, the stronger the correlation, which is positive.
        seed: Seed of the draw. Default: 0.
        length: Number of rows to draw. Default: as many as `dataset` has.

    Returns:
        A `Dataset` of `length` rows in the order of `dataset`, repeated rows next to each other. It
        has no grid.

    Raises:
        UsageError: If a factor is unknown, or a number is out of range.

    Example:
        >>> data = kd.data.load("shapes3d", source="rendered")
        >>> data = correlated(data, [("floor_hue", "wall_hue", 0.2)], length=1000)
        >>> len(data)
        1000
    """
    check_dataset(dataset)
    named = checked_pairs(pairs)
    length = len(dataset) if length is None else at_least("length", length, 1)
    if length > _MOST_ROWS:
        raise UsageError(f"`length` must be at most {_MOST_ROWS:,}. Received: {length}.")
    logarithms = np.zeros(len(dataset))
    factors = dataset.factors(np.arange(len(dataset)))
    for first, second, sigma in named:
        difference = _scaled(factors[:, column_of(dataset, first)])
        difference -= _scaled(factors[:, column_of(dataset, second)])
        # Smaller sigmas overflow when squared; only the diagonal is left long before.
        logarithms -= (difference / max(sigma, 1e-100)) ** 2 / 2
    # The largest weight is 1, so that a tiny sigma cannot make all of them vanish.
    rows = drawn_rows(
        np.exp(logarithms - logarithms.max()), length, (checked_seed(seed), CORRELATED)
    )
    entry = {"name": "correlated", "pairs": [list(pair) for pair in named]}
    shown = ", ".join(f"{first} with {second} ({sigma:g})" for first, second, sigma in named)
    return SelectedDataset(
        dataset, rows, {**entry, "seed": int(seed), "length": int(length)}, f"correlated: {shown}"
    )


def held_out(
    dataset: Dataset, combinations: Sequence[Mapping[str, Any]], complement: bool = False
) -> Dataset:
    """Leaves out combinations of factor values, to see if a model generalises to them.

    Args:
        dataset: Data set with factors.
        combinations: At least one dictionary from factors to a value or a list of values. A row
            is held out if it matches any of them, i.e. has one of the given values of each of
            its factors, e.g. `[{"shape": 2, "scale": [4, 5]}]`; a value is a number or a label,
            `[{"shape": "heart"}]`.
        complement: Whether to keep only those rows instead. Default: `False`.

    Returns:
        A `Dataset` with the rows in the order of `dataset`. It has no grid.

    Raises:
        UsageError: If a factor is unknown, a value does not occur, or no row would be left out
            or none would be left.
    """
    check_dataset(dataset)
    flag("complement", complement)
    checked = _with_numbers(dataset, checked_combinations(combinations))
    factors = dataset.factors(np.arange(len(dataset)))
    matching = np.zeros(len(dataset), bool)
    for combination in checked:
        matching |= _matching(dataset, factors, combination)
    if matching.all() or not matching.any():
        raise UsageError(
            "The combinations must match some rows but not all. Received: "
            f"{_shown_combinations(checked)}, which match {int(matching.sum()):,} of "
            f"{len(dataset):,}; give other combinations."
        )
    name = "held-out-only" if complement else "held-out"
    return SelectedDataset(
        dataset,
        np.flatnonzero(matching == complement),
        {"name": name, "combinations": checked},
        f"{'only' if complement else 'without'} {_shown_combinations(checked)}",
    )


def subset(dataset: Dataset, count: int, seed: int = 0) -> Dataset:
    """Keeps a fixed random choice of rows.

    Args:
        dataset: Any data set.
        count: Number of different rows to keep, at most `len(dataset)`.
        seed: Seed of the choice. Default: 0.

    Returns:
        A `Dataset` with the rows in the order of `dataset`. It has a grid only if `dataset` has one
        and all rows are kept.

    Raises:
        UsageError: If `count` is not in 1 to `len(dataset)`.
    """
    check_dataset(dataset)
    at_least("count", count, 1)
    if count > len(dataset):
        raise UsageError(
            f"A subset of {len(dataset):,} images cannot be larger. Received: count={count}."
        )
    rows = np.sort(shuffled_rows(len(dataset), (checked_seed(seed), SUBSET))[:count])
    entry = {"name": "subset", "count": int(count), "seed": int(seed)}
    return SelectedDataset(dataset, rows, entry, f"random {count:,} of {len(dataset):,}")


def _shown_combinations(combinations: list[dict[str, list[int]]]) -> str:
    return " or ".join(
        " and ".join(f"{name}={_shown_values(values)}" for name, values in each.items())
        for each in combinations
    )


def _shown_values(values: list[int]) -> str:
    """Writes values as `--variant` takes them, three or more in a row as a range."""
    if len(values) > 2 and values == list(range(values[0], values[-1] + 1)):
        return f"{values[0]}..{values[-1]}"
    return "+".join(map(str, values))


def _scaled(values: Array) -> Array:
    """Maps values linearly to [0, 1]; a constant factor is mapped to 0."""
    smallest, largest = values.min(), values.max()
    return (values - smallest) / max(1, largest - smallest)


def _with_numbers(
    dataset: Dataset, combinations: list[dict[str, list[int | str]]]
) -> list[dict[str, list[int]]]:
    """Replaces the labels in combinations by the numbers they stand for."""
    return [
        {name: [_number_of(dataset, name, value) for value in values] for name, values in c.items()}
        for c in combinations
    ]


def _number_of(dataset: Dataset, name: str, value: int | str) -> int:
    column_of(dataset, name)
    number = value_of(dataset, name, value) if isinstance(value, str) else value
    if number is None:
        raise UsageError(
            f"Factor {name!r} is held out at whole numbers{labels_in_words(dataset, name)}. "
            f"Received: {value!r}."
        )
    return number


def _matching(dataset: Dataset, factors: Array, combination: dict[str, list[int]]) -> Array:
    """Returns for each row whether it has one of the values of each factor."""
    matching = np.ones(len(factors), bool)
    for name, values in combination.items():
        column = factors[:, column_of(dataset, name)]
        for value in values:
            if value not in column:
                raise UsageError(
                    f"Factor {name!r} has values from {column.min()} to {column.max()}, but "
                    f"not the one to hold out. Received: {value}."
                )
        matching &= np.isin(column, values)
    return matching
