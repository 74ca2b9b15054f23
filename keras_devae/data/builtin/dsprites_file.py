"""The published dSprites file: an .npz archive of 3 GB of binary images in 26 MB."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from keras_devae.data.builtin.dsprites import DSpritesRenderer
from keras_devae.data.own.factor_classes import complete_grid, ranks
from keras_devae.errors import FailureError
from keras_devae.files.archives import opened_archive, read_header

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
        with opened_archive(self.path) as archive:
            for member in ("imgs", "latents_classes", "latents_values"):
                if f"{member}.npy" not in archive.namelist():
                    raise self._wrong(f"it has no member {member!r}")
            with archive.open("imgs.npy") as file:
                shape, fortran_order, dtype = read_header(file)
            if dtype != np.uint8 or shape[1:] != (64, 64) or fortran_order or not shape[0]:
                raise self._wrong(f"'imgs' is {dtype} {shape} and not uint8 (n, 64, 64)")
            classes = self._read_classes(archive, shape[0])
        self.factors, self.grid = self._factors_and_grid(classes[:, 1:].astype(np.int64))

    def __len__(self) -> int:
        return len(self.factors)

    def chunks(self, start: int = 0) -> Iterator[np.ndarray]:
        """Yields the images from one on in order, as uint8 arrays `(rows, 512)` of packed bits."""
        with opened_archive(self.path) as archive, archive.open("imgs.npy") as file:
            read_header(file)
            file.seek(start * 64 * 64, 1)
            for done in range(start, len(self), _ROWS_AT_ONCE):
                rows = min(_ROWS_AT_ONCE, len(self) - done)
                content = file.read(rows * 64 * 64)
                if len(content) < rows * 64 * 64:
                    raise self._wrong("its images end too early")
                pixels = np.frombuffer(content, np.uint8).reshape(rows, -1)
                if pixels.max() > 1:
                    raise self._wrong("its images hold other values than 0 and 1")
                yield np.packbits(pixels, axis=1)

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
