"""The published dSprites file: an .npz archive of 3 GB of binary images in 26 MB."""

import contextlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from keras_devae.data.dsprites import DSpritesRenderer
from keras_devae.data.factor_classes import complete_grid, ranks
from keras_devae.errors import FailureError

_ROWS_AT_ONCE = 4096


class DSpritesFile:
    """Reads a file in the format of `dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz`.

    Only the members `imgs` (uint8 `(n, 64, 64)` of 0 and 1), `latents_classes` (integers
    `(n, 6)`, colour first) and `latents_values` are looked at. The member `metadata` is a pickle
    of Python 2 and is never read. The images leave as packed bits, 512 bytes each.

    Args:
        path: The file.

    Attributes:
        factors: int64 array of shape `(n, 5)`, without the colour, of which there is one.
        grid: Grid that the rows enumerate, or `None`.

    Raises:
        FailureError: If the file is truncated, damaged or in another format.
    """

    factor_names: ClassVar = DSpritesRenderer.grid.names
    image_shape: ClassVar = (64, 64, 1)
    row_shape: ClassVar = (512,)
    is_packed: ClassVar = True

    def __init__(self, path: Path):
        self.path = path
        with self._archive() as archive:
            for member in ("imgs", "latents_classes", "latents_values"):
                if f"{member}.npy" not in archive.namelist():
                    raise self._wrong(f"it has no member {member!r}")
            with archive.open("imgs.npy") as file:
                shape, fortran_order, dtype = _read_header(file)
            if dtype != np.uint8 or shape[1:] != (64, 64) or fortran_order or not shape[0]:
                raise self._wrong(f"'imgs' is {dtype} {shape} and not uint8 (n, 64, 64)")
            classes = self._read_classes(archive, shape[0])
        self.factors, self.grid = self._factors_and_grid(classes[:, 1:].astype(np.int64))

    def __len__(self) -> int:
        return len(self.factors)

    def chunks(self) -> Iterator[np.ndarray]:
        """Yields all images in order, as uint8 arrays `(rows, 512)` of packed bits."""
        with self._archive() as archive, archive.open("imgs.npy") as file:
            _read_header(file)
            for start in range(0, len(self), _ROWS_AT_ONCE):
                rows = min(_ROWS_AT_ONCE, len(self) - start)
                content = file.read(rows * 64 * 64)
                if len(content) < rows * 64 * 64:
                    raise self._wrong("its images end too early")
                pixels = np.frombuffer(content, np.uint8).reshape(rows, -1)
                if pixels.max() > 1:
                    raise self._wrong("its images hold other values than 0 and 1")
                yield np.packbits(pixels, axis=1)

    def open_rows(self):
        """Returns a function from row numbers to rows of packed bits, all held in memory."""
        packed = np.empty((len(self), *self.row_shape), np.uint8)
        start = 0
        for chunk in self.chunks():
            packed[start : start + len(chunk)] = chunk
            start += len(chunk)
        return packed.__getitem__

    @contextlib.contextmanager
    def _archive(self) -> Iterator[zipfile.ZipFile]:
        """Opens the archive and turns every way in which reading it fails into one error."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError) as error:
            raise self._damaged(error) from None

    def _read_classes(self, archive: zipfile.ZipFile, length: int) -> np.ndarray:
        with archive.open("latents_classes.npy") as file:
            classes = np.lib.format.read_array(file, allow_pickle=False)
        if classes.dtype.kind not in "iu" or classes.shape != (length, 6):
            raise self._wrong(
                f"'latents_classes' is {classes.dtype} {classes.shape} and not integers "
                f"({length}, 6)"
            )
        return classes

    def _factors_and_grid(self, classes: np.ndarray):
        """Numbers the values from 0 where that makes a grid, else keeps the stored classes."""
        numbered = ranks(classes)
        grid = complete_grid(numbered, self.factor_names)
        return (classes, None) if grid is None else (numbered, grid)

    def _wrong(self, what: str) -> FailureError:
        return FailureError(
            f"{self.path} is not a dSprites file: {what}. Download it again, or use "
            "'npz:PATH' for an .npz file of your own."
        )

    def _damaged(self, error: Exception) -> FailureError:
        actual, expected = self.path.stat().st_size, _least_bytes(self.path)
        if expected is not None and actual < expected:
            return FailureError(
                f"{self.path} is truncated: it has {actual:,} bytes, and at least {expected:,} "
                "were expected. Download it again."
            )
        return FailureError(
            f"{self.path} ({actual:,} bytes) is damaged: {error}. Download it again."
        )


def _read_header(file) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def _least_bytes(path: Path) -> int | None:
    """Size that the members of a zip archive announce, as far as they can be followed.

    The directory of an archive is at its end, so that a truncated one has none; but each member
    is preceded by a header with its size.
    """
    least, directory = None, 22
    with path.open("rb") as file:
        while len(header := file.read(30)) == 30 and header.startswith(b"PK\x03\x04"):
            compressed, full, name_length, extra_length = struct.unpack("<18xIIHH", header)
            file.seek(name_length, 1)
            extra = file.read(extra_length)
            # Sizes of 4 GB and more, and those of any file that might have become so large, are
            # in an extra field instead: identifier 1, length, full size, compressed size.
            if compressed == full == 0xFFFFFFFF and extra.startswith(b"\x01\x00"):
                compressed = int.from_bytes(extra[12:20], "little")
            directory += 46 + name_length
            least = file.seek(compressed, 1) + directory
    return least
