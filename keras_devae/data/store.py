"""Official images in the form in which they are read fastest: a folder of plain arrays.

A store holds `images.npy` (uint8; dSprites as packed bits), `factors.npy` and `store.json`, which
says what file they come from. It is written beside its place and moved there when it is complete,
so that a folder with a `store.json` is always a whole one.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from keras_devae.data.dataset import Dataset
from keras_devae.data.factor_classes import complete_grid, distinct_counts
from keras_devae.data.official import FileFacts, OfficialSet, file_facts
from keras_devae.errors import FailureError, UsageError

FORMAT_VERSION = 1
Progress = Callable[[int, int, str], None]

_STAGING_PREFIX = ".keras-devae-"
_ABANDONED_AFTER_SECONDS = 3600


class OfficialDataset(Dataset):
    """Images of a published file, or of its store.

    Args:
        official: Which published set.
        facts: Which file.
        factors: Integers of shape `(n, f)`.
        read_rows: Returns the stored rows, uint8, for int64 row numbers of shape `(n,)`.
    """

    def __init__(
        self,
        official: OfficialSet,
        facts: FileFacts,
        factors: np.ndarray,
        read_rows: Callable[[np.ndarray], np.ndarray],
    ):
        names = official.file_format.factor_names
        super().__init__(
            name=official.name,
            length=len(factors),
            image_shape=official.file_format.image_shape,
            provenance={"source": "official", **dataclasses.asdict(facts)},
            origin=f"official file {facts.file}, SHA-256 {facts.sha256[:12]}",
            remark="not the published one" if facts.matches_published is False else "",
            grid=complete_grid(factors, names),
            factor_names=names,
            factor_sizes=distinct_counts(factors),
            is_binary=official.file_format.is_packed,
        )
        self._factors = factors
        self._read_rows = read_rows
        self._is_packed = official.file_format.is_packed

    def _read_images(self, rows: np.ndarray) -> np.ndarray:
        stored = self._read_rows(rows)
        if not self._is_packed:
            return stored
        # Bits 0 and 1 become 0 and 255.
        return np.negative(np.unpackbits(stored, axis=1)).reshape(-1, *self.image_shape)

    def _read_factors(self, rows: np.ndarray) -> np.ndarray:
        return self._factors[rows].astype(np.int64, copy=False)


class RowFile:
    """Rows of an `.npy` file, read one by one.

    The file is not mapped into memory: the pages of a map count as the memory of the process, and
    one epoch would touch all of them. It is opened anew for each call, so that threads and
    processes share nothing.

    Args:
        path: An `.npy` file in C order.

    Raises:
        ValueError: If the file is shorter than its header says.
    """

    def __init__(self, path: Path):
        header = np.load(path, mmap_mode="r")
        self._path = path
        self._offset = header.offset
        self.shape = header.shape
        self.dtype = header.dtype

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Returns an array of shape `(n, *self.shape[1:])` for row numbers of shape `(n,)`."""
        values = np.empty((len(rows), *self.shape[1:]), self.dtype)
        size = values[0].nbytes
        try:
            with self._path.open("rb", buffering=0) as file:
                for value, row in zip(values, rows.tolist(), strict=True):
                    file.seek(self._offset + row * size)
                    if file.readinto(value.data) != size:
                        raise OSError("it has become shorter")
        except OSError as error:
            raise FailureError(f"{self._path} cannot be read any more: {error}.") from None
        return values


def has_store(folder: Path) -> bool:
    """Whether a folder is a store of this version of the package."""
    try:
        record = json.loads((folder / "store.json").read_text())
    except (OSError, ValueError):
        return False
    return record.get("format_version") == FORMAT_VERSION


def store_facts(folder: Path) -> FileFacts:
    """Returns what a store records about the file that it was made from."""
    record = json.loads((folder / "store.json").read_text())
    return FileFacts(**{field.name: record[field.name] for field in dataclasses.fields(FileFacts)})


def open_store(official: OfficialSet, folder: Path) -> OfficialDataset:
    """Opens a store.

    Raises:
        FailureError: If its files do not fit together.
    """
    row_shape = official.file_format.row_shape
    try:
        facts = store_facts(folder)
        factors = np.load(folder / "factors.npy", allow_pickle=False)
        images = RowFile(folder / "images.npy")
        if images.shape != (len(factors), *row_shape) or images.dtype != np.uint8:
            raise ValueError(f"images.npy is {images.dtype} {images.shape}")
    except (OSError, ValueError, KeyError) as error:
        raise FailureError(
            f"The prepared data in {folder} is damaged: {error}. Prepare it again with "
            "force=True (--force-download)."
        ) from None
    return OfficialDataset(official, facts, factors, images.read)


def open_file(official: OfficialSet, path: Path) -> OfficialDataset:
    """Opens a file in the published format without preparing it.

    Raises:
        FailureError: If the file is truncated, damaged or in another format.
    """
    source = official.file_format(path)
    return OfficialDataset(official, file_facts(official, path), source.factors, source.open_rows())


def write_store(
    official: OfficialSet, path: Path, folder: Path, progress: Progress | None = None
) -> None:
    """Converts a file in the published format to a store.

    Args:
        official: Which published set.
        path: The file.
        folder: The store to make; one that exists is replaced, but nothing else is.
        progress: Called with the images done, all images, and what is being done.

    Raises:
        UsageError: If `folder` exists and is not a store.
        FailureError: If the file is truncated, damaged or in another format; nothing is left
            behind.
    """
    if folder.exists() and not (folder / "store.json").exists():
        raise UsageError(f"{folder} exists and does not hold prepared data; it is left alone.")
    source = official.file_format(path)
    facts = file_facts(official, path)
    with staging_folder(folder.parent) as staging:
        new = staging / "new"
        new.mkdir()
        _write_images(source, new / "images.npy", progress, f"Converting {path.name}")
        compact = np.min_scalar_type(int(source.factors.max()))
        np.save(new / "factors.npy", source.factors.astype(compact))
        record = {"format_version": FORMAT_VERSION, "name": official.name}
        text = json.dumps({**record, **dataclasses.asdict(facts)}, indent=2)
        (new / "store.json").write_text(text + "\n")
        if folder.exists():
            folder.rename(staging / "old")
        new.rename(folder)


def _write_images(source, path: Path, progress: Progress | None, what: str) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(source), *source.row_shape)}
    done = 0
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for chunk in source.chunks():
            file.write(chunk.data)
            done += len(chunk)
            if progress is not None:
                progress(done, len(source), what)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def staging_folder(parent: Path) -> Iterator[Path]:
    """Makes a folder for unfinished work beside the place of the finished one.

    It is removed at the end, whatever happens; what a killed process left is removed by the next
    one, once nothing has been written to it for an hour.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(parent)
        staging = Path(tempfile.mkdtemp(dir=parent, prefix=_STAGING_PREFIX))
    except OSError as error:
        raise UsageError(f"Nothing can be written to the data folder {parent}: {error}.") from None
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{_STAGING_PREFIX}*"):
        # Another process may finish and remove its folder meanwhile.
        with contextlib.suppress(OSError):
            last_written = max(item.stat().st_mtime for item in (folder, *folder.rglob("*")))
            if time.time() - last_written > _ABANDONED_AFTER_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
