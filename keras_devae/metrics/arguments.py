"""Checks that metrics make of their settings before they compute anything."""

import numbers
from collections.abc import Iterable

import numpy as np

from keras_devae.checks import listed, one_of, shown
from keras_devae.errors import UsageError

#: No histogram of codes needs more, and tables of counts stay small.
MOST_BINS = 10_000
#: Seeds go into records of JSON, and scikit-learn's random states take those below 2^32.
MOST_SEED, MOST_SEED_OF_A_FIT = 2**63 - 1, 2**32 - 1
#: As many repeats of an evaluation as one waits for.
MOST_REPEATS = 10_000
#: As many rows as a metric draws at most, so that they fit in memory.
MOST_ROWS = 10**8


def check_whole(name: str, value: int, least: int, most: int) -> int:
    """Checks a whole number from `least` to `most`, else a `UsageError`.

    Args:
        name: The argument's name, for the message.
        value: What was received.
        least: The smallest value allowed.
        most: The largest value allowed.

    Returns:
        The number, as Python's own.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not least <= value <= most:
        raise UsageError(
            f"`{name}` must be a whole number from {least:,} to {most:,}. Received: {shown(value)}."
        )
    return int(value)


def check_bins(bins: int) -> int:
    """Checks a number of bins: a whole number from 2 to 10,000, else a `UsageError`."""
    return check_whole("bins", bins, 2, MOST_BINS)


def check_seed(seed: int, most: int = MOST_SEED) -> int:
    """Checks a seed: a whole number from 0 to `most`, else a `UsageError`."""
    return check_whole("seed", seed, 0, most)


def check_recorded_seed(seed: int | None) -> None:
    """Checks a seed that is recorded only, which may be `None` too, see `check_seed`."""
    if seed is not None:
        check_seed(seed)


def check_names_of(kind: str, values: str | Iterable[str], known: Iterable[str]) -> list[str]:
    """Checks a name, or several, and returns them as a list without repetitions."""
    known = tuple(known)
    values = [values] if isinstance(values, str) else listed(f"{kind}s", values, "names")
    names = [one_of(kind, value, known) for value in values]
    if not names:
        raise UsageError(f"`{kind}s` must name at least one of {', '.join(known)}. Received: none.")
    return list(dict.fromkeys(names))


def check_share(name: str, value: float) -> float:
    """Checks a number from 0 to 1, else a `UsageError`."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not 0 <= value <= 1:
        raise UsageError(f"`{name}` must be a number between 0 and 1. Received: {shown(value)}.")
    return float(value)


def check_rows_drawn(count: int, names: str) -> None:
    """Refuses to draw more rows than fit in memory.

    Args:
        count: How many would be drawn.
        names: The arguments that say so, for the message.

    Raises:
        UsageError: If there are more than 100,000,000.
    """
    if count > MOST_ROWS:
        raise UsageError(
            f"{names} must ask for at most {MOST_ROWS:,} samples together. Received: {count:,}."
        )


def check_flag(name: str, value: bool) -> None:
    """Raises a `UsageError` unless it is true or false; text would always be true."""
    if not isinstance(value, (numbers.Integral, np.bool_)) or value not in (0, 1):
        raise UsageError(f"`{name}` must be True or False. Received: {shown(value)}.")


def check_factor_names(factor_names: Iterable[str] | None, count: int) -> tuple[str, ...]:
    """Checks the names of factors, or makes them.

    Args:
        factor_names: A name for each factor, or `None` for `factor_0`, `factor_1`, ...
        count: Number of factors.

    Returns:
        The names.

    Raises:
        UsageError: If they are no list of names, there is another number of them, or a repeated
            one.
    """
    if factor_names is None:
        return tuple(f"factor_{index}" for index in range(count))
    if isinstance(factor_names, (set, frozenset)):
        raise UsageError(
            "`factor_names` must be a list of names, since a set has no order. Received: "
            f"{shown(factor_names)}."
        )
    names = listed("factor_names", factor_names, "names")
    are_names = all(isinstance(name, (str, numbers.Integral)) for name in names)
    names = [str(name) for name in names] if are_names else names
    if not are_names or len(names) != count or len(set(names)) != count:
        raise UsageError(
            f"`factor_names` must be {count} different names, one for each factor. Received: "
            f"{shown(names)}."
        )
    return tuple(names)
