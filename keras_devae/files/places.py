"""Checks, before long work begins, that files and folders can be created."""

import os
import tempfile
from pathlib import Path

from keras_devae.checks import AnyPath, usable_path
from keras_devae.errors import UsageError


def is_there(path: AnyPath) -> bool:
    """Tells whether a name is taken, by a file, a folder, a broken link or anything else."""
    return os.path.lexists(path)


def check_writable(path: AnyPath) -> None:
    """Raises a `UsageError` unless a file can be written; its folder may be missing."""
    path = usable_path("The file to write", path)
    # Renaming a file to the name of a device, a pipe or a link to one would replace it. /dev/stdout
    # may link to a file.
    is_file = os.path.isfile(path) and os.path.realpath(path.parent) != "/dev"
    if os.path.exists(path) and not is_file:
        what = "is a folder" if os.path.isdir(path) else "is not a file"
        raise UsageError(f"Cannot write to {path}: it {what}. Choose another file.")
    _check_place(path, path.parent, "Choose another file.")


def check_new(path: AnyPath) -> None:
    """Raises a `UsageError` unless a folder can be created; its parent may be missing."""
    path = usable_path("The folder to write", path)
    if is_there(path):
        raise UsageError(f"{path} exists. Choose another folder, or remove it first.")
    _check_place(path, path.parent, "Choose another folder.")


def check_folder(folder: AnyPath, remedy: str = "Choose another folder.") -> None:
    """Raises a `UsageError` that ends with `remedy` unless files can be written into a folder.

    The folder may be missing.
    """
    _check_place(folder, folder, remedy)


def _check_place(path: AnyPath, folder: AnyPath, remedy: str) -> None:
    reason = _why_not_writable(folder)
    if reason is not None:
        raise UsageError(f"Cannot write to {path}: {reason}. {remedy}")


def _why_not_writable(folder: AnyPath) -> str | None:
    """Returns why files cannot be written into a folder or its nearest existing parent, or `None`.

    It tries to write and leaves nothing behind, as permissions say little for root, or on file
    systems such as /proc.
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
