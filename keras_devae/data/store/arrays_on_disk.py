"""Official images in the form in which they are read fastest: a folder of plain arrays.

A store holds `images.npy` (uint8; dSprites as packed bits), `factors.npy` and `store.json`, which
says what file they come from. It is written elsewhere and moved to its place when it is complete,
so that a folder with a `store.json` is always a whole one.
"""

import dataclasses
import json
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from keras_devae.data.builtin.official import OfficialSet
from keras_devae.data.dataset import Dataset
from keras_devae.data.own.factor_classes import complete_grid, distinct_counts
from keras_devae.data.resizing import resized
from keras_devae.data.store.file_facts import FileFacts, file_facts
from keras_devae.errors import FailureError, UsageError
from keras_devae.files.archives import UNREADABLE

FORMAT_VERSION = 2
IMAGES, FACTORS, RECORD = "images.npy", "factors.npy", "store.json"


class OfficialDataset(Dataset):
    """Images of a published file, or of its store.

    Args:
        official: Which published set.
        facts: Which file.
        factors: Integers of shape `(n, f)`.
        read_rows: Returns the stored rows, uint8, for int64 row numbers of shape `(n,)`.
        image_size: Pixels a side.
        chunk_rows: See `Dataset`.
    """

    def __init__(
        self,
        official: OfficialSet,
        facts: FileFacts,
        factors: np.ndarray,
        read_rows: Callable[[np.ndarray], np.ndarray],
        image_size: int,
        chunk_rows: int = 1,
    ):
        names = official.file_format.factor_names
        super().__init__(
            name=official.name,
            length=len(factors),
            image_shape=official.image_shape(image_size),
            provenance={
                "source": "official",
                **dataclasses.asdict(facts),
                "image_size": image_size,
            },
            origin=_origin(official, facts),
            remark="not the published one" if facts.matches_published is False else "",
            grid=complete_grid(factors, names),
            factor_names=names,
            factor_sizes=distinct_counts(factors),
            is_binary=official.file_format.is_packed,
            chunk_rows=chunk_rows,
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


def _origin(official: OfficialSet, facts: FileFacts) -> str:
    count = len(official.files)
    files = f"official file {facts.file}" if count == 1 else f"{count} official files"
    return f"{files}, SHA-256 {facts.sha256[:12]}"


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
        store_record(folder)
    except (OSError, ValueError):
        return False
    return True


def store_record(folder: Path) -> dict:
    """Returns what a store records about itself.

    Raises:
        OSError: If there is no record.
        ValueError: If it is damaged, or of another version of the package.
    """
    record = json.loads((folder / RECORD).read_text())
    facts = {field.name for field in dataclasses.fields(FileFacts)}
    needed = facts | {"name", "image_size", "hashes", "format_version"}
    if not isinstance(record, dict) or needed - set(record):
        raise ValueError(f"{RECORD} is not complete")
    if record["format_version"] != FORMAT_VERSION:
        raise ValueError(f"{RECORD} is of version {record['format_version']}")
    return record


def facts_of(record: dict) -> FileFacts:
    """Returns what a store's record says about the files that it was made from."""
    return FileFacts(**{field.name: record[field.name] for field in dataclasses.fields(FileFacts)})


def open_store(official: OfficialSet, folder: Path) -> OfficialDataset:
    """Opens a store.

    Raises:
        FailureError: If its files do not fit together.
    """
    try:
        record = store_record(folder)
        if record["name"] != official.name:
            raise ValueError(f"it holds {record['name']}")
        factors = np.load(folder / FACTORS, allow_pickle=False)
        images = RowFile(folder / IMAGES)
        row_shape = stored_shape(official.file_format, record["image_size"])
        if images.shape != (len(factors), *row_shape) or images.dtype != np.uint8:
            raise ValueError(f"{IMAGES} is {images.dtype} {images.shape}")
        facts = facts_of(record)
    except UNREADABLE as error:
        raise FailureError(
            f"The prepared data in {folder} is damaged: {error}. Prepare it again with "
            f"force=True, or `keras-devae data prepare {official.name} --force-download`."
        ) from None
    return OfficialDataset(official, facts, factors, images.read, record["image_size"])


def open_files(
    official: OfficialSet, paths: Sequence[Path], image_size: int, memory_limit: int = 2**29
) -> OfficialDataset:
    """Opens published files without preparing them.

    Args:
        official: Which published set.
        paths: Its files, in the order of `official.files`.
        image_size: Pixels a side.
        memory_limit: Up to this many bytes of images are decoded once and held in memory, because
            every single row of a compressed file costs the decoding of many. Default: 512 MiB.
            Beyond that 3D Shapes is read from the file, with a warning, if that has small chunks.

    Raises:
        UsageError: If the images are too large for memory and cannot be read from the file.
        FailureError: If a file is truncated, damaged or in another format.
    """
    source = official.file_format(*paths)
    facts = file_facts(official, paths)
    shape = (len(source), *stored_shape(source, image_size))
    if math.prod(shape) <= memory_limit:
        images = np.empty(shape, np.uint8)
        _fill(images, source, image_size)
        return OfficialDataset(
            official, facts, stored_factors(source), images.__getitem__, image_size
        )
    if not getattr(source, "can_stream", False):
        raise UsageError(
            f"The images of {official.title} take {math.prod(shape):,} bytes, too much to hold in "
            "memory, and cannot be picked from the file one by one; convert them once, with "
            f"prepare({official.name!r}, from_file=PATH) or `keras-devae data prepare "
            f"{official.name} --from PATH`."
        )
    warnings.warn(
        f"{paths[0]} is read as it is, which is slow; prepare it once.", UserWarning, stacklevel=4
    )
    return OfficialDataset(
        official, facts, source.factors, source.read_rows, image_size, source.chunk_rows
    )


def _fill(images: np.ndarray, source, image_size: int) -> None:
    places, done = stored_order(source), 0
    for chunk in stored_chunks(source, image_size):
        images[places[done : done + len(chunk)]] = chunk
        done += len(chunk)


def stored_order(source) -> np.ndarray:
    """Returns the place of each image of a file in the order of its grid, if it has one."""
    return np.arange(len(source)) if source.grid is None else source.grid.indices(source.factors)


def stored_factors(source) -> np.ndarray:
    """Returns the factors of a file in the order in which its images are stored."""
    if source.grid is None:
        return source.factors
    return source.grid.factors(np.arange(len(source)))


def stored_chunks(source, image_size: int, start: int = 0) -> Iterator[np.ndarray]:
    """Yields the images of a file, from one on, in the form in which they are stored."""
    for chunk in source.chunks(start):
        yield chunk if source.is_packed else resized(chunk, image_size)


def stored_shape(file_format, image_size: int) -> tuple[int, ...]:
    """Returns the shape in which one image of a format is stored."""
    if file_format.is_packed:
        return file_format.row_shape
    return (image_size, image_size, file_format.image_shape[2])
