"""Checks that the library and the command line share; they import nothing heavy."""

import importlib.util
import math
import numbers
from collections.abc import Iterable

from keras_devae.errors import UsageError


def at_least(name, value, least):
    """Checks an integer.

    Args:
        name: The argument's name, for the message.
        value: What was received.
        least: The smallest value allowed.

    Returns:
        The value.

    Raises:
        UsageError: If it is smaller, or not a whole number.
    """
    if not _is_whole(value) or value < least:
        raise UsageError(
            f"`{name}` must be a whole number of at least {least}. Received: {shown(value, str)}."
        )
    return value


def finite(name, value):
    """Checks a finite number and returns it as a float, see `at_least`."""
    if not _is_finite(value):
        raise UsageError(f"`{name}` must be a finite number. Received: {shown(value)}.")
    return float(value)


def finite_at_least(name, value, least=0.0):
    """Checks a finite number, see `at_least`; `least` itself is allowed, default 0."""
    if not (_is_finite(value) and value >= least):
        raise UsageError(
            f"`{name}` must be a finite number of at least {least:g}. Received: "
            f"{shown(value, str)}."
        )
    return value


def positive(name, value):
    """Checks a finite number above 0, see `at_least`."""
    if not (_is_finite(value) and value > 0):
        raise UsageError(
            f"`{name}` must be a finite number above 0. Received: {shown(value, str)}."
        )
    return value


def pressures(name, values):
    """Checks a list of beta values and returns it as a tuple of floats, see `at_least`."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UsageError(f"`{name}` must be a list of numbers. Received: {values!r}.")
    values = tuple(finite_at_least(name, value) for value in values)
    if not values:
        raise UsageError(f"`{name}` must hold at least one number. Received none.")
    return tuple(float(value) for value in values)


def widths(name, values):
    """Checks a list of widths of layers and returns it as a tuple of integers, see `at_least`."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise UsageError(f"`{name}` must be a list of whole numbers. Received: {values!r}.")
    return tuple(int(at_least(name, value, 1)) for value in values)


def shown(value, spell=repr):
    """Returns what was received in one line, as short as a sentence bears.

    Args:
        value: What was received.
        spell: Function that makes it text; default `repr`, which puts quotes around words.
    """
    if isinstance(value, int) and value.bit_length() > 256:
        return "a number of more than 70 digits"
    text = " ".join(spell(value).split())
    return text if len(text) <= 80 else f"{text[:60]}... ({type(value).__name__})"


def has_extra(what, module, extra):
    """Raises a `UsageError` unless a module of one of the package's extras is installed.

    Args:
        what: What needs it, the beginning of a sentence.
        module: Name of the module.
        extra: Name of the extra that brings it.
    """
    if importlib.util.find_spec(module) is None:
        raise UsageError(
            f"{what} needs {module}, which is not installed here. Install it with `pip install "
            f"'keras-devae[{extra}]'`."
        )


def _is_whole(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_finite(value):
    try:
        return isinstance(value, numbers.Real) and math.isfinite(float(value))
    except OverflowError:  # An integer that no float can hold.
        return False
