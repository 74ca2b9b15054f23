"""Variants that choose which factors vary, and which are known."""

from collections.abc import Sequence

import numpy as np

from keras_devae.checks import Array, check_dataset
from keras_devae.data.dataset import Dataset
from keras_devae.data.factor_grid import FactorGrid
from keras_devae.data.variants.arguments import checked_list, column_of, labels_in_words, value_of
from keras_devae.data.variants.rows import SelectedDataset
from keras_devae.errors import UsageError


def select_factors(dataset: Dataset, factors: Sequence[str]) -> Dataset:
    """Keeps the rows in which only some factors vary, and shows only these factors.

    Args:
        dataset: Data set with factors.
        factors: Names of the factors that vary, and texts `"name=value"` for factors held at a
            value: a whole number, or a label, as in `"shape=heart"`. All other factors are held in
            the middle, at `size // 2` of their values; if no factor is named without a value, all
            others vary. The order does not matter.

    Returns:
        A `Dataset` with the varying factors, in the order of `dataset`. It has a grid if `dataset`
        has one.

    Raises:
        UsageError: If there are no factors, one is unknown or named twice, a value is out of range,
            no row has all the values, or no factor would vary.

    Example:
        >>> data = kd.data.load("dsprites", source="rendered")
        >>> select_factors(data, ["position_x", "shape=heart"]).grid
        FactorGrid(names=('position_x',), sizes=(32,))
    """
    check_dataset(dataset)
    varying, held = _named_factors(dataset, factors)
    names = dataset.factor_names or ()
    columns = [column for column, name in enumerate(names) if name in varying]
    middle = {name: _middle_of(dataset, name) for name in names if name not in {*varying, *held}}
    held = {**middle, **held}
    rows, grid = _rows_with(dataset, columns, held)
    shown = [names[column] for column in columns]
    entry = {"name": "select-factors", "varying": shown, "held": held}
    fixed = ", ".join(f"{name}={value}" for name, value in held.items())
    remark = f"varying {', '.join(shown)}" + (f" with {fixed}" if fixed else "")
    return SelectedDataset(dataset, rows, entry, remark, columns, grid)


def _rows_with(
    dataset: Dataset, columns: Sequence[int], held: dict[str, int]
) -> tuple[Array, FactorGrid | None]:
    """Returns the rows with the held values, and the grid of the other factors, if there is one."""
    grid = dataset.grid
    if grid is None:
        factors = dataset.factors(np.arange(len(dataset)))
        known = [column_of(dataset, name) for name in held]
        rows = np.flatnonzero((factors[:, known] == list(held.values())).all(axis=1))
        if not len(rows):
            fixed = ", ".join(f"{name}={value}" for name, value in held.items())
            raise UsageError(
                f"No image of {dataset.description} has {fixed}; hold other values, or let more "
                "factors vary."
            )
        return rows, None
    smaller = FactorGrid(
        tuple(grid.names[column] for column in columns),
        tuple(grid.sizes[column] for column in columns),
    )
    values = np.empty((len(smaller), len(grid.names)), np.int64)
    values[:] = [held.get(name, 0) for name in grid.names]
    values[:, columns] = smaller.factors(np.arange(len(smaller)))
    return grid.indices(values), smaller


def _values_of(dataset: Dataset, name: str) -> Array:
    """Returns the different values of a factor in ascending order."""
    column = column_of(dataset, name)
    if dataset.grid is not None:
        return np.arange(dataset.grid.sizes[column])
    return np.unique(dataset.factors(np.arange(len(dataset)))[:, column])


def _middle_of(dataset: Dataset, name: str) -> int:
    values = _values_of(dataset, name)
    return int(values[len(values) // 2])


def hidden(dataset: Dataset, factors: Sequence[str]) -> Dataset:
    """Hides factors: they vary in the images, but no metric sees them.

    disentanglement_lib (Locatello et al., 2019) does this with the instance factor of SmallNORB.

    Args:
        dataset: Data set with factors.
        factors: Names of the factors to hide; at least one must remain.

    Returns:
        A `Dataset` with the same images and the other factors. It has no grid.

    Raises:
        UsageError: If there are no factors, a name is unknown, or none or all would be hidden.
    """
    check_dataset(dataset)
    names = checked_list(factors, "factors")
    hidden_columns = {column_of(dataset, name) for name in names}
    known = dataset.factor_names or ()
    columns = [column for column in range(len(known)) if column not in hidden_columns]
    if not columns:
        raise UsageError(
            f"At least one factor must remain. Received: {names}, which are all of them."
        )
    return SelectedDataset(
        dataset,
        np.arange(len(dataset)),
        {"name": "hidden", "factors": [known[column] for column in sorted(hidden_columns)]},
        f"hidden {', '.join(names)}",
        columns,
    )


def _named_factors(dataset: Dataset, factors: Sequence[str]) -> tuple[set[str], dict[str, int]]:
    """Splits the argument of `select_factors` into varying names and held values."""
    varying: set[str] = set()
    held: dict[str, int] = {}
    for text in map(str, checked_list(factors, "factors")):
        name, equals, value = (part.strip() for part in text.partition("="))
        column_of(dataset, name)
        if name in varying or name in held:
            raise UsageError(f"Each factor can be named once. Received: {name!r} twice.")
        if equals:
            held[name] = _held_value(dataset, name, value)
        else:
            varying.add(name)
    varying = varying or set(dataset.factor_names or ()) - set(held)
    if not varying:
        raise UsageError(
            f"At least one factor must vary. Received: {list(factors)}; give the name of one "
            "without a value."
        )
    return varying, held


def _held_value(dataset: Dataset, name: str, text: str) -> int:
    number, values = value_of(dataset, name, text), _values_of(dataset, name)
    if number is None or number not in values:
        raise UsageError(
            f"Factor {name!r} can be held at a value from {values[0]} to {values[-1]}"
            f"{labels_in_words(dataset, name)}. Received: {f'{name}={text}'!r}."
        )
    return number
