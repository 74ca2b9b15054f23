"""What a data set will be, known from the headers of its files before its images are read."""

import zipfile
from pathlib import Path

import numpy as np

from keras_devae.data.builtin.official import OfficialSet
from keras_devae.data.dataset import Dataset
from keras_devae.data.own.arrays import checked_factors, image_shape_of
from keras_devae.data.own.factor_classes import complete_grid, distinct_counts
from keras_devae.data.own.factor_files import has_factor_file, mapped_array, read_factors
from keras_devae.data.own.user_files import (
    check_image_size,
    check_npz,
    check_square,
    folder_factors,
    picture_files,
    read_members,
)
from keras_devae.errors import UsageError
from keras_devae.files.archives import member_header


class OutlinedDataset(Dataset):
    """A data set without pixels: all its images are black.

    Args:
        name: Short name.
        length: Number of images.
        image_shape: `(height, width, channels)`.
        factors: int64 `(n, f)`, or `None`: those of the grid, if there is one.
        **facts: `grid`, or `factor_names` and `factor_sizes`, see `Dataset`.
    """

    def __init__(
        self,
        name: str,
        length: int,
        image_shape: tuple[int, int, int],
        factors: np.ndarray | None = None,
        **facts,
    ):
        provenance = {"source": "outline"}
        super().__init__(name, length, image_shape, provenance, "not read yet", **facts)
        self._factors = factors

    def _read_images(self, rows: np.ndarray) -> np.ndarray:
        return np.zeros((len(rows), *self.image_shape), np.uint8)

    def _read_factors(self, rows: np.ndarray) -> np.ndarray:
        return super()._read_factors(rows) if self._factors is None else self._factors[rows]


def has_factors(name: str, factors_file: str | Path | None = None) -> bool:
    """Tells whether a data set comes with factors, without reading its images.

    Args:
        name: A name as in `load`.
        factors_file: As in `load`.
    """
    if not isinstance(name, str):
        raise UsageError(f"A data set is named by a text. Received: {name!r}.")
    kind, colon, file = name.partition(":")
    if not colon or factors_file is not None:
        return True
    path = Path(file).expanduser()
    if kind == "folder":
        return has_factor_file(path)
    if kind == "npz" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return "factors.npy" in archive.namelist()
    return False


def outline_of_official(official: OfficialSet, image_size: int) -> Dataset:
    """Returns the outline of a published data set; a part of it would have fewer images."""
    grid, shape = official.grid, official.image_shape(image_size)
    return OutlinedDataset(official.name, len(grid), shape, grid=grid)


def outline_of_folder(path: Path, image_size: int | None, factors_file, bins) -> Dataset:
    """Returns the outline of a folder of pictures, none of which is opened."""
    size = check_square(path, image_size)
    files = picture_files(path)
    factors = folder_factors(path, files, factors_file, bins)
    return _outline(f"folder:{path}", len(files), (size, size, 3), factors)


def outline_of_arrays(
    kind: str, path: Path, image_size: int | None, factors_file, bins
) -> Dataset | None:
    """Returns the outline of an .npz or .npy file; `None` where only reading it tells."""
    if kind == "npy":
        shape, given = mapped_array(path).shape, (None, None)
    else:
        check_npz(path)
        header = member_header(path, "images") or member_header(path, "imgs")
        if header is None or header[1].hasobject:
            return None
        shape = header[0]
        members = (
            {} if factors_file is not None else read_members(path, ("factors", "factor_names"))
        )
        given = members.get("factors"), members.get("factor_names")
    image_shape = image_shape_of(shape)
    check_image_size(image_shape, image_size, path)
    factors = (
        read_factors(factors_file, shape[0], bins=bins)
        if factors_file is not None
        else checked_factors(*given, shape[0], bins)
    )
    return _outline(f"{kind}:{path}", shape[0], image_shape, factors)


def _outline(name: str, length: int, image_shape: tuple[int, int, int], given) -> Dataset:
    factors, names, _ = given
    if factors is None:
        return OutlinedDataset(name, length, image_shape)
    return OutlinedDataset(
        name,
        length,
        image_shape,
        factors,
        grid=complete_grid(factors, names),
        factor_names=names,
        factor_sizes=distinct_counts(factors),
    )
