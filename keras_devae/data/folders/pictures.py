"""Decoded pictures of a user's folders: kept in the data folder, so that they are decoded once.

`<data folder>/folders/<name>-<hash of its path>/` has one entry for each state of the folder and
form of its images: `images.npy`, and `pictures.json` with all that decoding found out. An entry is
written elsewhere and moved into place when complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from keras_devae.checks import Array
from keras_devae.data.dataset import Progress
from keras_devae.data.image_sizes import checked_size, size_text
from keras_devae.data.own.arrays import content_hash
from keras_devae.data.own.decoding import decode_pictures
from keras_devae.data.own.folder_contents import pages_left_out
from keras_devae.data.own.headers import Form, Summary
from keras_devae.data.own.value_range import range_problem
from keras_devae.data.store.conversion import locked, work_folder
from keras_devae.data.store.reading import IMAGES, RowFile
from keras_devae.errors import FailureError, UsageError
from keras_devae.files import write_json
from keras_devae.files.archives import UNREADABLE

PICTURES_RECORD = "pictures.json"
_FORMAT_VERSION = 1
_FOLDERS, _SUMMARY = "folders", "headers.json"


class StoredImages:
    """The rows of a stored array that could be decoded, uint8 `(n, h, w, c)`, read when asked."""

    def __init__(self, path: Path, kept: Array):
        self._file, self._kept = RowFile(path), kept
        self.shape = (len(kept), *self._file.shape[1:])

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, rows: Any) -> Array:
        chosen = self._kept[rows]
        return self._file.read(chosen) if np.ndim(chosen) else self._file.read(chosen[None])[0]


class PictureSet(NamedTuple):
    """What decoding a folder gave.

    `images` are the pictures that could be decoded, and `kept` their numbers; `reasons` says why
    the others could not, by number. `left_out`, `remarks` and `problem` are for warnings. `hash_of`
    returns the hash of images and factors.
    """

    images: Any
    kept: Array
    reasons: dict[int, str]
    left_out: list[str]
    remarks: list[str]
    problem: str | None
    hash_of: Callable[[Array | None], str]


def folder_store(folder: Path, root: Path) -> Path:
    """Returns the folder under the data folder `root` for the decoded pictures of a folder."""
    path = str(folder.resolve())
    return root / _FOLDERS / f"{folder.resolve().name[:40]}-{_digest(path)[:12]}"


def kept_summary(place: Path, signature: str) -> Summary | None:
    """Returns what the headers of a folder in that state propose, if it is kept in its store."""
    try:
        record = json.loads((place / _SUMMARY).read_text())
        size, common = checked_size(record["size"]), record["common"]
        if record["signature"] == signature:
            return Summary(size, int(record["channels"]), common and (common[0], common[1]))
    except (OSError, ValueError, TypeError, LookupError):
        pass
    return None


def keep_summary(place: Path, signature: str, summary: Summary) -> None:
    """Keeps what the headers of a folder propose, where the folder has a store."""
    if place.is_dir():
        # Without it, the headers are read again next time.
        with contextlib.suppress(OSError):
            write_json(place / _SUMMARY, {"signature": signature, **summary._asdict()})


def stored_folders(root: Path) -> list[dict[str, Any]]:
    """Describes the folders whose decoded pictures are kept: `folder`, `path`, `entries`, `bytes`.

    `folder` is `None` where no entry is complete.
    """
    found = []
    for place in sorted((root / _FOLDERS).glob("*/")):
        entries = [record for path in sorted(place.iterdir()) if (record := _record(path))]
        size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
        folder = entries[0]["folder"] if entries else None
        shapes = ["x".join(map(str, entry["shape"])) for entry in entries]
        found.append({"folder": folder, "path": str(place), "entries": shapes, "bytes": size})
    return found


def remove_pictures(folder: Path, root: Path) -> list[Path]:
    """Removes the decoded pictures of a folder, finished or not; the folder itself is untouched."""
    place = folder_store(folder, root)
    if not place.exists():
        return []
    try:
        shutil.rmtree(place)
    except OSError as error:
        raise FailureError(
            f"The decoded pictures of {folder} could not be removed: {error}."
        ) from None
    return [place]


def decoded_pictures(
    folder: Path, files: Sequence[Path], form: Form, progress: Progress | None
) -> PictureSet:
    """Decodes the pictures of a folder into memory."""
    images, facts = _decode(folder, files, form, progress, lambda shape: np.empty(shape, np.uint8))
    kept = _kept(facts)
    # Moved to the front in place, because indexing would make a second copy.
    for target, row in enumerate(kept):
        images[target] = images[row]
    images = images[: len(kept)]
    return _picture_set(images, kept, facts, lambda factors: content_hash(images, factors))


def stored_pictures(
    folder: Path,
    files: Sequence[Path],
    signature: str,
    form: Form,
    root: Path,
    progress: Progress | None,
) -> PictureSet:
    """Opens the decoded pictures of a folder, after decoding them if that has not been done.

    They are decoded into memory, with a warning, if nothing can be written to the data folder.
    """
    key = f"{signature[:20]}-{size_text(form.size)}-{form.channels}"
    entry = folder_store(folder, root) / key
    try:
        found = _open_entry(entry)
        if found is None:
            with locked(entry, progress):
                found = _open_entry(entry)
                if found is None:
                    _write_entry(entry, folder, files, form, progress)
                    found = _open_entry(entry)
        if found is not None:
            return found
        reason = f"{entry} cannot be read back"
    except (UsageError, OSError) as error:
        reason = str(error).partition(". ")[0].rstrip(".")
        warnings.warn(
            f"The pictures of {folder} are decoded into memory at every start: {reason}. Choose a "
            "folder that can be written to with `data_dir` or KERAS_DEVAE_DATA.",
            UserWarning,
            stacklevel=4,
        )
    return decoded_pictures(folder, files, form, progress)


def _write_entry(
    entry: Path, folder: Path, files: Sequence[Path], form: Form, progress: Progress | None
) -> None:
    work = work_folder(entry)
    shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(entry, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        images, facts = _decode(
            folder, files, form, progress, lambda shape: _new_file(work / IMAGES, shape)
        )
        images.flush()
        write_json(work / PICTURES_RECORD, facts)
        work.rename(entry)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def _new_file(path: Path, shape: tuple[int, ...]) -> Array:
    """Creates a file of images with all its bytes: later, a full disk would end the process."""
    needed, free = int(np.prod(shape)), shutil.disk_usage(path.parent).free
    if free < needed:
        raise OSError(f"the disk is full: {needed:,} bytes are needed and {free:,} are free")
    images = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return images


def _decode(
    folder: Path,
    files: Sequence[Path],
    form: Form,
    progress: Progress | None,
    make: Callable[[tuple[int, ...]], Array],
) -> tuple[Any, dict[str, Any]]:
    """Returns the images of all pictures, and the facts that `pictures.json` holds."""
    decoded = decode_pictures(files, form, progress, f"Decoding {folder.name}", make)
    facts = {
        "format_version": _FORMAT_VERSION,
        "folder": str(folder.resolve()),
        "shape": [int(side) for side in decoded.images.shape],
        "reasons": {str(row): reason for row, reason in decoded.reasons.items()},
        "left_out": pages_left_out(decoded.pages),
        "remarks": list(decoded.remarks),
        "hashes": {},
    }
    kept = _kept(facts)
    whole: Any = decoded.images if len(kept) == len(files) else _Rows(decoded.images, kept)
    facts["problem"] = range_problem(whole) if len(kept) else None
    return decoded.images, facts


class _Rows:
    """Some rows of an array, picked without a copy of all."""

    def __init__(self, images: Array, rows: Array):
        self._images, self._rows = images, rows
        self.shape = (len(rows), *images.shape[1:])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Any) -> Array:
        return self._images[self._rows[rows]]


def _kept(facts: dict[str, Any]) -> Array:
    rows = np.arange(facts["shape"][0])
    return np.delete(rows, [int(row) for row in facts["reasons"]])


def _record(entry: Path) -> dict[str, Any] | None:
    """Returns the facts of an entry, or `None` if it is not one of this version."""
    try:
        facts = json.loads((entry / PICTURES_RECORD).read_text())
    except (OSError, ValueError):
        return None
    is_ours = isinstance(facts, dict) and facts.get("format_version") == _FORMAT_VERSION
    return facts if is_ours else None


def _open_entry(entry: Path) -> PictureSet | None:
    """Opens an entry; returns `None` if there is none, or it is damaged and to be made anew."""
    facts = _record(entry)
    if facts is None:
        return None
    kept = _kept(facts)
    try:
        images: Any = StoredImages(entry / IMAGES, kept)
    except UNREADABLE:
        return None

    def hash_of(factors: Array | None) -> str:
        # Reading all images again would take as long as the rest of the start.
        key = "" if factors is None else _digest(repr(factors.shape), factors.tobytes())
        if key not in facts["hashes"]:
            facts["hashes"][key] = content_hash(images, factors)
            # If it cannot be written, it is computed again next time.
            with contextlib.suppress(OSError):
                write_json(entry / PICTURES_RECORD, facts)
        return facts["hashes"][key]

    return _picture_set(images, kept, facts, hash_of)


def _picture_set(images, kept, facts, hash_of):
    reasons = {int(row): reason for row, reason in facts["reasons"].items()}
    return PictureSet(
        images, kept, reasons, facts["left_out"], facts["remarks"], facts["problem"], hash_of
    )


def _digest(text: str, content: bytes = b"") -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape") + content).hexdigest()
