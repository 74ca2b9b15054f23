"""Reading files that may be damaged, or be something else than files, within bounds."""

import errno
import lzma
import os
import stat
import struct
import zipfile
import zlib

#: How much of a file of text is read at most; those of runs are far smaller.
MOST_BYTES = 2**28
#: How deep lists and dictionaries may lie in each other; those of runs go a few levels down.
MOST_LEVELS = 64
#: What reading a damaged ZIP archive raises. RuntimeError: encrypted, or compressed in a way that
#: is not known.
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
    """Something else stands where a file belongs."""


def opened(path):
    """Opens a file to read its bytes, and nothing that could make the reader wait forever.

    Args:
        path: The file; a link to one will do.

    Returns:
        The open binary file.

    Raises:
        NotAFileError: If a folder, a named pipe, a socket or a device stands in its place.
        OSError: If it is missing or cannot be opened.
    """
    _check_is_file(os.stat(path), path)
    # What is there now may be a named pipe, and one without a writer blocks.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        _check_is_file(os.fstat(descriptor), path)
    except NotAFileError:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def _check_is_file(facts, path):
    kind = stat.S_IFMT(facts.st_mode)
    if kind != stat.S_IFREG:
        found = _KINDS.get(kind, "something else")
        raise NotAFileError(errno.EINVAL, f"{found} stands where a file belongs", str(path))


def read_text(path, most_bytes=MOST_BYTES):
    """Returns the text of a UTF-8 file.

    Args:
        path: The file.
        most_bytes: How large it may be; default 256 MiB.

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


def reason_of(error):
    """Returns in words why a file could not be read, on one line and without its path.

    Args:
        error: The exception.
    """
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(words.split())


def check_size(value, levels=MOST_LEVELS, entries=10**7):
    """Checks what a file of JSON, TOML or YAML holds, before anything descends into it.

    Args:
        value: What was read. A part that stands in several places counts in each of them.
        levels: How deep lists and dictionaries may lie in each other.
        entries: How many entries they may have on one level, all together.

    Raises:
        ValueError: If it is deeper or larger.
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


def _entries(container):
    return container.values() if isinstance(container, dict) else container
