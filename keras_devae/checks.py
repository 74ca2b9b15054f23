"""Checks that the library and the command line share; they import nothing heavy."""

import importlib.util
import math
import numbers
from collections.abc import Iterable

from keras_devae.errors import UsageError, unknown_name


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
        raise UsageError(f"`{name}` must be a whole number of at least {least}. Received: {value}.")
    return value


def finite_at_least(name, value, least=0.0):
    """Checks a finite number, see `at_least`; `least` itself is allowed, default 0."""
    if not (_is_finite(value) and value >= least):
        raise UsageError(
            f"`{name}` must be a finite number of at least {least:g}. Received: {value}."
        )
    return value


def positive(name, value):
    """Checks a finite number above 0, see `at_least`."""
    if not (_is_finite(value) and value > 0):
        raise UsageError(f"`{name}` must be a finite number above 0. Received: {value}.")
    return value


def one_of(kind, value, known):
    """Checks a name, see `keras_devae.errors.unknown_name` for the arguments, and returns it."""
    if not isinstance(value, str) or value not in known:
        raise unknown_name(kind, value, known)
    return value


def flag(name, value):
    """Checks a switch, true or false, see `at_least`."""
    if not isinstance(value, bool):
        raise UsageError(f"`{name}` must be true or false. Received: {value!r}.")
    return value


def pressures(name, values):
    """Checks a list of beta values and returns it as a tuple of floats, see `at_least`."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise UsageError(f"`{name}` must be a list of numbers. Received: {values!r}.")
    values = tuple(finite_at_least(name, value) for value in values)
    if not values:
        raise UsageError(f"`{name}` must hold at least one number. Received none.")
    return tuple(float(value) for value in values)


def widths(name, values):
    """Checks a list of widths of layers and returns it as a tuple of integers, see `at_least`."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise UsageError(f"`{name}` must be a list of whole numbers. Received: {values!r}.")
    return tuple(int(at_least(name, value, 1)) for value in values)


def image_shape_of(value):
    """Checks `image_shape` and returns it as a tuple of three integers, see `at_least`."""
    sides = value if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else ()
    sides = tuple(sides)
    if len(sides) != 3 or not all(_is_whole(side) and side >= 1 for side in sides):
        raise UsageError(f"`image_shape` must be (height, width, channels). Received: {value!r}.")
    return tuple(map(int, sides))


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
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        # A whole number beyond the range of floats.
        return False
