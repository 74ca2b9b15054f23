"""Image sizes as users give them, height first: `64`, `(218, 178)` or `"218x178"`."""

from __future__ import annotations

import numbers
import re
from typing import Any

from keras_devae.checks import shown
from keras_devae.errors import UsageError

#: Height and width of squares as one number, of other images as two.
ImageSize = int | tuple[int, int]

#: Larger images would not fit into memory in useful numbers.
LARGEST_SIDE = 2**14


def checked_size(value: Any) -> ImageSize:
    """Returns an image size as one number for a square, and otherwise as `(height, width)`.

    It takes one or two whole numbers, or a text such as `"64"` or `"218x178"`, and raises a
    `UsageError` for anything else.
    """
    sides = _sides(value)
    if sides is None or min(sides) < 1:
        raise UsageError(
            "`image_size` must be a whole number of at least 1, or HEIGHTxWIDTH such as 218x178. "
            f"Received: {shown(value, str)}."
        )
    if max(sides) > LARGEST_SIDE:
        raise UsageError(
            f"`image_size` must be at most {LARGEST_SIDE}. Received: {shown(value, str)}."
        )
    return compact_size(*sides)


def _sides(value: Any) -> tuple[int, int] | None:
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d{1,9})(?:\s*[xX]\s*(\d{1,9}))?\s*", value)
        return (int(match[1]), int(match[2] or match[1])) if match else None
    if _is_whole(value):
        return int(value), int(value)
    if isinstance(value, (list, tuple)) and len(value) == 2 and all(map(_is_whole, value)):
        return int(value[0]), int(value[1])
    return None


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def compact_size(height: int, width: int) -> ImageSize:
    """Returns one number for squares, else `(height, width)`."""
    return height if height == width else (height, width)


def height_and_width(size: ImageSize) -> tuple[int, int]:
    """Returns both sides of a checked size."""
    return (size, size) if isinstance(size, int) else size


def size_text(size: ImageSize | None) -> str:
    """Returns a checked size as it is typed: `64` or `218x178`; `None` stays `None`."""
    return str(size) if size is None or isinstance(size, int) else f"{size[0]}x{size[1]}"


def pixels_text(size: ImageSize) -> str:
    """Returns a checked size with both sides: `64x64`, `218x178`."""
    return "x".join(map(str, height_and_width(size)))
