"""The published 3D Shapes file: `3dshapes.h5`, 5.9 GB of images in 268 MB."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from keras_devae.data.builtin.shapes3d import Shapes3DRenderer
from keras_devae.data.own.factor_classes import complete_grid, ranks
from keras_devae.errors import FailureError

_ROWS_AT_ONCE = 1024
#: Shuffled batches go back and forth between 8 chunks, and then between the next 8.
_CHUNKS_KEPT = 9
_MOST_KEPT_BYTES = 2**29
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class Shapes3DFile:
    """Reads a file in the format of `3dshapes.h5`.

    Its data sets are `images` (uint8 `(n, 64, 64, 3)`) and `labels` (floats `(n, 6)`).

    Args:
        path: The file.

    Attributes:
        factors: int64 array of shape `(n, 6)`: the labels, the values of each factor numbered 0,
            1, 2 ... in ascending order.
        grid: Grid that the rows enumerate, or `None`.
        chunk_rows: Images that the file compresses together.
        can_stream: Whether so few are that `read_rows` can keep the chunks of shuffled batches.

    Raises:
        FailureError: If the file is truncated, damaged or in another format.
    """

    factor_names: ClassVar = Shapes3DRenderer.grid.names
    image_shape: ClassVar = (64, 64, 3)
    row_shape: ClassVar = (64, 64, 3)
    is_packed: ClassVar = False

    def __init__(self, path: Path):
        self.path = path
        self._check_complete()
        with self._opened() as file:
            self._check_members(file)
            self.chunk_rows = file["images"].chunks[0] if file["images"].chunks else 1
            self.factors = ranks(file["labels"][:])
        self.grid = complete_grid(self.factors, self.factor_names)
        self.can_stream = _CHUNKS_KEPT * self.chunk_rows * 64 * 64 * 3 <= _MOST_KEPT_BYTES
        self._chunk = functools.lru_cache(_CHUNKS_KEPT)(self._decode_chunk)

    def __reduce__(self):
        # The chunks that are kept do not travel to another process, which decodes its own.
        return type(self), (self.path,)

    def __len__(self) -> int:
        return len(self.factors)

    def chunks(self, start: int = 0) -> Iterator[np.ndarray]:
        """Yields the images from one on in order, as uint8 arrays `(rows, 64, 64, 3)`."""
        # Whole chunks of the file, so that none is decoded twice.
        rows = self.chunk_rows * max(1, _ROWS_AT_ONCE // self.chunk_rows)
        with self._opened() as file:
            images = file["images"]
            while start < len(self):
                end = min(start - start % rows + rows, len(self))
                yield images[start:end]
                start = end

    def read_rows(self, rows: np.ndarray) -> np.ndarray:
        """Returns images `(n, 64, 64, 3)` by row number, in any order, from the file.

        HDF5 decodes a whole chunk for any row of it, so that chunks are decoded as a whole and the
        last ones are kept.
        """
        images = np.empty((len(rows), *self.row_shape), np.uint8)
        numbers = rows // self.chunk_rows
        for number in np.unique(numbers).tolist():
            places = np.flatnonzero(numbers == number)
            images[places] = self._chunk(number)[rows[places] % self.chunk_rows]
        return images

    def _decode_chunk(self, number: int) -> np.ndarray:
        start = number * self.chunk_rows
        with self._opened() as file:
            return file["images"][start : start + self.chunk_rows]

    @contextlib.contextmanager
    def _opened(self):
        """Opens the file and turns every way in which reading it fails into one error.

        The file is opened anew each time: no handle is shared between threads or processes.
        """
        # Imported where it is needed: most runs read no HDF5.
        import h5py

        try:
            with h5py.File(self.path, "r") as file:
                yield file
        except (OSError, KeyError, RuntimeError) as error:
            if isinstance(error, FailureError):
                raise
            raise FailureError(
                f"{self.path} ({self.path.stat().st_size:,} bytes) is damaged: {error}. "
                "Download it again."
            ) from None

    def _check_members(self, file) -> None:
        for member in ("images", "labels"):
            if member not in file or not hasattr(file[member], "shape"):
                raise self._wrong(f"it has no data set {member!r}")
        images, labels = file["images"], file["labels"]
        if images.dtype != np.uint8 or images.shape[1:] != (64, 64, 3) or not images.shape[0]:
            raise self._wrong(
                f"'images' is {images.dtype} {images.shape} and not uint8 (n, 64, 64, 3)"
            )
        if labels.dtype.kind not in "iuf" or labels.shape != (len(images), 6):
            raise self._wrong(
                f"'labels' is {labels.dtype} {labels.shape} and not numbers ({len(images)}, 6)"
            )

    def _check_complete(self) -> None:
        """Compares the size of the file with the one that its first bytes announce."""
        with self.path.open("rb") as file:
            start = file.read(48)
        if not start.startswith(_HDF5_SIGNATURE) or len(start) < 48:
            raise self._wrong(f"its {self.path.stat().st_size:,} bytes are not HDF5")
        # End-of-file address: its place depends on the version of the superblock.
        place = 40 if start[8] < 2 else 28
        expected = int.from_bytes(start[place : place + 8], "little")
        actual = self.path.stat().st_size
        if actual < expected:
            raise FailureError(
                f"{self.path} is truncated: it has {actual:,} bytes, and {expected:,} were "
                "expected. Download it again."
            )

    def _wrong(self, what: str) -> FailureError:
        return FailureError(f"{self.path} is not a 3D Shapes file: {what}. Download it again.")
