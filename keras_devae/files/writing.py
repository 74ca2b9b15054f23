"""Writes files so that a crash never leaves a half-written one under its name."""

import contextlib
import csv
import errno
import io
import json
import math
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from keras_devae.checks import AnyPath
from keras_devae.errors import FailureError

#: Errors when nothing more can be written: a full disk, a used-up quota, a file at its limit.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: Names that `_temporary_name` makes and no other program does.
_TEMPORARY = re.compile(r"\..+\.keras-devae-(\d+)-[0-9a-f]{16}(\.\w+)?")
#: How many characters of a file's name its temporary name repeats, as name lengths are limited.
_STEM_LENGTH, _SUFFIX_LENGTH = 40, 10


class DiskFullError(FailureError):
    """There was no room to write a file; an existing file of that name is unchanged."""


@contextlib.contextmanager
def replacing(path: AnyPath, durable: bool = False, alone: bool = False) -> Iterator[Path]:
    """Yields a temporary path beside a file, and renames it to that file at the end.

    If the block raises, the temporary file is removed and the file is unchanged.

    Args:
        path: The file to write. Its folder is created; the temporary path has the same suffix.
        durable: Whether the content reaches the disk before the file gets its name, so that it
            also survives a power failure; default false.
        alone: Whether the temporary path is in an otherwise empty folder, for writers that put
            other files beside it; default false.

    Raises:
        DiskFullError: If there is no room for the file.
    """
    path = Path(path)
    own = path.with_name(_temporary_name(path))
    temporary = own / path.name if alone else own
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if durable:
            flush_to_disk(temporary)
        os.replace(temporary, path)
        if durable:
            flush_to_disk(path.parent)
    except Exception as error:
        if not _is_full(error):
            raise
        raise DiskFullError(
            f"There is no room to write {path}: the disk is full, or a quota or limit is reached. "
            "Make room; what was there before is unchanged."
        ) from error
    finally:
        remove_temporary(own)


def _temporary_name(path: Path) -> str:
    suffix = path.suffix if len(path.suffix) <= _SUFFIX_LENGTH else ""
    mark = f"keras-devae-{os.getpid()}-{secrets.token_hex(8)}"
    return f".{path.stem[:_STEM_LENGTH]}.{mark}{suffix}"


def remove_temporary(path: Path) -> None:
    """Removes a file or folder that `replacing` made or `leftovers` found, if it still exists."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_full(error: BaseException | None) -> bool:
    # HDF5 has the error's number only in its message, and closing an unfinished archive hides the
    # error behind another one.
    while error is not None:
        said = re.search(r"errno = (\d+)", str(error))
        number = getattr(error, "errno", None) or (said and int(said.group(1)))
        if number in _FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


def flush_to_disk(path: Path) -> None:
    """Waits until a file, or a folder's list of names (except on Windows), is on disk."""
    is_folder = os.path.isdir(path)
    if is_folder and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def leftovers(folder: AnyPath) -> list[Path]:
    """Finds the temporary files in a folder that `replacing` left because its process was killed.

    The folder may be missing; its subfolders are not searched. A file written with `alone` is found
    as a folder. Files of running processes are left out, and so are names that `replacing` does not
    make.
    """
    folder = Path(folder)
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    named = ((entry, _TEMPORARY.fullmatch(entry.name)) for entry in entries)
    return [
        entry
        for entry, match in named
        if match and not entry.is_symlink() and not _is_alive(int(match.group(1)))
    ]


def _is_alive(process: int) -> bool:
    # On Windows, asking would send a signal, so leftovers stay there.
    if process == os.getpid() or os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def write_text(path: AnyPath, text: str, durable: bool = False) -> None:
    """Writes a text file atomically; for `durable` see `replacing`."""
    with replacing(path, durable) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: AnyPath, value: Any, durable: bool = False) -> None:
    """Writes a JSON file atomically; for `durable` see `replacing`."""
    write_text(path, json.dumps(value, indent=2) + "\n", durable)


def write_table(path: AnyPath, rows: Iterable[Mapping[str, Any]], durable: bool = False) -> None:
    """Writes rows as a CSV file atomically, with NaN for missing values; see `replacing`."""
    rows = list(rows)
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n", restval=math.nan)
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue(), durable)
