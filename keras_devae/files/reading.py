"""Reads files that may be damaged or too large, or may not be files at all."""

import csv
import errno
import hashlib
import io
import json
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from typing import Any

from keras_devae.checks import AnyPath
from keras_devae.errors import FailureError

#: Maximum size of a text file to read; a run's files are far smaller.
MOST_BYTES = 2**28
#: Maximum nesting of lists and dictionaries; a run's files have only a few levels.
MOST_LEVELS = 64
#: Errors from reading a damaged ZIP archive. RuntimeError: it is encrypted, or compressed by an
#: unknown method.
DAMAGED_ARCHIVE = (
    *(ValueError, KeyError, OverflowError, RuntimeError, EOFError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
)
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class NotAFileError(OSError):
    """Something other than a file is in the place of a file."""


def opened(path: AnyPath) -> io.BufferedReader:
    """Opens a file, or a link to one, to read bytes; refuses what could block forever.

    Raises:
        NotAFileError: If a folder, a named pipe, a socket or a device is in its place.
        OSError: If it is missing or cannot be opened.
    """
    _check_is_file(os.stat(path), path)
    # It may have become a named pipe since, and one without a writer blocks.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        _check_is_file(os.fstat(descriptor), path)
    except NotAFileError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def _check_is_file(facts: os.stat_result, path: AnyPath) -> None:
    kind = stat.S_IFMT(facts.st_mode)
    if kind != stat.S_IFREG:
        found = _KINDS.get(kind, "something else")
        raise NotAFileError(errno.EINVAL, f"{found} stands where a file belongs", str(path))


def read_text(path: AnyPath, most_bytes: int = MOST_BYTES) -> str:
    """Returns the text of a UTF-8 file of at most `most_bytes` bytes.

    Raises:
        NotAFileError: See `opened`.
        OSError: If it is missing or cannot be read.
        ValueError: If it is not UTF-8, or too large.
    """
    with opened(path) as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise ValueError(f"it is larger than {most_bytes / 2**20:g} MiB")
    return content.decode("utf-8")


def reason_of(error: BaseException) -> str:
    """Says why a file could not be read, on one line and without its path."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(words.split())


def check_size(value: object, levels: int = MOST_LEVELS, entries: int = 10**7) -> None:
    """Checks the content of a JSON, TOML or YAML file, before any code recurses into it.

    Raises:
        ValueError: If lists and dictionaries are nested more than `levels` deep, or have more than
            `entries` entries on one level. Repeated objects count each time.
    """
    level = [value]
    for _ in range(levels + 1):
        containers = [part for part in level if isinstance(part, (dict, list))]
        if not containers:
            return
        if sum(map(len, containers)) > entries:
            raise ValueError(f"it has more than {entries:,} entries")
        level = [entry for part in containers for entry in _entries(part)]
    raise ValueError(f"it is nested deeper than {levels} levels")


def _entries(container: dict | list) -> Iterable[object]:
    return container.values() if isinstance(container, dict) else container


def read_json(path: AnyPath) -> Any:
    """Returns the content of a JSON file; raises a `FailureError` if it cannot be read."""
    try:
        value = json.loads(read_text(path))
        check_size(value)
        return value
    except (OSError, ValueError, RecursionError) as error:
        raise FailureError(f"{path} cannot be read: {reason_of(error)}.") from None


def archive_damage(path: AnyPath) -> str | None:
    """Checks a ZIP archive, such as a `.keras` or `.npz` file, by its checksums.

    Returns:
        What is wrong with it, or `None` if it is intact.

    Raises:
        OSError: If it cannot be read, which says nothing about its content.
        NotAFileError: If it is not a file.
    """
    try:
        with opened(path) as file, zipfile.ZipFile(file) as archive:
            broken = archive.testzip()
    except NotAFileError:
        raise
    except OSError as error:
        # Damage can make an offset in the file point before its beginning.
        if error.errno != errno.EINVAL:
            raise
        return str(error)
    except DAMAGED_ARCHIVE as error:
        return str(error) or type(error).__name__
    return f"its part {broken} has another checksum" if broken else None


def read_table(path: AnyPath, number: Callable[[str], Any] = float) -> list[dict[str, Any]]:
    """Reads a CSV file of numbers, which `number` parses, into dictionaries.

    One of its columns is `step`, an integer in the result.

    Raises:
        ValueError: If it is damaged.
    """
    try:
        table = csv.DictReader(io.StringIO(read_text(path), newline=""))
        rows = [{name: number(text) for name, text in row.items()} for row in table]
        columns = table.fieldnames or ()
        if "step" not in columns:
            raise ValueError("it has no column step")
        if len(set(columns)) < len(columns):
            raise ValueError("it has two columns of the same name")
        return [{**row, "step": step} for row, step in zip(rows, _steps(rows), strict=True)]
    except OSError as error:
        raise ValueError(reason_of(error)) from None
    except (TypeError, KeyError, OverflowError, csv.Error) as error:
        raise ValueError(str(error)) from None


def _steps(rows: list[dict[str, Any]]) -> list[int]:
    """Returns the steps of a table as integers; raises a `ValueError` if they cannot be steps."""
    steps = [int(row["step"]) for row in rows]
    if any(step != row["step"] for step, row in zip(steps, rows, strict=True)):
        raise ValueError("a step is not a whole number")
    if steps != sorted(steps) or min(steps, default=0) < 0:
        raise ValueError("its steps do not ascend from 0")
    return steps


def file_hash(path: AnyPath) -> str:
    """Returns the SHA-256 of a file in hexadecimal."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
