"""16-bit grey pictures, many of which use fewer bits, e.g. camera images and maps of classes."""

import struct
from pathlib import Path
from typing import Any

import numpy as np

from keras_devae.checks import Array

#: Numbers of bits, out of 16, that cameras and programs use.
_USUAL_BITS = (8, 10, 12, 14, 16)
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# TIFF tags.
_BITS_PER_SAMPLE, _MAX_SAMPLE_VALUE = 258, 281


def holds_many_bits(picture: Any) -> bool:
    """Returns whether a `PIL.Image.Image` is grey with more than 8 bits, or with floats."""
    return picture.mode == "F" or picture.mode.startswith("I")


def grey_values(picture: Any) -> Array:
    """Returns the integer values of a grey picture; raises `ValueError` for floats and 32 bits."""
    if picture.mode == "F":
        raise ValueError("its pixels are floats, of which the range is not known")
    values = np.asarray(picture)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(f"its pixels lie in {values.min()}..{values.max()}, beyond 16 bits")
    return values


def stated_bits(picture: Any, file: Path) -> int | None:
    """Returns how many of its 16 bits a picture uses according to its file, or `None`.

    A PNG states this in `sBIT`, a TIFF in `BitsPerSample` or `MaxSampleValue`.
    """
    if picture.format == "PNG":
        return _significant_bits(file)
    tags = getattr(picture, "tag_v2", {})
    largest = tags.get(_MAX_SAMPLE_VALUE)
    if largest:
        return int(np.max(largest)).bit_length()
    bits = tags.get(_BITS_PER_SAMPLE)
    return int(bits[0]) if bits and bits[0] < 16 else None


def used_bits(largest: int, stated: int | None = None) -> int:
    """Returns how many bits the values of a set of 16-bit pictures use.

    `largest` is their largest value, `stated` the number in their files. A PNG that follows its
    specification scales the stated bits up to all 16, so its values may exceed them.
    """
    if stated is not None:
        return stated if largest < 2**stated else 16
    return next(bits for bits in _USUAL_BITS if largest < 2**bits)


def eight_bits(values: Array, bits: int) -> Array:
    """Scales values that use the lowest `bits` of 16 to uint8."""
    spread = values >> (bits - 8) if bits >= 8 else values * 255 // (2**bits - 1)
    return np.minimum(spread, 255).astype(np.uint8)


def _significant_bits(file: Path) -> int | None:
    """Returns the number in the chunk `sBIT`, which precedes the pixels."""
    with file.open("rb") as content:
        if content.read(8) != _PNG_SIGNATURE:
            return None
        while len(header := content.read(8)) == 8:
            length, kind = struct.unpack(">I4s", header)
            if kind == b"sBIT":
                bits = content.read(1)
                return bits[0] if bits and 0 < bits[0] < 16 else None
            if kind in (b"IDAT", b"PLTE", b"IEND"):
                return None
            content.seek(length + 4, 1)
    return None
