"""Reads .npz archives of arrays, which may be damaged or too large to read at once."""

import contextlib
import math
import struct
import tokenize
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from keras_devae.checks import AnyPath, Array
from keras_devae.errors import FailureError, UsageError
from keras_devae.files.reading import DAMAGED_ARCHIVE, opened, reason_of
from keras_devae.process.machine import available_memory

#: Errors from reading a damaged array or archive of arrays. The last two come from a damaged array
#: header, which is a Python literal.
UNREADABLE = (*DAMAGED_ARCHIVE, OSError, TypeError, SyntaxError, tokenize.TokenError)
_ENCRYPTED = 1


class ForeignObjectsError(UsageError):
    """An array contains Python objects, and reading them would run code."""


def read_arrays(path: AnyPath, names: Iterable[str]) -> dict[str, Array]:
    """Reads arrays from an .npz archive; nothing is ever unpickled.

    Args:
        path: The archive.
        names: Names of the arrays to read.

    Returns:
        The arrays that exist, by name.

    Raises:
        UsageError: If the file is of another kind or too large for this machine, or an array holds
            Python objects.
        FailureError: If it cannot be read, is truncated or damaged.
    """
    try:
        with opened(path) as file:
            _check_start(file, path)
            with zipfile.ZipFile(file) as archive:
                wanted = {name: info for name in names if (info := _member(archive, name, path))}
                _check_memory(wanted.values(), path)
                return {name: _array(archive, info, name) for name, info in wanted.items()}
    except ForeignObjectsError as error:
        raise UsageError(f"{path}: {error}") from None
    except (UsageError, FailureError):
        raise
    except OSError as error:
        raise FailureError(f"{path} cannot be read: {reason_of(error)}.") from None
    except UNREADABLE as error:
        raise FailureError(
            f"{path} is not a complete .npz file: it is damaged or truncated ({reason_of(error)})."
        ) from None


def check_is_archive(path: AnyPath) -> None:
    """Raises a `UsageError` for another kind of file, and a `FailureError` if it cannot be read."""
    try:
        with opened(path) as file:
            _check_start(file, path)
    except OSError as error:
        raise FailureError(f"{path} cannot be read: {reason_of(error)}.") from None


def _check_start(file: IO[bytes], path: AnyPath) -> None:
    start = file.read(4)
    if start[:2] != b"PK":
        found = {b"": "It is empty.", b"\x93NUM": "It is a .npy file."}.get(start, "")
        sentence = f"{path} is not an .npz file, as `numpy.savez` writes it. {found}"
        raise UsageError(sentence.rstrip())


def _member(archive: zipfile.ZipFile, name: str, path: AnyPath) -> zipfile.ZipInfo | None:
    if f"{name}.npy" not in archive.namelist():
        return None
    info = archive.getinfo(f"{name}.npy")
    if info.flag_bits & _ENCRYPTED:
        raise UsageError(f"{path} is encrypted. Save its arrays without a password.")
    return info


def _check_memory(members: Iterable[zipfile.ZipInfo], path: AnyPath) -> None:
    """Refuses arrays that would unpack to more than the free memory, as a ZIP bomb does."""
    needed, there = sum(info.file_size for info in members), available_memory()
    if there is not None and needed > there * 10**6:
        raise UsageError(
            f"{path} unpacks to {needed / 1e9:,.1f} GB, and this machine has {there / 1e3:,.1f} GB "
            "of memory free. Save fewer rows."
        )


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Array:
    with archive.open(info) as member:
        shape, _, dtype = read_header(member)
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise ForeignObjectsError(
                f"{name!r} contains Python objects, which are not read, as unpickling runs code; "
                "save plain arrays of numbers or strings."
            )
        if min(shape, default=0) < 0 or info.file_size != member.tell() + size:
            raise ValueError(
                f"{name!r} has a header for shape {shape} and dtype {dtype}, but not as many bytes"
            )
        member.seek(0)
        return np.lib.format.read_array(member, allow_pickle=False)


@contextlib.contextmanager
def opened_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Opens an archive; raises a `FailureError` if it cannot be read, is truncated or damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except FailureError:
        raise
    except UNREADABLE as error:
        raise _unreadable(path, error) from None


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Returns shape, whether the order is Fortran's, and dtype from an open member's header."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def member_header(path: Path, member: str) -> tuple[tuple[int, ...], np.dtype] | None:
    """Returns shape and dtype of an array in an archive, or `None` if it has no such array.

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
    """Returns the minimum size of a ZIP archive in bytes by its members' headers, if any.

    An archive's directory is at its end, so a truncated archive has none; but each member is
    preceded by a header with its size.
    """
    least, directory = None, 22
    with path.open("rb") as file:
        while len(header := file.read(30)) == 30 and header.startswith(b"PK\x03\x04"):
            compressed, full, name_length, extra_length = struct.unpack("<18xIIHH", header)
            file.seek(name_length, 1)
            extra = file.read(extra_length)
            # The sizes of files that are, or might have become, 4 GB or larger are in an extra
            # field instead: identifier 1, length, full size, compressed size.
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
