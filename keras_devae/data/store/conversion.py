"""Converting published files to a store, so that being stopped costs nothing and leaves no ruin.

The work lies in a hidden folder beside the store and takes the store's name when it is complete.
It is kept when the process is stopped or killed or finds the disk full, and the next one goes on
with it.
"""

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from keras_devae.data.builtin.official import OfficialSet
from keras_devae.data.dataset import Progress
from keras_devae.data.store.arrays_on_disk import (
    FACTORS,
    FORMAT_VERSION,
    IMAGES,
    RECORD,
    stored_chunks,
    stored_factors,
    stored_order,
    stored_shape,
)
from keras_devae.data.store.file_facts import FileFacts, file_facts, file_hashes
from keras_devae.errors import FailureError, UsageError
from keras_devae.files import check_folder, leftovers, write_json

#: Bytes of images between two notes of how far the work is.
NOTE_EVERY = 2**26

_PROGRESS = "progress.json"
_OTHER_FOLDER = "`data_dir` or KERAS_DEVAE_DATA"


def write_store(
    official: OfficialSet,
    paths: Sequence[Path],
    folder: Path,
    image_size: int,
    anew: bool = False,
    progress: Progress | None = None,
) -> None:
    """Converts published files to a store; the caller holds the lock of `folder`.

    Args:
        official: Which published set.
        paths: Its files, in the order of `official.files`.
        folder: The store to make; one that exists is replaced, but nothing else is.
        image_size: Pixels a side of the images to store.
        anew: Whether unfinished work is thrown away. Default: `False`, it is gone on with.
        progress: Called with what is done, what is to do, and what it is.

    Raises:
        UsageError: If `folder` exists and is not a store, or holds more than that.
        FailureError: If a file is truncated, damaged or in another format, or the disk is full.
    """
    if folder.exists() and not (folder / RECORD).exists():
        raise UsageError(f"{folder} exists and does not hold prepared data; it is left alone.")
    _check_only_ours(folder)
    work = work_folder(folder)
    facts = file_facts(official, paths, progress)
    source = official.file_format(*paths)
    try:
        if anew:
            shutil.rmtree(work, ignore_errors=True)
        _write_images(source, facts, work, image_size, progress)
        _complete(official, source, facts, work, image_size, progress)
        _put_in_place(work, folder)
    except FailureError:
        shutil.rmtree(work, ignore_errors=True)
        raise
    except OSError as error:
        raise FailureError(
            f"{folder} could not be written: {error}. What is converted is kept: make room, or "
            "mend that, and prepare it again to go on."
        ) from None


def remove_store(folder: Path) -> list[Path]:
    """Removes a store and what unfinished work on it has left; the caller holds the lock.

    The store loses its name before it loses anything else. Another folder of that name stays.

    Returns:
        The folders that were there.

    Raises:
        UsageError: If the store holds files that were not prepared.
    """
    _check_only_ours(folder)
    old = _old_folder(folder)
    removed = [path for path in (work_folder(folder), old) if path.exists()]
    for path in removed:
        shutil.rmtree(path)
    if (folder / RECORD).exists():
        folder.rename(old)
        shutil.rmtree(old)
        removed = [folder, *removed]
    return removed


def _check_only_ours(folder: Path) -> None:
    """Refuses to remove a store into which somebody has put files of their own."""
    ours = {folder / name for name in (IMAGES, FACTORS, RECORD, _PROGRESS)}
    if (folder / RECORD).exists():
        others = {*folder.iterdir()} - ours - {*leftovers(folder)}
        if others:
            names = ", ".join(sorted(other.name for other in others))
            raise UsageError(
                f"{folder} is not removed: it holds what was not prepared ({names}). Move that "
                "away."
            )


def work_folder(folder: Path) -> Path:
    """Returns the hidden folder of a conversion that is not complete."""
    return folder.with_name(f".{folder.name}.keras-devae-partial")


@contextlib.contextmanager
def locked(folder: Path, progress: Progress | None = None) -> Iterator[None]:
    """Holds the lock of a store, waiting for another process that does.

    Args:
        folder: The store; the folder that it is in is created.
        progress: Told when there is another process to wait for.

    Raises:
        UsageError: If the folder that it is in cannot be written to.
    """
    # Imported where it is needed: most runs prepare nothing.
    import filelock

    # Where nothing can be made, a lock would be waited for in vain.
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
    source, facts: FileFacts, work: Path, image_size: int, progress: Progress | None
) -> None:
    """Writes the images to the work folder, from where an earlier attempt ended."""
    shape, places = (len(source), *stored_shape(source, image_size)), stored_order(source)
    work_id = {"format_version": FORMAT_VERSION, "shape": shape, **dataclasses.asdict(facts)}
    done = _images_done(work, work_id)
    row_bytes = int(np.prod(shape[1:]))
    _check_room(work, (shape[0] - done) * row_bytes)
    if not done:
        _start(work, shape)
    noted = done
    with (work / IMAGES).open("r+b") as file:
        offset = _skip_header(file)
        for chunk in stored_chunks(source, image_size, done):
            _write_rows(file, offset, places[done : done + len(chunk)], chunk)
            done += len(chunk)
            if (done - noted) * row_bytes >= NOTE_EVERY or done == shape[0]:
                _flush(file)
                write_json(work / _PROGRESS, {**work_id, "done": done})
                noted = done
            if progress is not None:
                progress(done, shape[0], f"Converting {facts.file.split(', ')[0]}")


def _images_done(work: Path, work_id: dict) -> int:
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


def _skip_header(file) -> int:
    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)
    return file.tell()


def _write_rows(file, offset: int, rows: np.ndarray, images: np.ndarray) -> None:
    """Writes images to their places, neighbours in one go."""
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    for group, first in zip(np.split(images, breaks), rows[np.r_[0, breaks]], strict=True):
        file.seek(offset + int(first) * images[0].nbytes)
        file.write(np.ascontiguousarray(group).data)


def _flush(file) -> None:
    file.flush()
    os.fsync(file.fileno())


def _check_room(work: Path, num_bytes: int) -> None:
    free = shutil.disk_usage(work.parent).free
    if free < num_bytes:
        raise OSError(f"the disk is full: {num_bytes:,} bytes are needed and {free:,} are free")


def _complete(
    official: OfficialSet,
    source,
    facts: FileFacts,
    work: Path,
    image_size: int,
    progress: Progress | None,
) -> None:
    """Adds the factors, and the record with which the folder is a store."""
    factors = stored_factors(source)
    np.save(work / FACTORS, factors.astype(np.min_scalar_type(int(factors.max()))))
    hashes = {
        name: file_hashes(work / name, ("sha256",), progress)[0] for name in (IMAGES, FACTORS)
    }
    record = {"format_version": FORMAT_VERSION, "name": official.name, "image_size": image_size}
    write_json(work / RECORD, {**record, **dataclasses.asdict(facts), "hashes": hashes})


def _put_in_place(work: Path, folder: Path) -> None:
    old = _old_folder(folder)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    work.rename(folder)
    # Only now: work that is stopped before is then known to be complete.
    (folder / _PROGRESS).unlink(missing_ok=True)
    shutil.rmtree(old, ignore_errors=True)


def _old_folder(folder: Path) -> Path:
    """Returns the hidden folder of a store on its way out."""
    return folder.with_name(f".{folder.name}.keras-devae-old")
