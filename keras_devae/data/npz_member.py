"""Arrays in .npz archives that are too large to be read at once, and what archives die of."""

import contextlib
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from keras_devae.errors import FailureError

#: What reading a damaged array or archive of arrays raises. RuntimeError: encrypted, or compressed
#: in a way that is not known. The last two: a damaged header of an array, which is Python's
#: notation.
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    SyntaxError,
    tokenize.TokenError,
)


@contextlib.contextmanager
def opened_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Opens an archive and turns every way in which reading it fails into one error.

    Raises:
        FailureError: If the archive cannot be read, is truncated or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except FailureError:
        raise
    except UNREADABLE as error:
        raise _unreadable(path, error) from None


def read_header(file) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Reads the header of an array, and nothing else, from the start of an opened member.

    Returns:
        Its shape, whether its order is Fortran's, and its type.
    """
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def member_header(path: Path, member: str) -> tuple[tuple[int, ...], np.dtype] | None:
    """Reads the shape and the type of an array in an archive, and nothing of its content.

    Args:
        path: The archive.
        member: Name of the array.

    Returns:
        Its shape and type, or `None` if the archive has no such array.

    Raises:
        FailureError: If the archive cannot be read, is truncated or damaged.
    """
    with opened_archive(path) as archive:
        if f"{member}.npy" not in archive.namelist():
            return None
        with archive.open(f"{member}.npy") as file:
            shape, _, dtype = read_header(file)
            return shape, dtype


def least_bytes(path: Path) -> int | None:
    """Size that the members of a zip archive announce, as far as they can be followed.

    The directory of an archive is at its end, so that a truncated one has none; but each member
    is preceded by a header with its size.
    """
    least, directory = None, 22
    with path.open("rb") as file:
        while len(header := file.read(30)) == 30 and header.startswith(b"PK\x03\x04"):
            compressed, full, name_length, extra_length = struct.unpack("<18xIIHH", header)
            file.seek(name_length, 1)
            extra = file.read(extra_length)
            # Sizes of 4 GB and more, and those of any file that might have become so large, are
            # in an extra field instead: identifier 1, length, full size, compressed size.
            if compressed == full == 0xFFFFFFFF and extra.startswith(b"\x01\x00"):
                compressed = int.from_bytes(extra[12:20], "little")
            directory += 46 + name_length
            least = file.seek(compressed, 1) + directory
    return least


def _unreadable(path: Path, error: Exception) -> FailureError:
    if isinstance(error, OSError) and error.strerror:
        return FailureError(f"{path} cannot be read: {error.strerror}.")
    actual, expected = path.stat().st_size, least_bytes(path)
    if expected is not None and actual < expected:
        return FailureError(
            f"{path} is truncated: it has {actual:,} bytes, and at least {expected:,} were "
            "expected. Download it again."
        )
    return FailureError(f"{path} ({actual:,} bytes) is damaged: {error}. Download it again.")
