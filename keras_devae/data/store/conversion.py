"""Converts published files to a store, without loss or damage if it is interrupted.

Work is done in a hidden folder beside the store, which takes the store's name when complete. If
the process is stopped or killed or finds the disk full, the folder stays and the next one resumes.
"""

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from keras_devae.checks import Array
from keras_devae.data.builtin.declaration import BuiltinSet
from keras_devae.data.builtin.file_format import FileFormat
from keras_devae.data.dataset import Progress
from keras_devae.data.store.identity import FileIdentity, file_hashes, identify
from keras_devae.data.store.reading import (
    FACTORS,
    FORMAT_VERSION,
    IMAGES,
    RECORD,
    stored_chunks,
    stored_factors,
    stored_order,
)
from keras_devae.errors import FailureError, UsageError
from keras_devae.files import check_folder, leftovers, write_json

#: Bytes of images between two records of progress.
NOTE_EVERY = 2**26

_PROGRESS = "progress.json"
_OTHER_FOLDER = "`data_dir` or KERAS_DEVAE_DATA"


def write_store(
    declaration: BuiltinSet,
    paths: Sequence[Path],
    folder: Path,
    image_size: int,
    anew: bool = False,
    progress: Progress | None = None,
) -> None:
    """Converts published files to a store; the caller holds the lock of `folder`.

    An existing store is replaced, but any other folder is refused. Unfinished work is resumed, or
    discarded if `anew`. Raises `FailureError` if a file is damaged or in another format, or the
    disk is full.
    """
    if folder.exists() and not (folder / RECORD).exists():
        raise UsageError(f"{folder} exists and does not hold prepared data; it is left alone.")
    _refuse_other_files(folder)
    work = work_folder(folder)
    identity = identify(declaration, paths, progress)
    source = declaration.reader(*paths)
    try:
        if anew:
            shutil.rmtree(work, ignore_errors=True)
        _write_images(source, identity, work, image_size, progress)
        _write_factors_and_record(declaration.name, source, identity, work, image_size, progress)
        _put_in_place(work, folder)
    except FailureError:
        shutil.rmtree(work, ignore_errors=True)
        raise
    except OSError as error:
        raise FailureError(
            f"{folder} could not be written: {error}. What is converted is kept: solve the "
            "problem and prepare it again to resume."
        ) from None


def remove_store(folder: Path) -> list[Path]:
    """Removes a store and unfinished work on it; the caller holds the lock.

    Returns the folders that were there. Another folder of that name stays; a store with files that
    were not prepared is refused.
    """
    _refuse_other_files(folder)
    old = _old_folder(folder)
    removed = [path for path in (work_folder(folder), old) if path.exists()]
    for path in removed:
        shutil.rmtree(path)
    if (folder / RECORD).exists():
        folder.rename(old)
        shutil.rmtree(old)
        removed = [folder, *removed]
    return removed


def _refuse_other_files(folder: Path) -> None:
    """Raises `UsageError` for a store to which somebody has added other files."""
    if not (folder / RECORD).exists():
        return
    ours = {folder / name for name in (IMAGES, FACTORS, RECORD, _PROGRESS)}
    others = {*folder.iterdir()} - ours - {*leftovers(folder)}
    if others:
        names = ", ".join(sorted(other.name for other in others))
        raise UsageError(
            f"{folder} is not removed: it holds what was not prepared ({names}). Move that away."
        )


def work_folder(folder: Path) -> Path:
    """Returns the hidden folder of an unfinished conversion."""
    return folder.with_name(f".{folder.name}.keras-devae-partial")


@contextlib.contextmanager
def locked(folder: Path, progress: Progress | None = None) -> Iterator[None]:
    """Holds the lock of a store; if another process holds it, waits and reports the wait.

    Creates the folder around the store; raises `UsageError` if it cannot be written to.
    """
    # Imported here because most runs prepare nothing.
    import filelock

    # In a folder that cannot be written to, the lock would never be acquired.
    check_folder(folder.parent, f"Choose another one with {_OTHER_FOLDER}.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder.with_name(f".{folder.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            if progress is not None:
                progress(0, 0, f"Waiting for another process that prepares {folder.name}")
            lock.acquire()
    except OSError as error:
        raise UsageError(
            f"Nothing can be written to the data folder {folder.parent}: {error}. Choose another "
            f"one with {_OTHER_FOLDER}."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _write_images(
    source: FileFormat,
    identity: FileIdentity,
    work: Path,
    image_size: int,
    progress: Progress | None,
) -> None:
    """Writes the images to the work folder, resuming an earlier attempt."""
    shape, places = (len(source), *source.stored_shape(image_size)), stored_order(source)
    work_id = {"format_version": FORMAT_VERSION, "shape": shape, **dataclasses.asdict(identity)}
    done = _images_done(work, work_id)
    row_bytes = int(np.prod(shape[1:]))
    needed, free = (shape[0] - done) * row_bytes, shutil.disk_usage(work.parent).free
    if free < needed:
        raise OSError(f"the disk is full: {needed:,} bytes are needed and {free:,} are free")
    if not done:
        _start(work, shape)
    recorded = done
    with (work / IMAGES).open("r+b") as file:
        offset = _skip_header(file)
        for chunk in stored_chunks(source, image_size, done):
            _write_rows(file, offset, places[done : done + len(chunk)], chunk)
            done += len(chunk)
            if (done - recorded) * row_bytes >= NOTE_EVERY or done == shape[0]:
                file.flush()
                os.fsync(file.fileno())
                write_json(work / _PROGRESS, {**work_id, "done": done})
                recorded = done
            if progress is not None:
                progress(done, shape[0], f"Converting {identity.file.split(', ')[0]}")


def _images_done(work: Path, work_id: dict[str, Any]) -> int:
    """Returns how many images an earlier attempt at the same work has written."""
    try:
        record = json.loads((work / _PROGRESS).read_text())
        done = record.pop("done")
        with (work / IMAGES).open("rb") as file:
            _skip_header(file)
    except (OSError, ValueError, KeyError):
        return 0
    return done if record == json.loads(json.dumps(work_id)) else 0


def _start(work: Path, shape: tuple[int, ...]) -> None:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    with (work / IMAGES).open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + int(np.prod(shape)))


def _skip_header(file: IO[bytes]) -> int:
    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)
    return file.tell()


def _write_rows(file: IO[bytes], offset: int, rows: Array, images: Array) -> None:
    """Writes images to their rows, adjacent ones at once."""
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    for group, first in zip(np.split(images, breaks), rows[np.r_[0, breaks]], strict=True):
        file.seek(offset + int(first) * images[0].nbytes)
        file.write(np.ascontiguousarray(group).data)


def _write_factors_and_record(
    name: str,
    source: FileFormat,
    identity: FileIdentity,
    work: Path,
    image_size: int,
    progress: Progress | None,
) -> None:
    """Adds the factors, and the record that makes the folder a store."""
    factors = stored_factors(source)
    np.save(work / FACTORS, factors.astype(np.min_scalar_type(int(factors.max()))))
    hashes = {
        file: file_hashes(work / file, ("sha256",), progress)[0] for file in (IMAGES, FACTORS)
    }
    record = {"format_version": FORMAT_VERSION, "name": name, "image_size": image_size}
    write_json(work / RECORD, {**record, **dataclasses.asdict(identity), "hashes": hashes})


def _put_in_place(work: Path, folder: Path) -> None:
    old = _old_folder(folder)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    work.rename(folder)
    # Removed only now, so that work stopped before this point is known to be complete.
    (folder / _PROGRESS).unlink(missing_ok=True)
    shutil.rmtree(old, ignore_errors=True)


def _old_folder(folder: Path) -> Path:
    """Returns the hidden folder of a store that is being removed."""
    return folder.with_name(f".{folder.name}.keras-devae-old")
