"""Variants that choose which factors vary, and which are known."""

import re
from collections.abc import Sequence

import numpy as np

from keras_devae.checks import check_dataset
from keras_devae.data.dataset import Dataset
from keras_devae.data.factor_grid import FactorGrid
from keras_devae.data.variants.arguments import checked_list, column_of
from keras_devae.data.variants.rows import SelectedDataset
from keras_devae.errors import UsageError


def select_factors(dataset: Dataset, factors: Sequence[str]) -> Dataset:
    """Keeps the rows in which only some factors vary, and shows only these factors.

    Args:
        dataset: Data set with a grid.
        factors: Names of the factors that vary, and texts `"name=value"` for factors held at a
            value. All other factors are held in the middle, at `size // 2`. The order does not
            matter.

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
    check_dataset(dataset)
    grid = dataset.grid
    if grid is None:
        raise UsageError(
            "Factors can be selected only where the rows enumerate a grid of factors. Received: "
            f"{dataset.description}; select them before other variants."
        )
    varying, held = _named_factors(dataset, grid, factors)
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


def _named_factors(
    dataset: Dataset, grid: FactorGrid, factors: Sequence[str]
) -> tuple[set[str], dict[str, int]]:
    """Splits the argument of `select_factors` into varying names and held values."""
    varying: set[str] = set()
    held: dict[str, int] = {}
    for text in map(str, checked_list(factors, "factors")):
        name, equals, value = (part.strip() for part in text.partition("="))
        size = grid.sizes[column_of(dataset, name)]
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
