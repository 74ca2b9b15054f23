"""The published MPI3D files: .npz archives of the same scenes, drawn, rendered and photographed."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from keras_devae.data.factor_grid import FactorGrid
from keras_devae.errors import FailureError
from keras_devae.files.archives import opened_archive, read_header

_MEMBER = "images.npy"
_ROWS_AT_ONCE = 512


class MPI3DFile:
    """Reads a file in the format of `mpi3d_toy.npz`, `mpi3d_realistic.npz` or `mpi3d_real.npz`.

    Its only member is `images` (uint8 `(n, 64, 64, 3)`). There are no labels: what an image shows
    follows from its row alone, so that a file with other than all rows of the grid is refused.
    A subclass with a smaller `grid` reads the files of that grid.

    Args:
        path: The file.

    Attributes:
        factors: int64 array of shape `(n, 7)`.
        grid: Grid that the rows enumerate.

    Raises:
        FailureError: If the file is truncated, damaged or in another format.
    """

    grid: ClassVar = FactorGrid(
        (
            "object_color",
            "object_shape",
            "object_size",
            "camera_height",
            "background_color",
            "horizontal_axis",
            "vertical_axis",
        ),
        (6, 6, 2, 3, 3, 40, 40),
    )
    factor_names: ClassVar = grid.names
    image_shape: ClassVar = (64, 64, 3)
    row_shape: ClassVar = (64, 64, 3)
    is_packed: ClassVar = False

    def __init__(self, path: Path):
        self.path = path
        with opened_archive(path) as archive:
            self._check_images(archive)
        self.factors = self.grid.factors(np.arange(len(self.grid)))

    def __len__(self) -> int:
        return len(self.grid)

    def chunks(self, start: int = 0) -> Iterator[np.ndarray]:
        """Yields the images from one on in order, as uint8 arrays `(rows, 64, 64, 3)`."""
        row_bytes = np.prod(self.row_shape).item()
        with opened_archive(self.path) as archive, archive.open(_MEMBER) as file:
            read_header(file)
            file.seek(start * row_bytes, 1)
            for done in range(start, len(self), _ROWS_AT_ONCE):
                rows = min(_ROWS_AT_ONCE, len(self) - done)
                content = file.read(rows * row_bytes)
                if len(content) < rows * row_bytes:
                    raise self._wrong("its images end too early")
                yield np.frombuffer(content, np.uint8).reshape(rows, *self.row_shape)

    def _check_images(self, archive: zipfile.ZipFile) -> None:
        if _MEMBER not in archive.namelist():
            raise self._wrong("it has no member 'images'")
        with archive.open(_MEMBER) as file:
            shape, fortran_order, dtype = read_header(file)
            start = file.tell()
        if dtype != np.uint8 or shape[1:] != self.row_shape or fortran_order or not shape:
            raise self._wrong(f"'images' is {dtype} {shape} and not uint8 (n, 64, 64, 3)")
        if shape[0] != len(self.grid):
            raise self._wrong(
                f"it holds {shape[0]:,} images and not the {len(self.grid):,} that the order of "
                "its rows is known for"
            )
        if archive.getinfo(_MEMBER).file_size != start + np.prod(shape).item():
            raise self._wrong(f"'images' is not as long as its shape {shape} says")

    def _wrong(self, what: str) -> FailureError:
        return FailureError(
            f"{self.path} is not an MPI3D file: {what}. Download it again, or use 'npz:PATH' for "
            "an .npz file of your own."
        )
