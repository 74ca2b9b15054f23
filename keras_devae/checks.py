"""Checks that the library and the command line share; they import nothing heavy."""

import importlib.util
import math
import numbers
import os
from collections.abc import Iterable
from pathlib import Path

from keras_devae.errors import UsageError

#: Pixels a side of the images that the convolutional networks take.
CONVOLUTIONAL_SIZES = (32, 64, 128)
#: An image whose first side is not longer than this, and whose others are, has channels there.
_MOST_CHANNELS_FIRST = 5


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


def path_of(name, value):
    """Checks the name of a file or folder and returns it as a `Path`, `~` expanded.

    Args:
        name: The argument's name, for the message.
        value: What was received: a text or a path.

    Raises:
        UsageError: If it is neither, or empty, or no file can be called that.
    """
    if not isinstance(value, (str, os.PathLike)) or isinstance(os.fspath(value), bytes):
        raise UsageError(f"`{name}` must be a path, as a text or a Path. Received: {value!r}.")
    if not os.fspath(value) or "\0" in os.fspath(value):
        raise UsageError(f"`{name}` must be a path that can exist. Received: {os.fspath(value)!r}.")
    return Path(value).expanduser()


def texts(name, values):
    """Checks a list of texts and returns it as a tuple, see `at_least`."""
    listed = None if isinstance(values, (str, bytes)) else values
    listed = tuple(listed) if isinstance(listed, Iterable) else None
    if listed is None or not all(isinstance(value, str) for value in listed):
        raise UsageError(f"`{name}` must be a list of texts. Received: {values!r}.")
    return listed


def true_or_false(name, value):
    """Checks a truth value, see `at_least`."""
    if type(value).__name__ not in ("bool", "bool_"):
        raise UsageError(f"`{name}` must be true or false. Received: {value!r}.")
    return bool(value)


def function_or_none(name, value):
    """Checks a function that may be left out, see `at_least`."""
    if value is not None and not callable(value):
        raise UsageError(f"`{name}` must be a function, or None. Received: {value!r}.")
    return value


def check_channels_last(image_shape):
    """Checks that the shape of an image is not (channels, height, width), as PyTorch has it.

    Only a shape that can hardly be meant otherwise counts as such: at most 5 channels, and more
    pixels than that both ways. Small and narrow images with few channels pass.

    Args:
        image_shape: Shape of one image, of three dimensions.

    Raises:
        UsageError: If the channels come first.
    """
    first, *others = image_shape
    if all(isinstance(side, numbers.Integral) for side in image_shape) and (
        first <= _MOST_CHANNELS_FIRST < min(others)
    ):
        raise UsageError(
            "Channels come last: images are (height, width, channels). Received: images of shape "
            f"{tuple(map(int, image_shape))}, whose channels seem to come first; move them with "
            "`np.moveaxis(images, 1, -1)`."
        )


def check_convolutional_size(image_shape):
    """Checks that the convolutional networks take images of some shape.

    Args:
        image_shape: `(height, width, channels)`.

    Raises:
        UsageError: If they are not squares of `CONVOLUTIONAL_SIZES` pixels.
    """
    height, width = image_shape[:2]
    if height != width or height not in CONVOLUTIONAL_SIZES:
        raise UsageError(
            "The convolutional networks take square images of 32, 64 or 128 pixels. "
            f"Received: {height}x{width}. Resize the images, or choose network='mlp'."
        )


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
    return isinstance(value, numbers.Real) and math.isfinite(value)
