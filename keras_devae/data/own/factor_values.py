"""Converts a user's factors to named integers; continuous ones are put into bins."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from keras_devae.checks import Array, check_printable, shown, texts
from keras_devae.data.indexing import as_array
from keras_devae.errors import UsageError

#: Types of arguments: number of bins by name of a continuous factor, and a file with factors.
Bins: TypeAlias = Mapping[str, int] | None
FactorsFile: TypeAlias = str | Path | None

# A factor looks continuous if it has more values than this, and few rows for each of them.
_MANY_VALUES = 1000
_FEW_ROWS_EACH = 10
_MOST_BINS = 1_000_000
# Bins of a continuous factor for which no number was given.
_USUAL_BINS = 20


class Factors(NamedTuple):
    """Factors of a user's images, int64 `(n, f)` or `None`, their names, and provenance notes.

    `measured` are their values, float64 `(n, f)`; `labels` and `continuous` as in a `Dataset`.
    """

    values: Array | None
    names: tuple[str, ...] | None
    notes: dict[str, Any]
    measured: Array | None = None
    labels: Mapping[str, tuple[str, ...]] = {}
    continuous: tuple[str, ...] = ()

    @property
    def described(self) -> dict[str, Any]:
        """What a data set is told of its factors beside their numbers and names."""
        return {
            "measured": self.measured,
            "factor_labels": self.labels,
            "continuous_factors": self.continuous,
        }

    def rows(self, kept: Sequence[int]) -> Factors:
        """Returns the factors of some images."""
        if self.values is None or self.measured is None:
            return self
        return self._replace(values=self.values[kept], measured=self.measured[kept])


def checked_factors(
    factors: ArrayLike | None, factor_names: Iterable[str] | None, length: int, bins: Bins = None
) -> Factors:
    """Returns the factors of `length` images; see `from_arrays` for what is accepted."""
    if factors is None:
        if factor_names is not None:
            raise UsageError(
                f"Factor names were given without factors. Received: {shown(factor_names)}."
            )
        return no_factors(bins)
    values = as_array(factors, "Factors")
    if values.ndim != 2 or len(values) != length or not values.shape[1]:
        raise UsageError(
            f"Factors must have shape ({length}, number of factors), one row for each image. "
            f"Received: shape {values.shape}."
        )
    names = checked_names(factor_names, values.shape[1])
    return class_numbers(list(values.T), names, bins)


def no_factors(bins: Bins) -> Factors:
    """Returns the factors of images that have none; raises `UsageError` if there are bins."""
    if bins is not None and not (isinstance(bins, Mapping) and not bins):
        raise UsageError(
            f"Bins were given for images without factors. Received: bins={bins!r}; give the "
            "factors too."
        )
    return Factors(None, None, {})


def checked_names(factor_names: Iterable[str] | None, count: int) -> tuple[str, ...]:
    """Returns a distinct name for each of `count` factors, `factor_0` ... if none are given."""
    if factor_names is None:
        return tuple(f"factor_{column}" for column in range(count))
    if isinstance(factor_names, np.ndarray):
        factor_names = factor_names.tolist()
    names = texts("factor_names", factor_names)
    check_printable("factor_names", names)
    if len(names) != count or len(set(names)) < len(names):
        raise UsageError(
            f"There must be a distinct name for each of the {count} factors. "
            f"Received: {shown(list(names))}."
        )
    return names


def binned(values: ArrayLike, count: int) -> Array:
    """Returns the bin of each value; bins of equal width span the smallest to the largest value.

    Each bin includes its lower edge but not its upper one; the last includes both.

    Args:
        values: Finite numbers of shape `(n,)`, at least two of them distinct.
        count: Number of bins, at least 2.

    Returns:
        int64 array of shape `(n,)` with values in `0..count-1`.

    Raises:
        UsageError: If the values are not as described, or `count` is not from 2 to 1,000,000.

    Example:
        >>> binned(np.array([0.0, 1.0, 2.5, 10.0]), 4)
        array([0, 0, 1, 3])
    """
    if np.ma.isMaskedArray(values) and np.ma.getmaskarray(values).any():
        raise UsageError(
            "`values` must have a number everywhere. Received: masked ones; leave those rows out."
        )
    values = np.asarray(values)
    if values.ndim != 1 or not values.size or values.dtype.kind not in "biuf":
        raise UsageError(
            "`values` must be an array of numbers of shape (n,), the values of one factor. "
            f"Received: shape {values.shape}, dtype {values.dtype}."
        )
    if _bin_count(count, "values") > _MOST_BINS:
        raise UsageError(f"There can be at most {_MOST_BINS:,} bins. Received: {count}.")
    _ends(values, "values", count, "row {}".format)
    values = values.astype(np.float64)
    inner_edges = np.linspace(values.min(), values.max(), count + 1)[1:-1]
    return np.searchsorted(inner_edges, values, side="right").astype(np.int64)


def class_numbers(
    columns: Sequence[Array],
    names: tuple[str, ...],
    bins: Bins = None,
    place: Callable[[int], str] = "row {}".format,
    categories: Mapping[str, Sequence[str]] | None = None,
) -> Factors:
    """Returns the factors as integers: bin numbers for continuous ones, others as given.

    A factor is continuous if it is in `bins`, or if a value of it is no whole number; then it gets
    20 bins, with a warning.

    Warns of a factor that is not in `bins` and looks continuous, because it has more than 1,000
    different values and fewer than 10 rows per value. `place` gives the place of a row for errors;
    `categories` holds the words of factors whose values number them. The notes hold the ends of the
    bins, if any: `{"factor_bins": {name: {"min": ..., "max": ..., "count": ...}}}`.
    """
    counts, categories = _checked_bins(bins, names), categories or {}
    classes, edges = [], {}
    labels = {name: tuple(map(str, words)) for name, words in categories.items()}
    for name, column in zip(names, columns, strict=True):
        if column.dtype.kind not in "iuf":
            raise UsageError(
                f"Factors must be integers, or floats that are whole or put into bins. "
                f"Received: dtype {column.dtype} for {name!r}."
            )
        if name in counts and name in categories:
            raise UsageError(
                f"Factor {name!r} consists of words, which are classes already; leave it out of "
                f"the bins. Received: bins={bins!r}."
            )
        if name not in counts and _is_continuous(column):
            counts[name] = _USUAL_BINS
            _warn_of_bins(name)
        if name in counts:
            edges[name] = _ends(column, name, counts[name], place)
            classes.append(binned(column, counts[name]))
            labels[name] = _bin_labels(**edges[name])
        else:
            classes.append(_whole_numbers(column, name, place))
            if name not in categories:
                _warn_if_continuous(classes[-1], name)
    notes = {"factor_bins": edges} if edges else {}
    measured = np.stack([column.astype(np.float64) for column in columns], axis=1)
    return Factors(np.stack(classes, axis=1), names, notes, measured, labels, tuple(edges))


def _is_continuous(column: Array) -> bool:
    """Returns whether a column of finite numbers has one that is not whole."""
    if column.dtype.kind != "f" or not np.isfinite(column).all():
        return False
    return bool((column != np.rint(column)).any()) and column.min() < column.max()


def _warn_of_bins(name: str) -> None:
    warnings.warn(
        f"Factor {name!r} has values that are not whole and is taken as continuous; where classes "
        f"are needed, its values are put into {_USUAL_BINS} bins of equal width (another number: "
        f"bins={{{name!r}: {_USUAL_BINS}}}).",
        UserWarning,
        stacklevel=4,
    )


def _bin_labels(min: float, max: float, count: int) -> tuple[str, ...]:
    """Returns the edges of bins of equal width as text, with as many digits as tell them apart."""
    edges = np.linspace(min, max, count + 1).tolist()
    for digits in range(3, 18):
        written = [f"{edge:.{digits}g}" for edge in edges]
        if len(set(written)) == len(written):
            break
    closing = [")"] * (count - 1) + ["]"]
    pairs = zip(written, written[1:], closing, strict=False)
    return tuple(f"[{low}, {high}{end}" for low, high, end in pairs)


def _checked_bins(bins: Bins, names: tuple[str, ...]) -> dict[str, int]:
    if bins is None:
        return {}
    if not isinstance(bins, Mapping):
        raise UsageError(
            f"`bins` must map names of factors to numbers, e.g. {{{names[0]!r}: 20}}. "
            f"Received: {bins!r}."
        )
    checked = {}
    for name, count in bins.items():
        if name not in names:
            raise UsageError(
                f"There is no factor {name!r} to put into bins. Known: {', '.join(names)}."
            )
        checked[name] = _bin_count(count, name)
    return checked


def _bin_count(count: Any, name: str) -> int:
    try:
        number = 0 if isinstance(count, bool) else operator.index(count)
    except TypeError:
        number = 0
    if number < 2:
        raise UsageError(
            "The number of bins of a factor must be an integer of at least 2. "
            f"Received: {shown(count)} for {shown(name)}."
        )
    return number


def _ends(column: Array, name: str, count: int, place: Callable[[int], str]) -> dict[str, float]:
    """Checks that a column can be put into bins and returns the note about them."""
    wrong = np.flatnonzero(~np.isfinite(column))
    if len(wrong):
        raise UsageError(
            f"Factor {name!r} has a value that fits into no bin. Received: {column[wrong[0]]} in "
            f"{place(wrong[0])}; leave that image out or give it a number."
        )
    low, high = float(column.min()), float(column.max())
    if low == high:
        raise UsageError(
            f"Factor {name!r} has the same value {low:g} everywhere, so it cannot be binned; "
            "leave it out of the bins or out of the factors."
        )
    if not np.isfinite(high - low):
        raise UsageError(
            f"Factor {name!r} spans more than a float can hold. Received: {low:g} to {high:g}; "
            "rescale it."
        )
    return {"min": low, "max": high, "count": count}


def _whole_numbers(column: Array, name: str, place: Callable[[int], str]) -> Array:
    # Values beyond int64, infinities among them, would be converted to wrong numbers.
    if column.dtype.kind == "f":
        # Beyond this limit the dtype does not distinguish neighbouring integers.
        limit = column.dtype.type(2) ** min(np.finfo(column.dtype).nmant + 1, 63)
        whole = (column == np.rint(column)) & (np.abs(column) < limit)
    else:
        whole = column <= np.iinfo(np.int64).max
    wrong = np.flatnonzero(~whole)
    if len(wrong):
        raise UsageError(
            "Factors must be whole numbers, because every measure here treats them as classes. "
            f"Received: {column[wrong[0]]} for factor {name!r} in {place(wrong[0])}; group its "
            f"values with bins={{{name!r}: 20}} if it is continuous, or number them 0, 1, 2 ..."
        )
    return column.astype(np.int64, copy=False)


def _warn_if_continuous(classes: Array, name: str) -> None:
    distinct = len(np.unique(classes))
    if distinct > _MANY_VALUES and len(classes) < _FEW_ROWS_EACH * distinct:
        warnings.warn(
            f"Factor {name!r} has {distinct:,} different values in {len(classes):,} rows and looks "
            "continuous, but every measure here treats each value as a class of its own; group "
            f"them with bins={{{name!r}: 20}}.",
            UserWarning,
            stacklevel=4,
        )
