"""Checks the settings of metrics before anything is computed. Imports nothing heavy."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from typing import TypeGuard

from keras_devae.checks import listed, one_of, shown
from keras_devae.errors import UsageError

#: No histogram of codes needs more bins, and tables of counts stay small.
MOST_BINS = 10_000
#: Seeds are recorded as JSON, and scikit-learn's random states accept seeds below 2^32.
MOST_SEED, MOST_SEED_OF_A_FIT = 2**63 - 1, 2**32 - 1
#: More repeats of an evaluation than anyone waits for.
MOST_REPEATS = 10_000
#: No forest needs more trees, and none of them gets deeper.
MOST_TREES = MOST_DEPTH = 10_000
#: A metric draws at most this many rows, so that they fit in memory.
MOST_ROWS = 10**8


def is_whole(value: object) -> TypeGuard[int]:
    """Returns whether a value is a whole number; true and false are not."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def check_whole(name: str, value: int | None, least: int, most: int) -> int:
    """Checks a whole number from `least` to `most` and returns it as a Python int."""
    if not is_whole(value) or not least <= value <= most:
        raise UsageError(
            f"`{name}` must be a whole number from {least:,} to {most:,}. Received: {shown(value)}."
        )
    return int(value)


def check_bins(bins: int | None) -> int:
    """Checks a number of bins, from 2 to 10,000."""
    return check_whole("bins", bins, 2, MOST_BINS)


def check_seed(seed: int, most: int = MOST_SEED) -> int:
    """Checks a seed, from 0 to `most`."""
    return check_whole("seed", seed, 0, most)


def check_recorded_seed(seed: int | None) -> None:
    """Checks a seed that is only recorded, and may be `None`."""
    if seed is not None:
        check_seed(seed)


def check_names_of(kind: str, values: str | Iterable[str], known: Iterable[str]) -> list[str]:
    """Checks one or more names and returns them as a list without duplicates."""
    known = tuple(known)
    values = [values] if isinstance(values, str) else listed(f"{kind}s", values, "names")
    names = [one_of(kind, value, known) for value in values]
    if not names:
        raise UsageError(f"`{kind}s` must name at least one of {', '.join(known)}. Received: none.")
    return list(dict.fromkeys(names))


def check_depths(depths: Iterable[int]) -> tuple[int, ...]:
    """Checks depths of trees, at least two different ones, and returns them in ascending order."""
    given = listed("depths", depths, "whole numbers from 1")
    if not all(is_whole(depth) and 1 <= depth <= MOST_DEPTH for depth in given) or (
        len(set(given)) < 2
    ):
        raise UsageError(
            "`depths` must be at least two different whole numbers from 1 to "
            f"{MOST_DEPTH:,}. Received: {shown(given)}."
        )
    return tuple(sorted({int(depth) for depth in given}))


def check_share(name: str, value: float) -> float:
    """Checks a number from 0 to 1, and returns it as a float."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not 0 <= value <= 1:
        raise UsageError(f"`{name}` must be a number between 0 and 1. Received: {shown(value)}.")
    return float(value)


def check_rows_drawn(count: int, names: str) -> None:
    """Refuses to draw more rows than fit in memory; `names` are the arguments to blame."""
    if count > MOST_ROWS:
        raise UsageError(
            f"{names} must ask for at most {MOST_ROWS:,} samples together. Received: {count:,}."
        )


def check_factor_names(factor_names: Iterable[str] | None, count: int) -> tuple[str, ...]:
    """Checks that there are `count` different names; `None` gives `factor_0`, `factor_1`, ..."""
    if factor_names is None:
        return tuple(f"factor_{index}" for index in range(count))
    if isinstance(factor_names, (set, frozenset)):
        raise UsageError(
            "`factor_names` must be a list of names, since a set has no order. Received: "
            f"{shown(factor_names)}."
        )
    given = listed("factor_names", factor_names, "names")
    are_names = all(isinstance(name, (str, numbers.Integral)) for name in given)
    names = [str(name) for name in given] if are_names else list(given)
    if not are_names or len(names) != count or len(set(names)) != count:
        raise UsageError(
            f"`factor_names` must be {count} different names, one for each factor. Received: "
            f"{shown(names)}."
        )
    return tuple(names)
