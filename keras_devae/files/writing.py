"""Writing files so that a crash never leaves half of one under its name."""

import contextlib
import csv
import errno
import hashlib
import io
import json
import math
import os
import re
import secrets
import shutil
import tempfile
import zipfile
from pathlib import Path

from keras_devae.checks import usable_path
from keras_devae.errors import FailureError, UsageError
from keras_devae.files.reading import (
    DAMAGED_ARCHIVE,
    NotAFileError,
    check_size,
    opened,
    read_text,
    reason_of,
)

#: Why nothing more can be written: the disk is full, a quota used up, a file over its limit.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: The names that `_temporary_name` makes, and no other program does.
_TEMPORARY = re.compile(r"\..+\.keras-devae-(\d+)-[0-9a-f]{16}(\.\w+)?")
#: How much of a file's name is in that of its temporary one, which has to fit on a disk too.
_STEM_LENGTH, _SUFFIX_LENGTH = 40, 10


class DiskFullError(FailureError):
    """A file could not be written for want of room; what stood under its name is as it was."""


@contextlib.contextmanager
def replacing(path, durable=False, alone=False):
    """Gives a temporary path beside a file, and puts it in the file's place at the end.

    Args:
        path: The file to write. Its folder is created.
        durable: Whether the content is on the disk before the file gets its name, so that it
            outlives a power failure too; default false.
        alone: Whether the temporary path lies in a folder that holds nothing else, for writers that
            put files of their own beside it; default false.

    Yields:
        The temporary path, with the same suffix. If the block raises, it is removed and the file
        stays as it was.

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
            "Make room; what stood there before is as it was."
        ) from error
    finally:
        remove_temporary(own)


def _temporary_name(path):
    suffix = path.suffix if len(path.suffix) <= _SUFFIX_LENGTH else ""
    mark = f"keras-devae-{os.getpid()}-{secrets.token_hex(8)}"
    return f".{path.stem[:_STEM_LENGTH]}.{mark}{suffix}"


def remove_temporary(path):
    """Removes what `replacing` made and `leftovers` found; it may be gone already."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_full(error):
    # HDF5 tells the number of the error in words only, and what closes an archive that was not
    # finished hides the error behind another one.
    while error is not None:
        said = re.search(r"errno = (\d+)", str(error))
        number = getattr(error, "errno", None) or (said and int(said.group(1)))
        if number in _FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


def flush_to_disk(path):
    """Waits until a file, or the list of names in a folder, is on the disk.

    Windows flushes no folders; nothing happens with one there.
    """
    is_folder = os.path.isdir(path)
    if is_folder and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def leftovers(folder):
    """Finds the temporary files that `replacing` left in a folder because its process was killed.

    Args:
        folder: The folder; it may be missing. Those below it are not looked at.

    Returns:
        List of paths; that of a folder for one written `alone`. Those of a process that is still
        there are left out, and so is every name that `replacing` does not make.
    """
    folder = Path(folder)
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    named = ((entry, _TEMPORARY.fullmatch(entry.name)) for entry in entries)
    return [
        entry
        for entry, match in named
        if match and not entry.is_symlink() and not _is_alive(int(match.group(1)))
    ]


def _is_alive(process):
    # On Windows asking would send a signal: there, what is left stays.
    if process == os.getpid() or os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def write_text(path, text, durable=False):
    """Writes a text file in one move; for `durable` see `replacing`."""
    with replacing(path, durable) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path, value, durable=False):
    """Writes a JSON file in one move; for `durable` see `replacing`."""
    write_text(path, json.dumps(value, indent=2) + "\n", durable)


def is_there(path):
    """Tells whether a name is taken, be it by a folder, a broken link or anything else."""
    return os.path.lexists(path)


def read_json(path):
    """Returns what a JSON file holds.

    Raises:
        FailureError: If it cannot be read, or is nested deeper than any such file of a run.
    """
    try:
        value = json.loads(read_text(path))
        check_size(value)
        return value
    except (OSError, ValueError, RecursionError) as error:
        raise FailureError(f"{path} cannot be read: {reason_of(error)}.") from None


def archive_damage(path):
    """Reads a ZIP archive, such as a `.keras` or `.npz` file, and compares all its checksums.

    Args:
        path: The file.

    Returns:
        What is wrong with its content, in words, or `None` if it is whole.

    Raises:
        OSError: If it cannot be read, which says nothing about its content; `NotAFileError` if it
            is no file.
    """
    try:
        with opened(path) as file, zipfile.ZipFile(file) as archive:
            broken = archive.testzip()
    except NotAFileError:
        raise
    except OSError as error:
        # A number in the file can point to before its beginning.
        if error.errno != errno.EINVAL:
            raise
        return str(error)
    except DAMAGED_ARCHIVE as error:
        return str(error) or type(error).__name__
    return broken and f"its part {broken} has another checksum"


def write_table(path, rows, durable=False):
    """Writes a CSV file in one move.

    Args:
        path: The file.
        rows: Dictionaries; what one of them lacks is NaN.
        durable: See `replacing`.
    """
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n", restval=math.nan)
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue(), durable)


def read_table(path, number=float):
    """Reads a CSV file of numbers, one of whose columns is `step`.

    Args:
        path: The file.
        number: Function that makes a number of its text; default `float`.

    Returns:
        List of dictionaries; `step` is an integer.

    Raises:
        ValueError: If it is damaged.
    """
    try:
        table = csv.DictReader(io.StringIO(read_text(path), newline=""))
        rows = [{name: number(text) for name, text in row.items()} for row in table]
        if "step" not in (table.fieldnames or ()):
            raise ValueError("it has no column step")
        if len(set(table.fieldnames)) < len(table.fieldnames):
            raise ValueError("it has two columns of the same name")
        return [{**row, "step": step} for row, step in zip(rows, _steps(rows), strict=True)]
    except OSError as error:
        raise ValueError(reason_of(error)) from None
    except (TypeError, KeyError, OverflowError, csv.Error) as error:
        raise ValueError(str(error)) from None


def _steps(rows):
    """Returns the steps of a table as integers; raises a `ValueError` if they cannot be steps."""
    steps = [int(row["step"]) for row in rows]
    if any(step != row["step"] for step, row in zip(steps, rows, strict=True)):
        raise ValueError("a step is not a whole number")
    if steps != sorted(steps) or min(steps, default=0) < 0:
        raise ValueError("its steps do not ascend from 0")
    return steps


def file_hash(path):
    """Returns the SHA-256 of a file in hexadecimal."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_writable(path):
    """Checks, before long work, that a file can be written; its folder may be missing.

    Raises:
        UsageError: If it cannot.
    """
    path = usable_path("The file to write", path)
    # Renaming a file to the name of a device, a pipe or a link to one would put that away. Where
    # /dev/stdout leads to depends on the shell: it may be a file.
    is_file = os.path.isfile(path) and os.path.realpath(path.parent) != "/dev"
    if os.path.exists(path) and not is_file:
        what = "is a folder" if os.path.isdir(path) else "is not a file"
        raise UsageError(f"Cannot write to {path}: it {what}. Choose another file.")
    _check_place(path, path.parent, "Choose another file.")


def check_new(path):
    """Checks, before long work, that something new can be made; its folder may be missing.

    Raises:
        UsageError: If the name is taken, or nothing can be written there.
    """
    path = usable_path("The folder to write", path)
    if os.path.lexists(path):
        raise UsageError(f"{path} exists. Choose another folder, or remove it first.")
    _check_place(path, path.parent, "Choose another folder.")


def check_folder(folder, remedy="Choose another folder."):
    """Checks, before long work, that files can be written into a folder; it may be missing.

    Args:
        folder: The folder.
        remedy: What to do if they cannot, a sentence.

    Raises:
        UsageError: If they cannot.
    """
    _check_place(folder, folder, remedy)


def _check_place(path, folder, remedy):
    reason = _why_not_writable(folder)
    if reason is not None:
        raise UsageError(f"Cannot write to {path}: {reason}. {remedy}")


def _why_not_writable(folder):
    """Says what keeps files from being written into a folder, or the nearest one that is there.

    It is tried, and nothing stays: permissions do not tell, neither those of the root nor those on
    a file system such as /proc.
    """
    try:
        folder = Path(os.path.realpath(folder))
        there = next(above for above in (folder, *folder.parents) if os.path.lexists(above))
        if not there.is_dir():
            return f"{there} is not a folder"
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"1")
    except OSError as error:
        return f"{error.strerror or error}"
    return None
