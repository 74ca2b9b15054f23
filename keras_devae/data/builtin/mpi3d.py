"""The published MPI3D files: .npz archives of the same scenes, drawn, rendered and photographed."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from keras_devae.checks import Array
from keras_devae.data.builtin.declaration import BuiltinSet, PublishedFile, google_storage_address
from keras_devae.data.builtin.file_format import FileFormat, row_blocks
from keras_devae.data.factor_grid import FactorGrid
from keras_devae.errors import FailureError
from keras_devae.files.archives import opened_archive, read_header

_MEMBER = "images.npy"
_ROWS_AT_ONCE = 512


# As the authors' repository lists them.
_LABELS = {
    "object_color": ("white", "green", "red", "blue", "brown", "olive"),
    "object_shape": ("cone", "cube", "cylinder", "hexagonal", "pyramid", "sphere"),
    "object_size": ("small", "large"),
    "camera_height": ("top", "center", "bottom"),
    "background_color": ("purple", "sea green", "salmon"),
}


class MPI3DFile(FileFormat):
    """Reads a file in the format of `mpi3d_toy.npz`, `mpi3d_realistic.npz` or `mpi3d_real.npz`.

    Its only member is `images` (uint8 `(n, 64, 64, 3)`). An image's factors follow from its row
    number alone, so a file with fewer or more rows than the grid is refused.
    """

    grid = FactorGrid(
        (
            *("object_color", "object_shape", "object_size", "camera_height", "background_color"),
            *("horizontal_axis", "vertical_axis"),
        ),
        (6, 6, 2, 3, 3, 40, 40),
    )
    factor_names: ClassVar = grid.names
    image_shape: ClassVar = (64, 64, 3)

    def __init__(self, path: Path):
        self.path = path
        with opened_archive(path) as archive:
            self._check_images(archive)
        self.factors = self.grid.factors(np.arange(len(self.grid)))

    def chunks(self, start: int = 0) -> Iterator[Array]:
        """Yields the images in order; see `FileFormat.chunks`."""
        with opened_archive(self.path) as archive, archive.open(_MEMBER) as file:
            read_header(file)
            rows = range(start, len(self))
            yield from row_blocks(file, rows, self.image_shape, _ROWS_AT_ONCE, self._wrong)

    def _check_images(self, archive: zipfile.ZipFile) -> None:
        if _MEMBER not in archive.namelist():
            raise self._wrong("it has no member 'images'")
        with archive.open(_MEMBER) as file:
            shape, fortran_order, dtype = read_header(file)
            start = file.tell()
        if dtype != np.uint8 or shape[1:] != self.image_shape or fortran_order or not shape:
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


def _declaration(kind: str, published_name: str, md5: str) -> BuiltinSet:
    """Declares the drawn (`toy`), the rendered (`realistic`) or the photographed (`real`) set."""
    name = f"mpi3d_{kind}"
    # The address since the folder disentanglement_dataset was removed in 2023.
    address = "https://storage.googleapis.com/mpi3d_disentanglement_dataset/data"
    file = PublishedFile(
        f"{name}.npz",
        f"{address}/{published_name}",
        # As listed by disent for the files at the former address. The file of the real images was
        # found corrupt in 2024 and replaced in 2025.
        md5=md5,
        mirrors=(
            google_storage_address("mpi3d_disentanglement_dataset", f"data%2F{published_name}"),
        ),
        was_replaced=True,
    )
    return BuiltinSet(
        name=name,
        title=f"MPI3D {kind}",
        grid=MPI3DFile.grid,
        licence="CC-BY-4.0",
        citation=(
            "Muhammad Waleed Gondal et al. On the Transfer of Inductive Bias from Simulation to "
            "the Real World: a New Disentanglement Dataset. NeurIPS 2019."
        ),
        homepage="https://github.com/rr-learning/disentanglement_dataset",
        files=(file,),
        file_format=MPI3DFile,
        factor_labels=_LABELS,
        nominal_factors=("object_color", "object_shape", "background_color"),
    )


MPI3D_TOY = _declaration("toy", "mpi3d_toy.npz", "55889cb7c7dfc655d6e0277beee88868")
MPI3D_REALISTIC = _declaration(
    "realistic", "mpi3d_realistic.npz", "59a6225b88b635365f70c91b3e52f70f"
)
MPI3D_REAL = _declaration("real", "real.npz", "0f33f609918fb5c97996692f91129802")
