"""What a folder of pictures holds that is not read, counted and said."""

import collections
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

# What is known not to be a picture, so that nobody misses it.
_OTHER_SUFFIXES = frozenset(
    (
        *(".txt", ".md", ".rst", ".pdf", ".html", ".htm", ".tex", ".log", ".doc", ".docx"),
        *(".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg"),
        *(".xls", ".xlsx", ".ods", ".parquet", ".npy", ".npz", ".h5", ".hdf5", ".mat", ".pkl"),
        *(".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".db", ".sqlite", ".lock", ".bak"),
        *(".py", ".ipynb", ".sh", ".bat", ".m", ".r", ".js", ".css", ".url", ".lnk", ".xmp"),
    )
)
_OTHER_NAMES = frozenset(("readme", "license", "licence", "copying", "notice", "makefile"))
# Beyond that many nothing is learnt from counting on, and a large tree takes long.
_MOST_COUNTED = 10_000


def left_out_of(folder: Path, files: Sequence[Path], suffixes: frozenset[str]) -> list[str]:
    """Says in words which files of a folder, likely pictures, are not among those read.

    Args:
        folder: The folder.
        files: The pictures that are read.
        suffixes: Those by which pictures are known, in small letters.

    Returns:
        A list of phrases such as `"40 files with another suffix (.heic)"`, often empty.
    """
    read = {file.name for file in files}
    others, hidden = collections.Counter(), 0
    for entry in os.scandir(folder):
        suffix = Path(entry.name).suffix.lower()
        if entry.name in read or entry.is_dir():
            continue
        if entry.name.startswith("."):
            # A Mac puts a file "._x.png" beside each x.png on the disks of others.
            hidden += suffix in suffixes and not entry.name.startswith("._")
        elif suffix not in _OTHER_SUFFIXES and not _is_known_name(entry.name):
            others[suffix or "none"] += 1
    phrases = []
    if others:
        shown = ", ".join(sorted(others, key=lambda suffix: (-others[suffix], suffix))[:5])
        phrases.append(f"{_counted(others.total(), 'file')} with another suffix ({shown})")
    if hidden:
        phrases.append(_counted(hidden, "hidden picture"))
    return phrases + _inside(folder, suffixes)


def pages_left_out(pages: dict[str, int]) -> list[str]:
    """Says in words which pictures have more pages or frames than the one that is read.

    Args:
        pages: Number of pages by the name of the file.
    """
    several = {name: count for name, count in pages.items() if count > 1}
    if not several:
        return []
    name = max(several, key=several.get)
    more = sum(several.values()) - len(several)
    files = _counted(len(several), "file")
    return [
        f"{_counted(more, 'page')} or frames after the first of {files} ({name} has "
        f"{several[name]:,})"
    ]


def warn_of_left_out(folder: Path, read: int, phrases: Sequence[str], stacklevel: int = 3) -> None:
    """Warns in one sentence of what is not read of a folder; of nothing, not at all."""
    if phrases:
        warnings.warn(
            f"Of {folder} {_counted(read, 'picture')} {'is' if read == 1 else 'are'} read and "
            f"these are left out: {'; '.join(phrases)}. Save what you want to use as PNG or JPEG, "
            "one picture a file, in the folder itself.",
            UserWarning,
            stacklevel=stacklevel,
        )


def _inside(folder: Path, suffixes: frozenset[str]) -> list[str]:
    """Counts the pictures in folders inside, hidden ones aside."""
    count, first = 0, None
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        if Path(place) == folder:
            continue
        found = sum(Path(name).suffix.lower() in suffixes for name in names if name[0] != ".")
        if found and first is None:
            first = os.path.relpath(place, folder)
        count += found
        if count >= _MOST_COUNTED:
            break
    if not count:
        return []
    more = "at least " if count >= _MOST_COUNTED else ""
    return [f"{more}{_counted(count, 'picture')} in folders inside ({first!r})"]


def _is_known_name(name: str) -> bool:
    return Path(name).stem.lower() in _OTHER_NAMES or name in ("Thumbs.db", "desktop.ini")


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
