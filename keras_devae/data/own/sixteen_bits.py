"""16-bit grey pictures, many of which hold fewer bits: those of a camera, or classes."""

import struct
from pathlib import Path

import numpy as np

#: How many bits cameras and programs put into 16.
_USUAL_BITS = (8, 10, 12, 14, 16)
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Tags of TIFF.
_BITS_PER_SAMPLE, _MAX_SAMPLE_VALUE = 258, 281


def holds_many_bits(picture) -> bool:
    """Tells whether a `PIL.Image.Image` is grey with more than 8 bits, or with floats."""
    return picture.mode == "F" or picture.mode.startswith("I")


def grey_values(picture) -> np.ndarray:
    """Returns the values of a grey picture of at most 16 bits, an array of integers.

    Raises:
        ValueError: If they are floats, or lie beyond 16 bits.
    """
    if picture.mode == "F":
        raise ValueError("its pixels are floats, of which the range is not known")
    values = np.asarray(picture)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(f"its pixels lie in {values.min()}..{values.max()}, beyond 16 bits")
    return values


def stated_bits(picture, file: Path) -> int | None:
    """Returns how many of the 16 bits of a picture its file says it uses, or `None`.

    That is `sBIT` in a PNG, `BitsPerSample` or `MaxSampleValue` in a TIFF.

    Args:
        picture: The opened `PIL.Image.Image`.
        file: Its file.
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
    """Returns how many bits the values of 16-bit pictures use.

    Args:
        largest: The largest value of all the pictures that belong together.
        stated: What their files say, if they say it. A PNG that keeps to its format spreads the
            bits that it states over all 16, so that its values may be beyond them. Default: `None`.
    """
    if stated is not None:
        return stated if largest < 2**stated else 16
    return next(bits for bits in _USUAL_BITS if largest < 2**bits)


def eight_bits(values: np.ndarray, bits: int) -> np.ndarray:
    """Returns values of so many bits, the lowest of 16, as uint8."""
    spread = values >> (bits - 8) if bits >= 8 else values * 255 // (2**bits - 1)
    return np.minimum(spread, 255).astype(np.uint8)


def _significant_bits(file: Path) -> int | None:
    """Returns the number in the chunk `sBIT`, which stands before the pixels."""
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
