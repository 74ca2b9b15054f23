"""Factors that are measured quantities: their values, and the bins of metrics that count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np

from keras_devae.checks import Array, listed, one_of, shown
from keras_devae.errors import UsageError
from keras_devae.metrics.arguments import check_factor_names, is_whole
from keras_devae.metrics.arrays import check_codes, check_factors, numeric_array
from keras_devae.metrics.estimators.discretization import equal_width_bins

#: Names or column numbers of continuous factors, whose columns of `factors` then hold what was
#: measured; or, by name, what was measured, where those columns already hold bins.
Continuous: TypeAlias = Iterable[str | int] | Mapping[str, Array]
#: Bins of a continuous factor, of equal width, for the metrics that count.
BINS = 20
_COLUMN = "a numeric array with one measured value per sample, not empty"


class Factors(NamedTuple):
    """Checked factors: int64 `(n, f)`, the bins of the continuous ones among them, and names.

    `measured` has the float64 values `(n,)` of the continuous ones by name.
    """

    binned: Array
    names: tuple[str, ...]
    measured: dict[str, Array]


def read_factors(
    factors: Array, factor_names: Iterable[str] | None, continuous: Continuous
) -> Factors:
    """Checks factors, their names, and which of them are continuous.

    Raises a `UsageError` if a factor that is not continuous has values that are no whole numbers,
    or if a continuous one is unknown or has a value that is not finite.
    """
    if isinstance(continuous, Mapping):
        binned = check_factors(factors)
        names = check_factor_names(factor_names, binned.shape[1])
        measured = {
            one_of("continuous factor", name, names): _measured(name, values, len(binned))
            for name, values in continuous.items()
        }
        return Factors(binned, names, measured)
    values = numeric_array(factors, "factors")
    names = check_factor_names(factor_names, values.shape[1])
    columns = _columns(continuous, names)
    measured = {names[i]: _measured(names[i], values[:, i], len(values)) for i in columns}
    others = values
    if columns:
        others = values.copy()
        others[:, columns] = 0
    binned = check_factors(others)
    for i in columns:
        binned[:, i] = equal_width_bins(measured[names[i]], BINS)
    return Factors(binned, names, measured)


def _measured(name: str, values: Array, count: int) -> Array:
    label = f"continuous[{name!r}]"
    values = numeric_array(values, label, _COLUMN, axes=1)
    if len(values) != count:
        raise UsageError(
            f"`{label}` must have a value for each of the {count:,} rows of factors. Received: "
            f"{len(values):,}."
        )
    return check_codes(values[:, None], label)[:, 0].astype(np.float64)


def _columns(continuous: Iterable[str | int], names: tuple[str, ...]) -> list[int]:
    """Returns the numbers of the columns that are named, or numbered, as continuous."""
    continuous = [continuous] if isinstance(continuous, str) else continuous
    columns = []
    for one in listed("continuous", continuous, "names or column numbers of factors"):
        if is_whole(one):
            if not 0 <= one < len(names):
                raise UsageError(
                    f"`continuous` must have column numbers from 0 to {len(names) - 1}. Received: "
                    f"{shown(one)}."
                )
            columns.append(int(one))
        else:
            columns.append(names.index(one_of("continuous factor", one, names)))
    return sorted(set(columns))
