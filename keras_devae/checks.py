"""Checks that the library and the command line share; they import nothing heavy."""

import importlib.util
import math
import numbers
import os
import re
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from keras_devae.errors import UsageError, unknown_name

if TYPE_CHECKING:
    import numpy as np

#: A NumPy array; shapes and dtypes are in the docstrings.
Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
#: A tensor of whichever backend Keras uses.
Tensor: TypeAlias = Any

#: What a run, or a study, may be called: a folder of that name can be made everywhere, and typed.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
#: Longest name of a run: a number or a suffix behind it has to fit too.
_NAME_LENGTH = 200
#: Longest name of a file, in bytes, on nearly all file systems, and longest path.
_FILE_NAME_BYTES, _PATH_BYTES = 255, 4096
#: Units, and latent dimensions, of one layer beyond which no machine has the memory.
MOST_UNITS = 1_000_000
#: Layers that a model may have; the largest published ones have a tenth of it.
_MOST_PARTS = 100
#: The first number that 64 bits with a sign do not hold.
_TOO_LARGE = 2**63
#: Writes values as Python does; what is nested deeply cannot be written by Python itself.
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother, _SHORT.maxlong = 3, 200, 200, 80
#: Pixels a side of the images that the convolutional networks take.
CONVOLUTIONAL_SIZES = (32, 64, 128)
#: An image whose first side is not longer than this, and whose others are, has channels there.
_MOST_CHANNELS_FIRST = 5


def run_name(what, name):
    """Checks the name of a run or a study, which becomes that of its folder.

    Args:
        what: What was given, for the message, e.g. `"--run"`.
        name: What was received.

    Returns:
        The name.

    Raises:
        UsageError: If it is anything but letters, digits, dots, dashes and underscores, begins with
            another character than a letter or a digit, or is longer than 200.
    """
    if not (isinstance(name, str) and len(name) <= _NAME_LENGTH and _NAME.fullmatch(name)):
        raise UsageError(
            f"{what} is the name of a folder: up to {_NAME_LENGTH} letters, digits, dots, dashes "
            f"and underscores, beginning with a letter or a digit. Received: {shown(name)}."
        )
    return name


def usable_path(what, path):
    """Checks a path that somebody has given; whether anything is there is not asked.

    Args:
        what: What was given, the beginning of a sentence, e.g. `"--data-dir"`.
        path: What was received: a text or a `pathlib.Path`.

    Returns:
        The `pathlib.Path`.

    Raises:
        UsageError: If it is empty, as an unset variable of a shell is, or no path at all, or no
            file system could hold it, or it cannot be printed.
    """
    if not isinstance(path, (str, os.PathLike)) or isinstance(os.fspath(path), bytes):
        raise UsageError(f"{what} must be a path. Received: {shown(path)}.")
    text = os.fspath(path)
    if not text.strip():
        raise UsageError(
            f"{what} must not be empty. Received: {text!r}. Is a variable of the shell not set? "
            "The present folder is '.'."
        )
    reason = _unusable(text)
    if reason is not None:
        raise UsageError(f"{what} {reason}. Received: {shown(text)}.")
    return Path(path)


def expanded_path(what, path):
    """Checks a path, see `usable_path`, and puts the home folder in place of a `~`."""
    try:
        return usable_path(what, path).expanduser()
    except RuntimeError:
        raise UsageError(
            f"{what} begins with the home folder of a user who is not known here. Received: "
            f"{shown(path)}."
        ) from None


def _unusable(text):
    """Says what keeps a text from being a path, or returns `None`."""
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        return "holds a control character, such as the end of a line"
    try:
        sizes = [len(part.encode("utf-8")) for part in text.split("/")]
    except UnicodeEncodeError:
        return "holds a character that is not text"
    if max(sizes) > _FILE_NAME_BYTES or sum(sizes) + len(sizes) > _PATH_BYTES:
        return f"is too long: a name has at most {_FILE_NAME_BYTES} bytes, a path {_PATH_BYTES}"
    return None


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
    if value >= _TOO_LARGE:
        raise UsageError(f"`{name}` must be a whole number below 2^63. It is larger.")
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


def one_of(kind, value, known):
    """Checks a name, see `keras_devae.errors.unknown_name` for the arguments, and returns it."""
    if not isinstance(value, str) or value not in known:
        raise unknown_name(kind, value if isinstance(value, str) else shown(value), known)
    return value


def flag(name, value):
    """Checks a switch, true or false, see `at_least`."""
    if type(value).__name__ not in ("bool", "bool_"):
        raise UsageError(f"`{name}` must be true or false. Received: {shown(value)}.")
    return bool(value)


def listed(name, values, what):
    """Checks a list and returns it as a tuple.

    Args:
        name: The argument's name, for the message.
        values: What was received: anything that can be gone through, but texts and dictionaries.
        what: What it must be a list of, e.g. `"numbers"`.

    Raises:
        UsageError: If it is no list.
    """
    try:
        if not isinstance(values, (str, bytes, Mapping)):
            return tuple(values)
    except TypeError:  # Arrays without an axis say that they can be gone through.
        pass
    raise UsageError(f"`{name}` must be a list of {what}. Received: {shown(values)}.")


def _few(name, values):
    """Refuses a list with a part of a model for each entry that no machine could build."""
    if len(values) > _MOST_PARTS:
        raise UsageError(
            f"`{name}` must have at most {_MOST_PARTS} entries. Received: {len(values):,}."
        )
    return values


def pressures(name, values):
    """Checks a list of beta values and returns it as a tuple of floats, see `at_least`."""
    values = _few(name, listed(name, values, "numbers"))
    values = tuple(finite_at_least(name, value) for value in values)
    if not values:
        raise UsageError(f"`{name}` must hold at least one number. Received none.")
    return tuple(float(value) for value in values)


def widths(name, values):
    """Checks a list of widths of layers and returns it as a tuple of integers, see `at_least`."""
    values = _few(name, listed(name, values, "whole numbers"))
    for value in values:
        if at_least(name, value, 1) > MOST_UNITS:
            raise UsageError(f"`{name}` must be at most {MOST_UNITS:,} each. Received: {value:,}.")
    return tuple(map(int, values))


def path_of(name, value):
    """Checks the name of a file or folder and returns it as a `Path`, `~` expanded.

    Args:
        name: The argument's name, for the message.
        value: What was received: a text or a path.

    Raises:
        UsageError: See `usable_path`.
    """
    return expanded_path(f"`{name}`", value)


def texts(name, values):
    """Checks a list of texts and returns it as a tuple, see `at_least`."""
    checked = listed(name, values, "texts")
    if not all(isinstance(value, str) for value in checked):
        raise UsageError(f"`{name}` must be a list of texts. Received: {shown(values)}.")
    return checked


def check_printable(name, values):
    """Raises a `UsageError` for a text that would move the cursor or colour a terminal."""
    for value in values:
        if not value.isprintable():
            raise UsageError(
                f"`{name}` must be texts without control characters. Received: {shown(value)}."
            )


def function_or_none(name, value):
    """Checks a function that may be left out, see `at_least`."""
    if value is not None and not callable(value):
        raise UsageError(f"`{name}` must be a function or None. Received: {shown(value)}.")
    return value


def image_shape_of(value):
    """Checks `image_shape` and returns it as a tuple of three integers, see `at_least`."""
    sides = listed("image_shape", value, "three whole numbers, (height, width, channels)")
    if len(sides) != 3 or not all(_is_whole(side) and side >= 1 for side in sides):
        raise UsageError(
            f"`image_shape` must be (height, width, channels). Received: {shown(value)}."
        )
    return tuple(map(int, sides))


def check_dataset(dataset):
    """Raises a `UsageError` unless it has what every data set of this package has."""
    if not all(hasattr(dataset, name) for name in ("images", "factors", "factor_names")):
        raise UsageError(
            "`dataset` must be a data set, e.g. from `keras_devae.data.load`. Received: a value of "
            f"type {type(dataset).__name__}; of arrays, `keras_devae.data.from_arrays` makes one."
        )


def check_model(model):
    """Raises a `UsageError` unless it has what every model of this package has."""
    if not hasattr(model, "layer_posterior"):
        raise UsageError(
            "`model` must be a model of this package. Received: a value of type "
            f"{type(model).__name__}; scores of codes from elsewhere are "
            "`keras_devae.metrics.score_codes(codes, factors)`."
        )


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


def shown(value, spell=_SHORT.repr):
    """Returns what was received in one line, as short as a sentence bears.

    Args:
        value: What was received, nested however deep.
        spell: Function that makes it text; by default as Python writes it, cut in length and depth.
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
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:  # An integer that no float can hold.
        return False
