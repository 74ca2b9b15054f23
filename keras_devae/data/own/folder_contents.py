"""Lists what a folder of pictures holds: the pictures to read, and everything left out."""

import collections
import hashlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

from keras_devae.checks import counted
from keras_devae.errors import UsageError

PICTURE_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
)
# Suffixes of files that are not pictures, so leaving them out needs no warning.
_OTHER_SUFFIXES = frozenset(
    (
        *(".txt", ".md", ".rst", ".pdf", ".html", ".htm", ".tex", ".log", ".doc", ".docx"),
        *(".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg"),
        *(".xls", ".xlsx", ".ods", ".parquet", ".npy", ".npz", ".h5", ".hdf5", ".mat", ".pkl"),
        *(".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".db", ".sqlite", ".lock", ".bak"),
        *(".py", ".ipynb", ".sh", ".bat", ".m", ".r", ".js", ".css", ".url", ".lnk", ".xmp"),
    )
)
#: Names of the factor files that may lie beside the pictures of a folder.
CSV_NAME, NPY_NAME = "factors.csv", "factors.npy"
_OTHER_NAMES = frozenset(("readme", "license", "licence", "copying", "notice", "makefile"))
_NAMES_SHOWN = 5
# Counting further would add nothing, and takes long in a large tree.
_MOST_COUNTED = 10_000


def picture_files(folder: Path) -> list[Path]:
    """Returns the pictures in a folder, sorted by name, without hidden ones; raises if none."""
    if not folder.is_dir():
        if folder.exists():
            raise UsageError(
                f"{folder} is a file: give the folder that holds the pictures, "
                f"folder:{folder.parent}."
            )
        raise UsageError(f"There is no folder {folder}.")
    # A broken link counts, so that it is reported instead of silently left out.
    with os.scandir(folder) as entries:
        found = [entry for entry in entries if _is_picture(entry.name) and not entry.is_dir()]
    files = [folder / entry.name for entry in sorted(found, key=lambda entry: entry.name)]
    if not files:
        suffixes = ", ".join(sorted(PICTURE_SUFFIXES))
        raise UsageError(
            f"There are no pictures ({suffixes}) in the folder {folder}{_hint_at_folders(folder)}."
        )
    return files


def signature_of(files: Sequence[Path]) -> str:
    """Returns a SHA-256 of the names, sizes and modification times of files."""
    digest = hashlib.sha256()
    for file in files:
        try:
            facts = os.stat(file)
            digest.update(f"{file.name}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
        except OSError:  # A broken link.
            digest.update(f"{file.name}\0\0\0".encode())
    return digest.hexdigest()


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES and not name.startswith(".")


def _hint_at_folders(folder: Path) -> str:
    inside = [
        path
        for path in sorted(path for path in folder.iterdir() if path.is_dir())
        if not path.name.startswith((".", "__"))
        and any(_is_picture(file.name) for file in path.glob("*"))
    ]
    if not inside:
        others = left_out_of(folder, ())
        return f"; it holds {' and '.join(others)}" if others else ""
    shown = ", ".join(repr(path.name) for path in inside[:_NAMES_SHOWN])
    more = "" if len(inside) <= _NAMES_SHOWN else " ..."
    hint = (
        f" itself, but there are some in {shown}{more} inside it, and folders inside are not "
        f"searched; give {inside[0]} or move the pictures up"
    )
    if len(inside) == 1:
        return hint
    return (
        f"{hint}; if the folders are classes, move all pictures up and name the class of each in a "
        "`factors.csv` beside them, whose first line is `file,class`"
    )


def unread_tables(folder: Path) -> list[Path]:
    """Returns the files in a folder of pictures that may hold factors but are not read."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in (".csv", ".npy")
        and path.name not in (CSV_NAME, NPY_NAME)
        and not path.name.startswith(".")
        and path.is_file()
    )


def left_out_of(folder: Path, files: Sequence[Path]) -> list[str]:
    """Describes the files of a folder that are probably pictures but are not read.

    Returns phrases such as `"40 files with another suffix (.heic)"`, often none.
    """
    read = {file.name for file in files}
    others: collections.Counter[str] = collections.Counter()
    hidden = 0
    for entry in os.scandir(folder):
        if entry.name in read or entry.is_dir():
            continue
        suffix = Path(entry.name).suffix.lower()
        if entry.name.startswith("."):
            # macOS puts a file "._x.png" beside each x.png on disks of other systems.
            hidden += suffix in PICTURE_SUFFIXES and not entry.name.startswith("._")
        elif suffix not in _OTHER_SUFFIXES and Path(entry.name).stem.lower() not in _OTHER_NAMES:
            others[suffix or "none"] += 1
    phrases = []
    if others:
        shown = ", ".join(sorted(others, key=lambda suffix: (-others[suffix], suffix))[:5])
        phrases.append(f"{counted(others.total(), 'file')} with another suffix ({shown})")
    if hidden:
        phrases.append(counted(hidden, "hidden picture"))
    return phrases + _inside(folder)


def pages_left_out(pages: dict[str, int]) -> list[str]:
    """Describes the unread pages or frames of pictures, from the number of pages by file name."""
    several = {name: count for name, count in pages.items() if count > 1}
    if not several:
        return []
    name = max(several, key=several.__getitem__)
    more = sum(several.values()) - len(several)
    files = counted(len(several), "file")
    return [
        f"{counted(more, 'page')} or frames after the first of {files} ({name} has "
        f"{several[name]:,})"
    ]


def warn_of_left_out(folder: Path, read: int, phrases: Sequence[str], stacklevel: int = 3) -> None:
    """Warns in one sentence of everything in a folder that is not read, if there is anything."""
    if phrases:
        warnings.warn(
            f"In {folder}, {counted(read, 'picture')} {'is' if read == 1 else 'are'} read and "
            f"these are left out: {'; '.join(phrases)}. Save what you want to use as PNG or JPEG, "
            "one picture per file, in the folder itself.",
            UserWarning,
            stacklevel=stacklevel,
        )


def _inside(folder: Path) -> list[str]:
    """Counts the pictures in subfolders, except hidden ones."""
    count, first = 0, None
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        if Path(place) == folder:
            continue
        found = sum(
            Path(name).suffix.lower() in PICTURE_SUFFIXES for name in names if name[0] != "."
        )
        if found and first is None:
            first = os.path.relpath(place, folder)
        count += found
        if count >= _MOST_COUNTED:
            break
    if not count:
        return []
    more = "at least " if count >= _MOST_COUNTED else ""
    return [f"{more}{counted(count, 'picture')} in folders inside ({first!r})"]
