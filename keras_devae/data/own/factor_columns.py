"""Decides what the values of a factor are (classes, numbers or a quantity), and numbers them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_devae.checks import Array
from keras_devae.errors import UsageError

#: What `factor_kinds` may say of a factor.
KINDS = ("classes", "numbers", "continuous", "ignore")

# Bins of a continuous factor for which no number was given.
_USUAL_BINS = 20
# More values than this are not the levels of a factor, unless each has many rows.
_MANY_LEVELS, _MANY_VALUES, _FEW_ROWS_EACH = 10, 1000, 10
# A column with more words than this, most of them in one row, names the images.
_MANY_NAMES, _ROWS_OF_A_CLASS = 100, 2


class Column(NamedTuple):
    """A factor: int64 `(n,)`, float64 `(n,)`, the text of each number, and the ends of the bins."""

    numbers: Array
    measured: Array
    labels: tuple[str, ...] = ()
    is_nominal: bool = False
    ends: dict[str, Any] | None = None


def read_column(
    name: str,
    column: Array,
    kind: str | None,
    bins: int | None,
    place: Callable[[int], str] = "row {}".format,
) -> Column | None:
    """Returns a factor; warns and returns `None` if its words only name the images.

    `column` holds words, truth values or numbers; `kind` is one of `KINDS` but `"ignore"`, or
    `None`, to go by the values; `place` gives the place of a row for errors.
    """
    if column.dtype.kind in "Ub":
        if bins is not None or kind in ("numbers", "continuous"):
            raise UsageError(
                f"Factor {name!r} consists of words, which are classes and neither numbers nor put "
                f"into bins. Received: {str(column[0])!r} in {place(0)}; leave it out of `bins` "
                "and `factor_kinds`."
            )
        return _classes(name, column.astype(str), kind == "classes")
    if column.dtype.kind not in "iuf":
        raise UsageError(
            f"Factors must be numbers, words or truth values. Received: dtype {column.dtype} for "
            f"{name!r}."
        )
    check_finite(column, name, place)
    if kind is None:
        kind = "continuous" if bins is not None else _kind_of(name, column)
    if kind == "classes":
        return _levels(column)._replace(is_nominal=True)
    if kind == "continuous":
        return _in_bins(name, column, bins or _USUAL_BINS)
    if column.dtype.kind == "f" and (column != np.rint(column)).any():
        return _levels(column)
    whole = _whole_numbers(column, name, place)
    return Column(whole, whole.astype(np.float64))


def column_of_cells(
    cells: Sequence[str], name: str, kind: str | None, place: Callable[[int], str]
) -> Array:
    """Returns the numbers in the cells of a column, or its words if no cell is a number."""
    numbers = [_number(cell) for cell in cells]
    some = any(number is not None for number in numbers)
    if "" not in cells and (kind == "classes" or not some):
        if some and None not in numbers:
            return _array(numbers)
        return np.array(cells)
    if None in numbers:
        # A column without any number holds words, so only its empty cell is wrong.
        row = numbers.index(None) if some else list(cells).index("")
        where = place(row)
        raise UsageError(
            f"{where[0].upper()}{where[1:]} has no number in column {name!r}. Received: "
            f"{cells[row]!r}; correct it, or use words in the whole column if it is a category."
        )
    return _array(numbers)


def natural(name: str) -> list[str | int]:
    """Returns the key that sorts names as a person would, their numbers by value."""
    parts = re.split(r"([0-9]+)", name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def check_finite(column: Array, name: str, place: Callable[[int], str]) -> None:
    """Raises `UsageError` for a value that is infinite or missing."""
    wrong = np.flatnonzero(~np.isfinite(column))
    if len(wrong):
        raise UsageError(
            f"Factor {name!r} must have finite numbers. Received: {column[wrong[0]]} "
            f"in {place(wrong[0])}; leave that image out or give it a number."
        )


def ends_of(column: Array, name: str, count: int) -> dict[str, Any]:
    """Returns the note about the bins of a column, or refuses to make them."""
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


def bin_numbers(values: Array, count: int) -> Array:
    """Returns the bin of each value as int64, see `keras_devae.data.own.factor_values.binned`."""
    values = values.astype(np.float64)
    inner_edges = np.linspace(values.min(), values.max(), count + 1)[1:-1]
    return np.searchsorted(inner_edges, values, side="right").astype(np.int64)


def _classes(name: str, words: Array, is_forced: bool) -> Column | None:
    found, order = np.unique(words, return_inverse=True)
    if not is_forced and len(found) > _MANY_NAMES and len(words) < _ROWS_OF_A_CLASS * len(found):
        warnings.warn(
            f"Column {name!r} has {len(found):,} different words in {len(words):,} rows, so that "
            "it names the images and is left out of the factors; give "
            f"factor_kinds={{{name!r}: 'classes'}} if they are classes.",
            UserWarning,
            stacklevel=5,
        )
        return None
    labels = sorted(found.tolist(), key=lambda word: (natural(word.casefold()), word))
    place = {word: number for number, word in enumerate(labels)}
    numbers = np.array([place[word] for word in found.tolist()], np.int64)[order.reshape(-1)]
    return Column(numbers, numbers.astype(np.float64), tuple(labels), True)


def _levels(column: Array) -> Column:
    """Numbers the values of a column in ascending order, and labels them with the values."""
    values, numbers = np.unique(column, return_inverse=True)
    labels = _distinct_texts(values.tolist())
    measured = column.astype(np.float64)
    return Column(numbers.reshape(-1).astype(np.int64), measured, labels)


def _in_bins(name: str, column: Array, count: int) -> Column:
    ends = ends_of(column, name, count)
    edges = _distinct_texts(np.linspace(ends["min"], ends["max"], count + 1).tolist())
    closing = [")"] * (count - 1) + ["]"]
    labels = tuple(
        f"[{low}, {high}{end}"
        for low, high, end in zip(edges[:-1], edges[1:], closing, strict=True)
    )
    return Column(bin_numbers(column, count), column.astype(np.float64), labels, False, ends)


def _distinct_texts(values: list[float]) -> tuple[str, ...]:
    """Returns ascending numbers as text, with as many digits as it takes to tell them apart."""
    texts: list[str] = []
    for digits in range(3, 18):
        texts = [f"{value:.{digits}g}" for value in values]
        if len(set(texts)) == len(texts):
            break
    return tuple(texts)


def _kind_of(name: str, column: Array) -> str:
    """Returns `"continuous"` or `"numbers"`, and warns of the first."""
    counts = np.unique(column, return_counts=True)[1]
    are_whole = bool((column == np.rint(column)).all())
    is_rare = len(column) < _FEW_ROWS_EACH * len(counts)
    if are_whole:
        is_continuous = len(counts) > _MANY_VALUES and is_rare
    else:
        are_even = counts[0] > 1 and (counts == counts[0]).all()
        is_continuous = len(counts) > _MANY_VALUES or (
            len(counts) > _MANY_LEVELS and is_rare and not are_even
        )
    if not is_continuous:
        return "numbers"
    other = f" (factor_kinds={{{name!r}: 'ignore'}} leaves it out)" if are_whole else ""
    warnings.warn(
        f"Factor {name!r} has {len(counts):,} different values in {len(column):,} rows and is "
        f"taken as continuous{other}; where classes are needed, they are {_USUAL_BINS} bins of "
        f"equal width, or as many as bins={{{name!r}: {_USUAL_BINS}}} says.",
        UserWarning,
        stacklevel=5,
    )
    return "continuous"


def _whole_numbers(column: Array, name: str, place: Callable[[int], str]) -> Array:
    # Values beyond int64 would be converted to wrong numbers.
    if column.dtype.kind == "f":
        # Beyond this limit the dtype does not distinguish neighbouring integers.
        limit = column.dtype.type(2) ** min(np.finfo(column.dtype).nmant + 1, 63)
        is_exact = np.abs(column) < limit
    else:
        is_exact = column <= np.iinfo(np.int64).max
    wrong = np.flatnonzero(~is_exact)
    if len(wrong):
        raise UsageError(
            "A factor of whole numbers must fit into 64 bits exactly. Received: "
            f"{column[wrong[0]]} for factor {name!r} in {place(wrong[0])}; put its values into "
            f"bins={{{name!r}: {_USUAL_BINS}}}, or number them 0, 1, 2 ..."
        )
    return column.astype(np.int64, copy=False)


def _array(numbers: Sequence[int | float | None]) -> Array:
    # Integers stay integers, because floats cannot represent all of them.
    whole = all(isinstance(number, int) for number in numbers)
    return np.array(numbers, np.int64 if whole else np.float64)


def _number(cell: str) -> int | float | None:
    # Python reads 1_000 as a number; no other program does.
    if "_" in cell:
        return None
    try:
        number = int(cell)
        return number if abs(number) < 2**63 else float(cell)
    except ValueError:
        pass
    try:
        return float(cell)
    except ValueError:
        return None
