"""Reading official images: from a store, or straight from the published files.

A store is a folder in the form that is fastest to read: `images.npy` (uint8; dSprites as packed
bits), `factors.npy` and `store.json`, which names their source. It is written elsewhere and moved
into place when complete, so a folder with a `store.json` is always whole.
"""

import dataclasses
import json
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_devae.checks import Array
from keras_devae.data.builtin.declaration import BuiltinSet
from keras_devae.data.builtin.file_format import FileFormat
from keras_devae.data.dataset import Dataset
from keras_devae.data.factor_grid import complete_grid, distinct_counts
from keras_devae.data.store.identity import FileIdentity, identify
from keras_devae.errors import FailureError, UsageError
from keras_devae.files.archives import UNREADABLE

FORMAT_VERSION = 2
IMAGES, FACTORS, RECORD = "images.npy", "factors.npy", "store.json"
_IDENTITY = tuple(field.name for field in dataclasses.fields(FileIdentity))


class OfficialDataset(Dataset):
    """Images read from a published file or from its store.

    `factors` are integers `(n, f)`; `read_rows` returns the stored rows for row numbers `(n,)`.
    """

    def __init__(
        self,
        declaration: BuiltinSet,
        identity: FileIdentity,
        factors: Array,
        read_rows: Callable[[Array], Array],
        image_size: int,
        chunk_rows: int = 1,
    ):
        reader, count = declaration.reader, len(declaration.files)
        sizes = dict(zip(reader.factor_names, distinct_counts(factors), strict=True))
        files = f"official file {identity.file}" if count == 1 else f"{count} official files"
        super().__init__(
            name=declaration.name,
            length=len(factors),
            image_shape=declaration.image_shape(image_size),
            provenance={
                "source": "official",
                **dataclasses.asdict(identity),
                "image_size": image_size,
            },
            origin=f"{files}, SHA-256 {identity.sha256[:12]}",
            remark="not the published one" if identity.matches_published is False else "",
            grid=complete_grid(factors, reader.factor_names),
            factor_names=reader.factor_names,
            factor_sizes=tuple(sizes.values()),
            is_binary=reader.is_packed,
            chunk_rows=chunk_rows,
            # A file of other values than published, as for tests, has no known names of them.
            factor_labels={
                name: labels
                for name, labels in declaration.factor_labels.items()
                if len(labels) == sizes[name]
            },
            nominal_factors=declaration.nominal_factors,
        )
        self._factors = factors
        self._read_rows = read_rows
        self._is_packed = reader.is_packed

    def _read_images(self, rows: Array) -> Array:
        stored = self._read_rows(rows)
        if not self._is_packed:
            return stored
        # Bits 0 and 1 become 0 and 255.
        return np.negative(np.unpackbits(stored, axis=1)).reshape(-1, *self.image_shape)

    def _read_factors(self, rows: Array) -> Array:
        return self._factors[rows].astype(np.int64, copy=False)


class RowFile:
    """Reads rows of an `.npy` file in C order, one by one.

    It is not memory-mapped: mapped pages count as memory of the process, and one epoch touches all
    of them. It is opened anew for each call, so threads and processes share nothing.
    """

    def __init__(self, path: Path):
        header = np.load(path, mmap_mode="r")
        self._path = path
        self._offset = header.offset
        self.shape = header.shape
        self.dtype = header.dtype

    def read(self, rows: Array) -> Array:
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
            raise FailureError(f"{self._path} can no longer be read: {error}.") from None
        return values


def has_store(folder: Path) -> bool:
    """Returns whether a folder is a store of this version of the package."""
    try:
        store_record(folder)
    except (OSError, ValueError):
        return False
    return True


def store_record(folder: Path) -> dict[str, Any]:
    """Returns what a store records about itself.

    Raises `OSError` if there is no record, `ValueError` if it is damaged or of another version.
    """
    record = json.loads((folder / RECORD).read_text())
    needed = {*_IDENTITY, "name", "image_size", "hashes", "format_version"}
    if not isinstance(record, dict) or needed - set(record):
        raise ValueError(f"{RECORD} is not complete")
    if record["format_version"] != FORMAT_VERSION:
        raise ValueError(f"{RECORD} is of version {record['format_version']}")
    return record


def recorded_identity(record: dict[str, Any]) -> FileIdentity:
    """Returns the identity of the files that a store was made from, given its record."""
    return FileIdentity(**{name: record[name] for name in _IDENTITY})


def open_store(declaration: BuiltinSet, folder: Path) -> OfficialDataset:
    """Opens a store; raises `FailureError` if its files do not fit together."""
    try:
        record = store_record(folder)
        if record["name"] != declaration.name:
            raise ValueError(f"it holds {record['name']}")
        factors = np.load(folder / FACTORS, allow_pickle=False)
        images = RowFile(folder / IMAGES)
        row_shape = declaration.reader.stored_shape(record["image_size"])
        if images.shape != (len(factors), *row_shape) or images.dtype != np.uint8:
            raise ValueError(f"{IMAGES} is {images.dtype} {images.shape}")
        identity = recorded_identity(record)
    except UNREADABLE as error:
        raise FailureError(
            f"The prepared data in {folder} is damaged: {error}. Prepare it again with "
            f"force=True, or `keras-devae data prepare {declaration.name} --force-download`."
        ) from None
    return OfficialDataset(declaration, identity, factors, images.read, record["image_size"])


def open_files(
    declaration: BuiltinSet, paths: Sequence[Path], image_size: int, memory_limit: int = 2**29
) -> OfficialDataset:
    """Opens published files without preparing them.

    Up to `memory_limit` bytes of images are decoded once and held in memory, because reading one
    row of a compressed file means decoding many. Larger sets are read from the file with a
    warning if its chunks are small (3D Shapes), and otherwise refused.
    """
    source = declaration.reader(*paths)
    identity = identify(declaration, paths)
    shape = (len(source), *source.stored_shape(image_size))
    if math.prod(shape) <= memory_limit:
        images, places, done = np.empty(shape, np.uint8), stored_order(source), 0
        for chunk in stored_chunks(source, image_size):
            images[places[done : done + len(chunk)]] = chunk
            done += len(chunk)
        factors = stored_factors(source)
        return OfficialDataset(declaration, identity, factors, images.__getitem__, image_size)
    if not source.can_stream:
        raise UsageError(
            f"The images of {declaration.title} take {math.prod(shape):,} bytes, too much to hold "
            "in memory, and cannot be picked from the file one by one; convert them once, with "
            f"prepare({declaration.name!r}, from_file=PATH) or `keras-devae data prepare "
            f"{declaration.name} --from PATH`."
        )
    warnings.warn(
        f"{paths[0]} is read as it is, which is slow; prepare it once.", UserWarning, stacklevel=4
    )
    return OfficialDataset(
        declaration, identity, source.factors, source.read_rows, image_size, source.chunk_rows
    )


def stored_order(source: FileFormat) -> Array:
    """Returns each image's position in the order of the grid, or in the file if it has none."""
    return np.arange(len(source)) if source.grid is None else source.grid.indices(source.factors)


def stored_factors(source: FileFormat) -> Array:
    """Returns the factors of a file in the order in which its images are stored."""
    if source.grid is None:
        return source.factors
    return source.grid.factors(np.arange(len(source)))


def stored_chunks(source: FileFormat, image_size: int, start: int = 0) -> Iterator[Array]:
    """Yields the images of a file, from row `start` on, in their stored form."""
    for chunk in source.chunks(start):
        yield chunk if source.is_packed else resized(chunk, image_size)


def resized(images: Array, size: int) -> Array:
    """Resamples uint8 `(n, h, w, 1 or 3)` with Pillow's Lanczos filter, if the size differs."""
    length, height, width, channels = images.shape
    if height == width == size:
        return images
    # Imported here because images of the published size do not need it.
    from PIL import Image

    smaller = np.empty((length, size, size, channels), np.uint8)
    for place, pixels in zip(smaller, images, strict=True):
        picture = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
        picture = picture.resize((size, size), Image.Resampling.LANCZOS)
        place[...] = np.asarray(picture).reshape(place.shape)
    return smaller
