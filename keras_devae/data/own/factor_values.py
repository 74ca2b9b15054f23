"""Converts a user's factors to named integers, and keeps what these stand for."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from keras_devae.checks import Array, check_printable, one_of, shown, texts
from keras_devae.data.indexing import as_array
from keras_devae.data.own.factor_columns import (
    KINDS,
    Column,
    bin_numbers,
    check_finite,
    column_of_cells,
    ends_of,
    read_column,
)
from keras_devae.errors import UsageError, unknown_name

#: Types of arguments: number of bins by name of a continuous factor, and a file with factors.
Bins: TypeAlias = Mapping[str, int] | None
FactorsFile: TypeAlias = str | Path | None

_MOST_BINS = 1_000_000


class Reading(NamedTuple):
    """How the columns of a user's factors are read, see `keras_devae.data.load`."""

    bins: Bins = None
    kinds: Mapping[str, str] | None = None
    sequence_column: str | None = None


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
    nominal: tuple[str, ...] = ()
    sequences: Array | None = None

    @property
    def described(self) -> dict[str, Any]:
        """What a data set is told of its factors beside their numbers and names."""
        return {
            "measured": self.measured,
            "factor_labels": self.labels,
            "continuous_factors": self.continuous,
            "nominal_factors": self.nominal,
            "sequences": self.sequences,
        }

    def rows(self, kept: Sequence[int] | Array) -> Factors:
        """Returns the factors of some images."""
        chosen: dict[str, Any] = {
            name: None if (array := getattr(self, name)) is None else array[kept]
            for name in ("values", "measured", "sequences")
        }
        return self._replace(**chosen)


def checked_factors(
    factors: ArrayLike | None, factor_names: Iterable[str] | None, length: int, reading: Reading
) -> Factors:
    """Returns the factors of `length` images; see `from_arrays` for what is accepted."""
    if factors is None:
        if factor_names is not None:
            raise UsageError(
                f"Factor names were given without factors. Received: {shown(factor_names)}."
            )
        return no_factors(reading)
    values = as_array(factors, "Factors")
    if values.ndim != 2 or len(values) != length or not values.shape[1]:
        raise UsageError(
            f"Factors must have shape ({length}, number of factors), one row for each image. "
            f"Received: shape {values.shape}."
        )
    names = checked_names(factor_names, values.shape[1])
    columns = list(values.T)
    if values.dtype.kind in "OU":
        kinds = _checked_kinds(reading.kinds, names)
        pairs = zip(columns, names, strict=True)
        columns = [_of_objects(column, name, kinds.get(name)) for column, name in pairs]
    return numbered(columns, names, reading)


def _of_objects(column: Array, name: str, kind: str | None) -> Array:
    """Returns the numbers or words of a column of Python objects or texts."""
    if column.dtype.kind == "O" and not any(isinstance(value, str) for value in column):
        return np.asarray(column.tolist())
    return column_of_cells([str(value).strip() for value in column], name, kind, "row {}".format)


def no_factors(reading: Reading) -> Factors:
    """Returns the factors of images that have none; raises `UsageError` if some are described."""
    for name, value in zip(("bins", "factor_kinds", "sequence_column"), reading, strict=True):
        if value is not None and not (isinstance(value, Mapping) and not value):
            raise UsageError(
                f"`{name}` was given for images without factors. Received: {name}={value!r}; "
                "give the factors too."
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
    check_finite(values, "values", "row {}".format)
    ends_of(values, "values", count)
    return bin_numbers(values, count)


def numbered(
    columns: Sequence[Array],
    names: tuple[str, ...],
    reading: Reading,
    place: Callable[[int], str] = "row {}".format,
) -> Factors:
    """Returns columns of words or numbers as factors; `place` gives the place of a row for errors.

    The notes hold what it takes to read the numbers later: `factor_kinds`, if not all are whole
    numbers; `factor_classes`, the words by name; `factor_levels`, numbers that are not whole; and
    `factor_bins`, the ends of the bins: `{name: {"min": ..., "max": ..., "count": ...}}`.
    """
    given = dict(zip(names, columns, strict=True))
    sequences = _sequences(given, reading.sequence_column)
    counts = _checked_bins(reading.bins, tuple(given))
    kinds = _checked_kinds(reading.kinds, tuple(given))
    read = {
        name: read_column(name, column, kinds.get(name), counts.get(name), place)
        for name, column in given.items()
        if kinds.get(name) != "ignore"
    }
    found = {name: column for name, column in read.items() if column is not None}
    if read and not found:
        raise UsageError(
            f"No factor is left, because each column names the images. Received: {list(read)}; "
            f"give factor_kinds={{{next(iter(read))!r}: 'classes'}} if they are classes, or leave "
            "out the factors."
        )
    return _joined(found, sequences)


def _joined(found: Mapping[str, Column], sequences: Array | None) -> Factors:
    if not found:
        return Factors(None, None, {}, sequences=sequences)
    columns = tuple(found.values())
    return Factors(
        np.stack([column.numbers for column in columns], axis=1),
        tuple(found),
        _notes(found),
        np.stack([column.measured for column in columns], axis=1),
        {name: column.labels for name, column in found.items() if column.labels},
        tuple(name for name, column in found.items() if column.ends is not None),
        tuple(name for name, column in found.items() if column.is_nominal),
        sequences,
    )


def _notes(found: Mapping[str, Column]) -> dict[str, Any]:
    notes: dict[str, dict[str, Any]] = {
        "factor_kinds": {},
        "factor_classes": {},
        "factor_levels": {},
        "factor_bins": {},
    }
    for name, column in found.items():
        if column.ends is not None:
            kind, group = "continuous", "factor_bins"
            note: Any = column.ends
        elif column.is_nominal:
            kind, group, note = "classes", "factor_classes", list(column.labels)
        else:
            levels = np.unique(column.measured).tolist() if column.labels else None
            kind, group, note = "numbers", "factor_levels", levels
        notes["factor_kinds"][name] = kind
        if note is not None:
            notes[group][name] = note
    if not any(notes[group] for group in notes if group != "factor_kinds"):
        return {}
    return {group: note for group, note in notes.items() if note}


def _sequences(columns: dict[str, Array], name: str | None) -> Array | None:
    """Takes the column of the sequences away, and returns their numbers, int64 `(n,)`."""
    if name is None:
        return None
    if name not in columns:
        raise UsageError(
            f"There is no column {name!r} that says to which sequence an image belongs. Known: "
            f"{', '.join(columns)}; give another `sequence_column`."
        )
    return np.unique(columns.pop(name), return_inverse=True)[1].reshape(-1).astype(np.int64)


def _checked_kinds(kinds: Mapping[str, str] | None, names: tuple[str, ...]) -> dict[str, str]:
    if kinds is None:
        return {}
    if not isinstance(kinds, Mapping):
        raise UsageError(
            "`factor_kinds` must map names of factors to kinds, e.g. {'angle': 'continuous'}. "
            f"Received: {kinds!r}."
        )
    for name, kind in kinds.items():
        if name not in names:
            raise unknown_name("factor", name, names)
        one_of("kind of a factor", kind, KINDS)
    return dict(kinds)


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
            "`bins` must give a factor an integer of at least 2. "
            f"Received: {shown(count)} for {shown(name)}."
        )
    return number
