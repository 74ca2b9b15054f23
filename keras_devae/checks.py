"""Checks shared by the library and the command line, without heavy imports."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import math
import numbers
import os
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from keras_devae.errors import UsageError, unknown_name

if TYPE_CHECKING:
    import numpy as np

#: A NumPy array; shapes and dtypes are in the docstrings.
Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
#: A path, which `pathlib.Path` takes.
AnyPath: TypeAlias = "str | os.PathLike[str]"
#: A tensor of the active backend.
Tensor: TypeAlias = Any

_T = TypeVar("_T")
_Function = TypeVar("_Function", bound=Callable[..., Any] | None)
_Sized = TypeVar("_Sized", bound=Sized)

#: Names of runs and studies: every system accepts them for folders, and they are easy to type.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
#: Longest name of a run, which leaves room for a number or suffix.
_NAME_LENGTH = 200
#: Most bytes in the name of a file, on nearly all file systems, and in a path.
_FILE_NAME_BYTES, _PATH_BYTES = 255, 4096
#: Most units or latent dimensions of one layer; no machine has the memory for more.
MOST_UNITS = 1_000_000
#: Most entries of a list of betas or widths; the largest published models have a tenth of that.
MOST_PARTS = 100
#: The first number beyond signed integers of 64 bits.
_TOO_LARGE = 2**63
#: Writes values as Python does, even if they are nested too deeply for Python itself.
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother, _SHORT.maxlong = 3, 200, 200, 80
#: Least and greatest height and width in pixels that the convolutional networks take.
CONVOLUTIONAL_SIDES = (16, 512)
#: Most channels that an image may have on its first side, if its others are longer.
_MOST_CHANNELS_FIRST = 5


def run_name(what: str, name: object) -> str:
    """Checks and returns the name of a run or a study, which becomes the name of its folder.

    Raises:
        UsageError: If it does not consist of up to 200 letters, digits, dots, dashes and
            underscores, or does not begin with a letter or a digit; begins with `what`, e.g.
            `"--run"`.
    """
    if not (isinstance(name, str) and len(name) <= _NAME_LENGTH and _NAME.fullmatch(name)):
        raise UsageError(
            f"{what} is the name of a folder: up to {_NAME_LENGTH} letters, digits, dots, dashes "
            f"and underscores, beginning with a letter or a digit. Received: {shown(name)}."
        )
    return name


def usable_path(what: str, path: object) -> Path:
    """Checks and returns a path, whether or not anything exists there.

    Raises:
        UsageError: If it is no path, is empty, as an unset variable of a shell is, cannot be
            printed, or is too long for file systems; begins with `what`, e.g. `"--data-dir"`.
    """
    if not isinstance(path, (str, os.PathLike)) or isinstance(os.fspath(path), bytes):
        raise UsageError(f"{what} must be a path. Received: {shown(path)}.")
    text = os.fspath(path)
    if not text.strip():
        raise UsageError(
            f"{what} must not be empty. Received: {text!r}. Is a shell variable unset? "
            "The current folder is '.'."
        )
    reason = _unusable(text)
    if reason is not None:
        raise UsageError(f"{what} {reason}. Received: {shown(text)}.")
    return Path(path)


def expanded_path(what: str, path: object) -> Path:
    """Checks a path, see `usable_path`, and expands a leading `~` to the home folder."""
    try:
        return usable_path(what, path).expanduser()
    except RuntimeError:
        raise UsageError(
            f"{what} begins with the home folder of an unknown user. Received: {shown(path)}."
        ) from None


def _unusable(text: str) -> str | None:
    """Returns why a string cannot be a path, or `None`."""
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        return "contains a control character, such as the end of a line"
    try:
        sizes = [len(part.encode("utf-8")) for part in text.split("/")]
    except UnicodeEncodeError:
        return "contains a character that is not text"
    if max(sizes) > _FILE_NAME_BYTES or sum(sizes) + len(sizes) > _PATH_BYTES:
        return f"is too long: a name has at most {_FILE_NAME_BYTES} bytes, a path {_PATH_BYTES}"
    return None


def at_least(name: str, value: int, least: int, or_zero: bool = False) -> int:
    """Checks and returns an integer.

    Args:
        name: Name of the argument, for the message.
        value: The value to check.
        least: The smallest value allowed.
        or_zero: Whether 0 is allowed too; default false.

    Raises:
        UsageError: If it is smaller, or not a whole number.
    """
    if not _is_whole(value) or (value < least and not (or_zero and value == 0)):
        wanted = f"{'0 or ' if or_zero else ''}a whole number of at least {least}"
        raise UsageError(f"`{name}` must be {wanted}. Received: {shown(value, str)}.")
    if value >= _TOO_LARGE:
        raise UsageError(f"`{name}` must be a whole number below 2^63. It is larger.")
    return value


def finite(name: str, value: float) -> float:
    """Checks a finite number and returns it as a float, see `at_least`."""
    if not _is_finite(value):
        raise UsageError(f"`{name}` must be a finite number. Received: {shown(value)}.")
    return float(value)


def finite_at_least(name: str, value: float, least: float = 0.0) -> float:
    """Checks a finite number, see `at_least`; `least` itself is allowed, default 0."""
    if not (_is_finite(value) and value >= least):
        raise UsageError(
            f"`{name}` must be a finite number of at least {least:g}. Received: "
            f"{shown(value, str)}."
        )
    return value


def positive(name: str, value: float) -> float:
    """Checks a finite number above 0, see `at_least`."""
    if not (_is_finite(value) and value > 0):
        raise UsageError(
            f"`{name}` must be a finite number above 0. Received: {shown(value, str)}."
        )
    return value


def one_of(kind: str, value: object, known: Iterable[str]) -> str:
    """Checks and returns a name, see `keras_devae.errors.unknown_name` for the arguments."""
    if not isinstance(value, str) or value not in known:
        raise unknown_name(kind, value if isinstance(value, str) else shown(value), known)
    return value


def flag(name: str, value: object) -> bool:
    """Checks a switch, true or false, see `at_least`."""
    if type(value).__name__ not in ("bool", "bool_"):
        raise UsageError(f"`{name}` must be true or false. Received: {shown(value)}.")
    return bool(value)


def listed(name: str, values: Iterable[_T], what: str) -> tuple[_T, ...]:
    """Checks a list of `what`, e.g. `"numbers"`, and returns it as a tuple, see `at_least`.

    Any iterable counts as one, except strings and dictionaries.
    """
    try:
        if not isinstance(values, (str, bytes, Mapping)):
            return tuple(values)
    except TypeError:  # Arrays without an axis claim to be iterable.
        pass
    raise UsageError(f"`{name}` must be a list of {what}. Received: {shown(values)}.")


def _few(name: str, values: _Sized) -> _Sized:
    """Refuses a list with more parts of a model than any machine could build."""
    if len(values) > MOST_PARTS:
        raise UsageError(
            f"`{name}` must have at most {MOST_PARTS} entries. Received: {len(values):,}."
        )
    return values


def pressures(name: str, values: Iterable[float]) -> tuple[float, ...]:
    """Checks a list of betas and returns it as a tuple of floats, see `at_least`."""
    checked = _few(name, listed(name, values, "numbers"))
    if not checked:
        raise UsageError(f"`{name}` must hold at least one number. Received none.")
    return tuple(float(finite_at_least(name, value)) for value in checked)


def widths(name: str, values: Iterable[int]) -> tuple[int, ...]:
    """Checks a list of widths of layers and returns it as a tuple of integers, see `at_least`."""
    checked = _few(name, listed(name, values, "whole numbers"))
    for value in checked:
        if at_least(name, value, 1) > MOST_UNITS:
            raise UsageError(f"`{name}` must be at most {MOST_UNITS:,} each. Received: {value:,}.")
    return tuple(map(int, checked))


def partition(name: str, sizes: Iterable[int], total: int) -> tuple[int, ...]:
    """Checks sizes of groups of `total` latent dimensions and returns them, see `at_least`."""
    checked = widths(name, sizes)
    if sum(checked) != total:
        raise UsageError(
            f"`{name}` must add up to the number of latent dimensions, {total}. Received: "
            f"{', '.join(map(str, checked)) or 'none'}."
        )
    return checked


def path_of(name: str, value: object) -> Path:
    """Checks an argument that is a path, see `usable_path`, and returns it with `~` expanded."""
    return expanded_path(f"`{name}`", value)


def texts(name: str, values: Iterable[str]) -> tuple[str, ...]:
    """Checks a list of texts and returns it as a tuple, see `at_least`."""
    checked = listed(name, values, "texts")
    if not all(isinstance(value, str) for value in checked):
        raise UsageError(f"`{name}` must be a list of texts. Received: {shown(values)}.")
    return checked


def check_printable(name: str, values: Iterable[str]) -> None:
    """Raises a `UsageError` for a text that would move the cursor or colour a terminal."""
    for value in values:
        if not value.isprintable():
            raise UsageError(
                f"`{name}` must be texts without control characters. Received: {shown(value)}."
            )


def function_or_none(name: str, value: _Function) -> _Function:
    """Checks a function that may be left out, see `at_least`."""
    if value is not None and not callable(value):
        raise UsageError(f"`{name}` must be a function or None. Received: {shown(value)}.")
    return value


def image_shape_of(value: Iterable[int]) -> tuple[int, int, int]:
    """Checks `image_shape` and returns it as a tuple of three integers, see `at_least`."""
    sides = listed("image_shape", value, "three whole numbers, (height, width, channels)")
    if len(sides) != 3 or not all(_is_whole(side) and side >= 1 for side in sides):
        raise UsageError(
            f"`image_shape` must be (height, width, channels). Received: {shown(value)}."
        )
    height, width, channels = map(int, sides)
    return height, width, channels


def check_dataset(dataset: object) -> None:
    """Raises a `UsageError` unless it has what every data set of this package has."""
    if not all(hasattr(dataset, name) for name in ("images", "factors", "factor_names")):
        raise UsageError(
            "`dataset` must be a data set, e.g. from `keras_devae.data.load`. Received: a value of "
            f"type {type(dataset).__name__}; of arrays, `keras_devae.data.from_arrays` makes one."
        )


def check_model(model: object) -> None:
    """Raises a `UsageError` unless it has what every model of this package has."""
    if not hasattr(model, "layer_posterior"):
        raise UsageError(
            "`model` must be a model of this package. Received: a value of type "
            f"{type(model).__name__}; scores of codes from elsewhere are "
            "`keras_devae.metrics.score_codes(codes, factors)`."
        )


def check_channels_last(image_shape: tuple[int, ...]) -> None:
    """Raises a `UsageError` for the shape of an image with the channels first, as in PyTorch.

    Only a shape that can hardly mean anything else is refused: at most 5 channels, and more than 5
    pixels in height and width. Small and narrow images pass.
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


def check_convolutional_size(image_shape: Sequence[int]) -> None:
    """Raises a `UsageError` unless height and width are within `CONVOLUTIONAL_SIDES`."""
    height, width = image_shape[:2]
    least, most = CONVOLUTIONAL_SIDES
    if not least <= min(height, width) <= max(height, width) <= most:
        raise UsageError(
            f"The convolutional networks take images of {least} to {most} pixels in height and in "
            f"width. Received: {height}x{width}. Resize the images, or choose network='mlp'."
        )


def shown(value: object, spell: Callable[[object], str] = _SHORT.repr) -> str:
    """Returns a received value in one line that is short enough for a message.

    `spell` makes it text; by default as Python writes it, cut in length and depth.
    """
    if isinstance(value, int) and value.bit_length() > 256:
        return "a number of more than 70 digits"
    text = " ".join(spell(value).split())
    return text if len(text) <= 80 else f"{text[:60]}... ({type(value).__name__})"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Returns a number with its noun, e.g. `"1 factor"` and `"3 factors"`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def require_extra(what: str, module: str, extra: str) -> None:
    """Raises a `UsageError` unless a module of one of the package's extras is installed.

    It begins with `what`, the thing that needs the module.
    """
    if importlib.util.find_spec(module) is None:
        # Without TensorFlow the package has another name.
        core = "-core" * any(importlib.metadata.distributions(name="keras-devae-core"))
        raise UsageError(
            f"{what} needs {module}, which is not installed here. Install it with `pip install "
            f"'keras-devae{core}[{extra}]'`."
        )


def _is_whole(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_finite(value: object) -> bool:
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:  # An integer that no float can hold.
        return False
