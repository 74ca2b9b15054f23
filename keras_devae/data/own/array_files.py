"""A user's own images as arrays, in an .npz or a .npy file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from keras_devae.checks import Array, path_of
from keras_devae.data.dataset import Dataset, OutlinedDataset
from keras_devae.data.image_sizes import ImageSize, checked_size, height_and_width
from keras_devae.data.own.arrays import (
    ArrayDataset,
    MappedImages,
    as_pixels,
    checked_image_shape,
    content_hash,
    mapped_array,
)
from keras_devae.data.own.factor_files import read_factors
from keras_devae.data.own.factor_values import Factors, FactorsFile, Reading, checked_factors
from keras_devae.data.own.fitting import fit_images
from keras_devae.errors import UsageError
from keras_devae.files.archives import check_is_archive, member_header, read_arrays


def from_npz(
    path: str | Path,
    image_size: ImageSize | str | None = None,
    factors_file: str | Path | None = None,
    bins: Mapping[str, int] | None = None,
    factor_kinds: Mapping[str, str] | None = None,
    sequence_column: str | None = None,
) -> Dataset:
    """Reads a data set from an .npz file.

    Args:
        path: File with a member `images` (or `imgs`), and optionally `factors` and `factor_names`,
            each as `from_arrays` takes them. Other members are ignored, and nothing is unpickled.
        image_size: Pixels per side, or `(height, width)`, to which images of another size are
            fitted: cropped in the middle to that shape and resized with a bicubic filter. Default:
            they keep their own.
        factors_file: A .csv or .npy file with the factors, which replaces the members `factors` and
            `factor_names`; see `from_npy`. Default: none.
        bins: Number of bins by the name of a continuous factor; see `from_arrays`. Default: none.
        factor_kinds: By factor, `"classes"`, `"numbers"`, `"continuous"` or `"ignore"`, where its
            values do not show it; see `from_arrays`. Default: none.
        sequence_column: Name of the column that says which images belong to one sequence; it is no
            factor. Default: none.

    Returns:
        A `Dataset` in memory.

    Raises:
        UsageError: If there is no such file or its members are not as described.
        FailureError: If a file is damaged.
    """
    file = path_of("path", path)
    factor_members = () if factors_file is not None else ("factors", "factor_names")
    members = _members(file, ("images", "imgs", *factor_members))
    images = members.get("images", members.get("imgs"))
    if images is None:
        raise UsageError(f"{file} has no member 'images' (or 'imgs').")
    size = None if image_size is None else checked_size(image_size)
    pixels = fit_images(as_pixels(images, name=str(file)), size)
    reading = Reading(bins, factor_kinds, sequence_column)
    factors = _factors(members, len(pixels), factors_file, reading)
    return _dataset("npz", file, pixels, pixels, factors)


def from_npy(
    path: str | Path,
    image_size: ImageSize | str | None = None,
    factors_file: str | Path | None = None,
    bins: Mapping[str, int] | None = None,
    factor_kinds: Mapping[str, str] | None = None,
    sequence_column: str | None = None,
) -> Dataset:
    """Opens a data set in a .npy file and reads its images only when they are requested.

    Args:
        path: File with a uint8 array `(n, height, width)` or `(n, height, width, channels)`.
        image_size: Pixels per side, or `(height, width)`, to which images of another size are
            fitted, see `from_npz`; they are then held in memory. Default: they keep their own.
        factors_file: File with the factors: a .npy file with an array `(n, number of factors)`,
            or a .csv file with a line of factor names and then a line for each image in order.
            If none of a factor's values is a number, its words are classes, numbered in natural
            order and recorded in the provenance as `factor_classes`. Default: no factors.
        bins: Number of bins by the name of a continuous factor; see `from_arrays`. Default: none.
        factor_kinds: By factor, `"classes"`, `"numbers"`, `"continuous"` or `"ignore"`, where its
            values do not show it; see `from_arrays`. Default: none.
        sequence_column: Name of the column that says which images belong to one sequence; it is no
            factor. Default: none.

    Returns:
        A `Dataset` that reads its images from the file batch by batch, so the file must stay where
        it is. The hash in its provenance covers a few slices of the images, and the factors.

    Raises:
        UsageError: If there is no such file, or an array or the factors are not as described.
        FailureError: If a file is damaged.
    """
    file = path_of("path", path)
    images = mapped_array(file)
    if images.dtype.kind == "f":
        raise UsageError(
            f"The images of a .npy file must be uint8, because they stay in the file. Received: "
            f"{images.dtype} in {file}; save `np.rint(images * 255).astype('uint8')` if they lie "
            "in [0, 1]."
        )
    if images.dtype != np.uint8:
        raise UsageError(
            f"The images of a .npy file must be uint8 in 0..255. Received: {images.dtype} in "
            f"{file}; save them as uint8."
        )
    size = None if image_size is None else checked_size(image_size)
    stored = as_pixels(images, all_rows=False, name=str(file))
    pixels = fit_images(stored, size)
    reading = Reading(bins, factor_kinds, sequence_column)
    factors = _factors({}, len(pixels), factors_file, reading)
    return _dataset(
        "npy", file, pixels, MappedImages(file) if pixels is stored else pixels, factors
    )


def outline_of_npz(
    path: Path, image_size: ImageSize | None, factors_file: FactorsFile, reading: Reading
) -> OutlinedDataset | None:
    """Returns the outline of an .npz file, or `None` if its headers do not suffice."""
    _check_npz(path)
    header = member_header(path, "images") or member_header(path, "imgs")
    if header is None or header[1].hasobject:
        return None
    wanted = () if factors_file is not None else ("factors", "factor_names")
    members = _members(path, wanted) if wanted else {}
    return _outline("npz", path, header[0], members, image_size, factors_file, reading)


def outline_of_npy(
    path: Path, image_size: ImageSize | None, factors_file: FactorsFile, reading: Reading
) -> OutlinedDataset:
    """Returns the outline of a .npy file."""
    return _outline("npy", path, mapped_array(path).shape, {}, image_size, factors_file, reading)


def npz_has_factors(path: Path) -> bool:
    """Returns whether there is an .npz file with factors."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "factors.npy" in archive.namelist()


def _outline(
    kind: str,
    path: Path,
    shape: tuple[int, ...],
    members: Mapping[str, Array],
    image_size: ImageSize | None,
    factors_file: FactorsFile,
    reading: Reading,
) -> OutlinedDataset:
    height, width, channels = checked_image_shape(shape)
    if image_size is not None:
        height, width = height_and_width(image_size)
    found = _factors(members, shape[0], factors_file, reading)
    image_shape = (height, width, channels)
    name = f"{kind}:{path}"
    return OutlinedDataset(
        name, shape[0], image_shape, found.values, found.names, **found.described
    )


def _factors(
    members: Mapping[str, Array], length: int, factors_file: FactorsFile, reading: Reading
) -> Factors:
    """Returns the factors from their own file if one is given, else from the archive's members."""
    if factors_file is not None:
        return read_factors(factors_file, length, None, reading)
    return checked_factors(members.get("factors"), members.get("factor_names"), length, reading)


def _dataset(
    kind: str, path: Path, pixels: Array, images: Array | MappedImages, factors: Factors
) -> Dataset:
    is_whole = kind == "npz"
    return ArrayDataset(
        images,
        factors.values,
        factors.names,
        name=f"{kind}:{path}",
        provenance={
            "source": kind,
            "file": str(path.resolve()),
            "sha256": content_hash(pixels, factors.values, all_rows=is_whole),
            **factors.notes,
        },
        origin="arrays of that file" if is_whole else "array of that file",
        **factors.described,
    )


def _check_npz(path: Path) -> None:
    """Raises an error unless the file exists and begins like an archive."""
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    check_is_archive(path)


def _members(path: Path, wanted: tuple[str, ...]) -> dict[str, Array]:
    """Reads the wanted arrays that an .npz file has, without ever unpickling."""
    _check_npz(path)
    return read_arrays(path, wanted)
