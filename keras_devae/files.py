"""Writing files so that a crash never leaves half of one under its name."""

import contextlib
import json
import os
from pathlib import Path

from keras_devae.errors import UsageError


@contextlib.contextmanager
def replacing(path):
    """Gives a temporary path beside a file, and puts it in the file's place at the end.

    Args:
        path: The file to write. Its folder is created.

    Yields:
        The temporary path, with the same suffix. If the block raises, it is removed and the file
        stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path, text):
    """Writes a text file in one move."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path, value):
    """Writes a JSON file in one move."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def check_writable(path):
    """Checks, before long work, that a file can be written; its folder may be missing.

    Raises:
        UsageError: If it cannot.
    """
    path = Path(path)
    folder = next(parent for parent in path.resolve().parents if parent.exists())
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"Cannot write to {path}. Choose another file.")
