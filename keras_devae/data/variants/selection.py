"""Variants that choose rows or factors and leave the pixels alone."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from keras_devae.checks import at_least, flag
from keras_devae.data.dataset import Dataset
from keras_devae.data.factor_grid import FactorGrid
from keras_devae.data.variants.arguments import (
    checked_combinations,
    checked_dataset,
    checked_list,
    checked_pairs,
)
from keras_devae.data.variants.drawing import (
    CORRELATED,
    SUBSET,
    checked_seed,
    drawn_rows,
    shuffled_rows,
)
from keras_devae.errors import UsageError, unknown_name

#: More rows than that would not even have room for their numbers.
_MOST_ROWS = 10**9


class SelectedDataset(Dataset):
    """Rows of another data set, in ascending order, with all or some of its factors.

    Args:
        base: Data set that the images come from.
        rows: int64 array of shape `(n,)` with row numbers of `base`; repeats allowed.
        entry: What was selected, with its `name`, as values JSON can hold; added to the list
            `variants` of the provenance.
        remark: The same for a reader, added to the description.
        columns: Positions of the factors that are shown. Default: all.
        grid: Grid of the shown factors that the rows follow. Default: that of `base` where
            all rows are there once and all factors are shown, and `None` otherwise.
    """

    def __init__(
        self,
        base: Dataset,
        rows: np.ndarray,
        entry: dict,
        remark: str,
        columns: Sequence[int] | None = None,
        grid: FactorGrid | None = None,
    ):
        if grid is None and columns is None and np.array_equal(rows, np.arange(len(base))):
            grid = base.grid
        super().__init__(
            name=base.name,
            length=len(rows),
            image_shape=base.image_shape,
            provenance=extended_provenance(base, entry),
            origin=base._origin,
            remark=extended_remark(base, remark),
            grid=grid,
            factor_names=_shown(base.factor_names, columns),
            factor_sizes=_shown(base.factor_sizes, columns),
            is_binary=base.is_binary,
            # As many of the chosen rows as lie among neighbours of the base, on average.
            chunk_rows=max(1, base.chunk_rows * len(rows) // len(base)),
        )
        self._base = base
        self._rows = rows
        self._columns = slice(None) if columns is None else list(columns)

    def _read_images(self, rows: np.ndarray) -> np.ndarray:
        return self._base.images(self._rows[rows])

    def _read_factors(self, rows: np.ndarray) -> np.ndarray:
        return self._base.factors(self._rows[rows])[:, self._columns]


def correlated(
    dataset: Dataset,
    pairs: Sequence[tuple[str, str, float]],
    seed: int = 0,
    length: int | None = None,
) -> Dataset:
    """Draws rows so that pairs of factors are correlated.

    Follows Träuble et al. (2021), "On Disentangled Representations Learned from Correlated
    Data": a row has the weight `exp(-(a - alpha b)^2 / (2 sigma^2))`, with `alpha` the ratio of
    the largest value of `a` to that of `b`, so that the ridge is the diagonal of the two
    factors. Here, as in the code of Roth et al. (2023), each factor is first mapped to [0, 1]
    (smallest value 0, largest 1), which makes `alpha` 1 and lets `sigma` mean the same whatever
    the numbers of values. With several pairs the weights multiply. All other factors stay
    uniform and independent.

    Of the expected number of times that it is drawn, each row is there the next smaller or the
    next larger whole number of times. So the rows are closer to the weights than independent
    draws would be, and unlike there, the same rows come in each epoch.

    Args:
        dataset: Data set with factors.
        pairs: Tuples `(factor, other factor, sigma)`, at least one. The paper uses `sigma` of
            0.2, 0.4 and 0.7; the smaller, the stronger the correlation, which is positive.
        seed: Seed of the draw. Default: 0.
        length: Number of rows to draw. Default: as many as `dataset` has.

    Returns:
        A `Dataset` of `length` rows, in the order of `dataset`, rows that were drawn several
        times next to each other. It has no grid.

    Raises:
        UsageError: If a factor is unknown, or a number is out of its range.

    Example:
        >>> data = kd.data.load("shapes3d", source="rendered")
        >>> data = correlated(data, [("floor_hue", "wall_hue", 0.2)], length=1000)
        >>> len(data)
        1000
    """
    checked_dataset(dataset)
    pairs = checked_pairs(pairs)
    length = len(dataset) if length is None else at_least("length", length, 1)
    if length > _MOST_ROWS:
        raise UsageError(f"`length` must be at most {_MOST_ROWS:,}. Received: {length}.")
    logarithms = np.zeros(len(dataset))
    factors = dataset.factors(np.arange(len(dataset)))
    for first, second, sigma in pairs:
        difference = _scaled(factors[:, _column(dataset, first)])
        difference -= _scaled(factors[:, _column(dataset, second)])
        # Below that, squares overflow; there is only the diagonal left long before.
        logarithms -= (difference / max(sigma, 1e-100)) ** 2 / 2
    # The largest weight is 1, so that a tiny sigma cannot make all of them vanish.
    rows = drawn_rows(
        np.exp(logarithms - logarithms.max()), length, (checked_seed(seed), CORRELATED)
    )
    entry = {"name": "correlated", "pairs": [list(pair) for pair in pairs]}
    shown = ", ".join(f"{first} with {second} ({sigma:g})" for first, second, sigma in pairs)
    return SelectedDataset(
        dataset,
        rows,
        {**entry, "seed": int(seed), "length": int(length)},
        f"correlated: {shown}",
    )


def held_out(
    dataset: Dataset, combinations: Sequence[Mapping], complement: bool = False
) -> Dataset:
    """Leaves out combinations of factor values, to see if a model generalises to them.

    Args:
        dataset: Data set with factors.
        combinations: Dictionaries of factor to value or list of values, at least one of them. A
            row is held out if for any of the dictionaries it has one of the values of each of
            its factors, e.g. `[{"shape": 2, "scale": [4, 5]}]`.
        complement: Whether just those rows are kept instead. Default: `False`.

    Returns:
        A `Dataset` with the rows in the order of `dataset`. It has no grid.

    Raises:
        UsageError: If a factor is unknown, a value does not occur, or no row would be left out
            or none would be left.
    """
    checked_dataset(dataset)
    flag("complement", complement)
    combinations = checked_combinations(combinations)
    factors = dataset.factors(np.arange(len(dataset)))
    matching = np.zeros(len(dataset), bool)
    for combination in combinations:
        matching |= _matching(dataset, factors, combination)
    if matching.all() or not matching.any():
        raise UsageError(
            f"The combinations must match some rows and not all. Received: {combinations}, which "
            f"match {int(matching.sum()):,} of {len(dataset):,}; give other combinations."
        )
    name = "held-out-only" if complement else "held-out"
    return SelectedDataset(
        dataset,
        np.flatnonzero(matching == complement),
        {"name": name, "combinations": combinations},
        f"{'only' if complement else 'without'} {_shown_combinations(combinations)}",
    )


def subset(dataset: Dataset, count: int, seed: int = 0) -> Dataset:
    """Keeps a fixed random choice of rows.

    Args:
        dataset: Any data set.
        count: Number of different rows to keep, at most `len(dataset)`.
        seed: Seed of the choice. Default: 0.

    Returns:
        A `Dataset` with the rows in the order of `dataset`. It has a grid only if that has one
        and all rows are kept.

    Raises:
        UsageError: If `count` is not in 1 to `len(dataset)`.
    """
    checked_dataset(dataset)
    at_least("count", count, 1)
    if count > len(dataset):
        raise UsageError(
            f"A subset of {len(dataset):,} images has at most as many. Received: count={count}."
        )
    rows = np.sort(shuffled_rows(len(dataset), (checked_seed(seed), SUBSET))[:count])
    entry = {"name": "subset", "count": int(count), "seed": int(seed)}
    return SelectedDataset(dataset, rows, entry, f"random {count:,} of {len(dataset):,}")


def select_factors(dataset: Dataset, factors: Sequence[str]) -> Dataset:
    """Keeps the rows in which only some factors vary, and shows only these factors.

    Args:
        dataset: Data set with a grid.
        factors: Names of the factors that go on varying, and texts `"name=value"` for factors
            held at a value. Factors that are not named are held in the middle, at
            `size // 2`. The order does not matter.

    Returns:
        A `Dataset` whose grid has the varying factors, in the order of `dataset`.

    Raises:
        UsageError: If there is no grid, a factor is unknown or named twice, a value is out of
            range, or none would vary.

    Example:
        >>> data = kd.data.load("dsprites", source="rendered")
        >>> select_factors(data, ["position_x", "shape=2"]).grid
        FactorGrid(names=('position_x',), sizes=(32,))
    """
    grid = checked_dataset(dataset).grid
    if grid is None:
        raise UsageError(
            "Factors can be selected only where the rows enumerate a grid of factors. Received: "
            f"{dataset.description}; select them before other variants."
        )
    varying, held = _named_factors(dataset, factors)
    columns = [column for column, name in enumerate(grid.names) if name in varying]
    middle = {
        name: size // 2
        for name, size in zip(grid.names, grid.sizes, strict=True)
        if name not in varying
    }
    held = {**middle, **held}
    smaller = FactorGrid(
        tuple(grid.names[column] for column in columns),
        tuple(grid.sizes[column] for column in columns),
    )
    values = np.empty((len(smaller), len(grid.names)), np.int64)
    values[:] = [held.get(name, 0) for name in grid.names]
    values[:, columns] = smaller.factors(np.arange(len(smaller)))
    entry = {"name": "select-factors", "varying": list(smaller.names), "held": held}
    fixed = ", ".join(f"{name}={value}" for name, value in held.items())
    remark = f"varying {', '.join(smaller.names)}" + (f" with {fixed}" if fixed else "")
    return SelectedDataset(dataset, grid.indices(values), entry, remark, columns, smaller)


def hidden(dataset: Dataset, factors: Sequence[str]) -> Dataset:
    """Hides factors: they vary in the images, but no metric sees them.

    So does disentanglement_lib (Locatello et al., 2019) with the instance in SmallNORB.

    Args:
        dataset: Data set with factors.
        factors: Names of the factors to hide; at least one must remain.

    Returns:
        A `Dataset` with the same images and the other factors. It has no grid.

    Raises:
        UsageError: If there are no factors, a name is unknown, or none or all would be hidden.
    """
    checked_dataset(dataset)
    names = checked_list(factors, "factors")
    hidden_columns = {_column(dataset, name) for name in names}
    columns = [
        column for column in range(len(dataset.factor_names)) if column not in hidden_columns
    ]
    if not columns:
        raise UsageError(
            f"At least one factor must remain. Received: {names}, which are all of them."
        )
    return SelectedDataset(
        dataset,
        np.arange(len(dataset)),
        {"name": "hidden", "factors": [dataset.factor_names[i] for i in sorted(hidden_columns)]},
        f"hidden {', '.join(names)}",
        columns,
    )


def extended_provenance(base: Dataset, entry: dict) -> dict:
    """Returns the provenance of `base` with one more variant."""
    return {**base.provenance, "variants": [*base.provenance.get("variants", []), entry]}


def extended_remark(base: Dataset, remark: str) -> str:
    """Returns the remark of `base` with one more."""
    return f"{base._remark}; {remark}" if base._remark else remark


def _shown(values: tuple | None, columns: Sequence[int] | None) -> tuple | None:
    if values is None or columns is None:
        return values
    return tuple(values[column] for column in columns)


def _shown_combinations(combinations: list[dict]) -> str:
    return " or ".join(
        " and ".join(f"{name}={'+'.join(map(str, values))}" for name, values in each.items())
        for each in combinations
    )


def _column(dataset: Dataset, name: str) -> int:
    if dataset.factor_names is None:
        raise UsageError(
            f"Data set {dataset.name!r} has no factors, so {name!r} is none of them; choose "
            "variants that need images alone."
        )
    if name not in dataset.factor_names:
        raise unknown_name("factor", name, dataset.factor_names)
    return dataset.factor_names.index(name)


def _scaled(values: np.ndarray) -> np.ndarray:
    """Maps values linearly to [0, 1]; those of a factor that is constant to 0."""
    smallest, largest = values.min(), values.max()
    return (values - smallest) / max(1, largest - smallest)


def _matching(dataset: Dataset, factors: np.ndarray, combination: dict) -> np.ndarray:
    """Returns for each row whether it has one of the values of each factor."""
    matching = np.ones(len(factors), bool)
    for name, values in combination.items():
        column = factors[:, _column(dataset, name)]
        for value in values:
            if value not in column:
                raise UsageError(
                    f"Factor {name!r} has values from {column.min()} to {column.max()}, and "
                    f"not the one to hold out. Received: {value}."
                )
        matching &= np.isin(column, values)
    return matching


def _named_factors(dataset: Dataset, factors: Sequence[str]) -> tuple[set[str], dict[str, int]]:
    """Splits `select_factors`' argument into the names that vary and the values that are held."""
    varying, held = set(), {}
    for text in map(str, checked_list(factors, "factors")):
        name, equals, value = (part.strip() for part in text.partition("="))
        size = dataset.factor_sizes[_column(dataset, name)]
        if name in varying or name in held:
            raise UsageError(f"Each factor can be named once. Received: {name!r} twice.")
        if not equals:
            varying.add(name)
        elif re.fullmatch(r"\d+", value, re.ASCII) and int(value) < size:
            held[name] = int(value)
        else:
            raise UsageError(
                f"Factor {name!r} can be held at a value from 0 to {size - 1}. Received: {text!r}."
            )
    if not varying:
        raise UsageError(
            f"At least one factor must vary. Received: {list(factors)}; give the name of one "
            "without a value."
        )
    return varying, held
