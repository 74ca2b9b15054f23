"""A user's own images: an .npz file, a .npy file, or a folder of pictures."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from keras_devae.checks import at_least, flag, function_or_none, path_of
from keras_devae.data.dataset import Dataset
from keras_devae.data.own.arrays import (
    ArrayDataset,
    as_pixels,
    checked_factors,
    content_hash,
    refuse_bins,
)
from keras_devae.data.own.factor_files import (
    MappedImages,
    factor_file_in,
    mapped_array,
    read_factors,
)
from keras_devae.data.own.image_files import (
    PICTURE_SUFFIXES,
    Progress,
    Squares,
    decode_picture,
    decode_squares,
    picture_files,
)
from keras_devae.data.own.left_out import left_out_of, pages_left_out, warn_of_left_out
from keras_devae.data.own.value_range import warn_of_range
from keras_devae.errors import FailureError, UsageError
from keras_devae.files.archives import check_is_archive, read_arrays

__all__ = [
    "PICTURE_SUFFIXES",
    "decode_picture",
    "from_folder",
    "from_npy",
    "from_npz",
    "picture_files",
]

# Names of damaged pictures that a sentence gives; the provenance has all of them.
_NAMES_SHOWN = 5
# Squares of more pixels a side fit into no memory in any number.
_LARGEST_SIDE = 2**14


def from_npz(
    path: str | Path,
    image_size: int | None = None,
    factors_file: str | Path | None = None,
    bins: Mapping[str, int] | None = None,
) -> Dataset:
    """Reads a data set from an .npz file.

    Args:
        path: File with a member `images` (or `imgs`), and optionally `factors` and
            `factor_names`, each as `from_arrays` takes them. Other members are not touched, and
            nothing is ever unpickled.
        image_size: Height and width that the images must have. Default: any.
        factors_file: A .csv or .npy file with the factors, which then count in place of the
            members `factors` and `factor_names`; see `from_npy`. Default: none.
        bins: Number of bins by the name of a continuous factor; see `from_arrays`. Default: none.

    Returns:
        A `Dataset` in memory.

    Raises:
        UsageError: If there is no such file or its members are not as described.
        FailureError: If a file is damaged.
    """
    path = path_of("path", path)
    factor_members = () if factors_file is not None else ("factors", "factor_names")
    members = read_members(path, ("images", "imgs", *factor_members))
    images = members.get("images", members.get("imgs"))
    if images is None:
        raise UsageError(f"{path} has no member 'images' (or 'imgs').")
    pixels = as_pixels(images, name=str(path))
    check_image_size(pixels.shape[1:], image_size, path)
    given = members.get("factors"), members.get("factor_names")
    return _of_file("npz", path, pixels, given, factors_file, bins)


def from_npy(
    path: str | Path,
    image_size: int | None = None,
    factors_file: str | Path | None = None,
    bins: Mapping[str, int] | None = None,
) -> Dataset:
    """Opens a data set in a .npy file, whose images stay in the file until they are asked for.

    Args:
        path: File with a uint8 array of shape `(n, height, width)` or
            `(n, height, width, channels)`.
        image_size: Height and width that the images must have. Default: any.
        factors_file: File with the factors: a .npy file with an array of shape
            `(n, number of factors)`, or a .csv file with a line of factor names and then a line
            for each image in order. A factor of which no value is a number has words as classes,
            numbered in ascending order and noted in the provenance as `factor_classes`.
            Default: no factors.
        bins: Number of bins by the name of a continuous factor; see `from_arrays`. Default: none.

    Returns:
        A `Dataset` whose images are read from the file batch by batch; leave the file where it
        is. The hash in its provenance is that of a few slices of them, and of the factors.

    Raises:
        UsageError: If there is no such file, or an array or the factors are not as described.
        FailureError: If a file is damaged.
    """
    path = path_of("path", path)
    images = mapped_array(path)
    if images.dtype.kind == "f":
        raise UsageError(
            f"The images of a .npy file must be uint8, because they stay in the file. "
            f"Received: {images.dtype} in {path}; save them as "
            "`np.rint(images * 255).astype('uint8')` if they lie in [0, 1]."
        )
    if images.dtype != np.uint8:
        raise UsageError(
            f"The images of a .npy file must be uint8 in 0..255. Received: {images.dtype} in "
            f"{path}; save them as uint8."
        )
    pixels = as_pixels(images, all_rows=False, name=str(path))
    check_image_size(pixels.shape[1:], image_size, path)
    return _of_file("npy", path, pixels, (None, None), factors_file, bins)


def _of_file(kind: str, path: Path, pixels: np.ndarray, given, factors_file, bins) -> Dataset:
    """Returns the data set of a file's images, with the factors given in it or in another one."""
    if factors_file is not None:
        factors, names, notes = read_factors(factors_file, len(pixels), bins=bins)
    else:
        factors, names, notes = checked_factors(*given, len(pixels), bins)
    return ArrayDataset(
        pixels if kind == "npz" else MappedImages(path),
        factors,
        names,
        name=f"{kind}:{path}",
        provenance={
            "source": kind,
            "file": str(path.resolve()),
            "sha256": content_hash(pixels, factors, all_rows=kind == "npz"),
            **notes,
        },
        origin="arrays of that file" if kind == "npz" else "array of that file",
    )


def check_image_size(image_shape: tuple[int, int, int], image_size: int | None, path: Path) -> None:
    """Raises a `UsageError` if the images of a file have another size than the one asked for."""
    if image_size is None:
        return
    at_least("image_size", image_size, 1)
    if image_shape[:2] != (image_size, image_size):
        raise UsageError(
            f"The images of {path} have {image_shape[0]}x{image_shape[1]} pixels and are not "
            f"resized. Received: image_size={image_size}."
        )


def check_square(path: Path, image_size: int | None) -> int:
    """Returns the size that the pictures of a folder get; raises `UsageError` for none."""
    if image_size is None and path.is_dir():
        raise UsageError(
            "A folder of pictures needs an image size to resize them to, e.g. image_size=64."
        )
    if image_size is not None and at_least("image_size", image_size, 1) > _LARGEST_SIDE:
        raise UsageError(f"`image_size` must be at most {_LARGEST_SIDE}. Received: {image_size}.")
    return image_size


def check_npz(path: Path) -> None:
    """Raises a `UsageError` unless there is a file that begins as an archive does."""
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    check_is_archive(path)


def read_members(path: Path, wanted: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Reads arrays of an .npz file, as many of those wanted as it has, and never unpickles."""
    check_npz(path)
    return read_arrays(path, wanted)


def from_folder(
    path: str | Path,
    image_size: int | None,
    factors_file: str | Path | None = None,
    bins: Mapping[str, int] | None = None,
    skip_damaged: bool = False,
    progress: Progress | None = None,
) -> Dataset:
    """Reads a data set from the pictures of a folder.

    Pictures are taken in the order of their names, turned upright, put on white where they are
    transparent (on black if all are white), converted to RGB, cropped to the largest square in
    their middle and resized with a bicubic filter. They are decoded once and held in memory as
    uint8. Folders inside are not searched. 16-bit grey is read as 12 bits (or 8, 10, 14) where no
    value of any picture needs more, which is said.

    Args:
        path: Folder of PNG, JPEG, BMP, GIF (first frame), TIFF, WebP, PGM or PPM files. A file
            `factors.csv` or `factors.npy` beside them gives their factors.
        image_size: Pixels a side of the images to make.
        factors_file: Another file with the factors: a .csv file with the header `file` and then
            a name for each factor, and a line for each picture in any order; or a .npy file
            with an array of shape `(n, number of factors)` in the order of the names, which must
            be one only: `img_2`, `img_10` have another by their numbers. A factor
            of a .csv file of which no value is a number has words as classes, numbered in
            ascending order and noted in the provenance as `factor_classes`. Default:
            `factors.csv` or `factors.npy` in the folder, if there is one.
        bins: Number of bins by the name of a continuous factor; see `from_arrays`. Default: none.
        skip_damaged: Whether pictures that cannot be decoded are left out, with a warning and a
            list `skipped` of their names in the provenance. Default: `False`, they are an error.
            The factors must still list them, and bins and classes are made from all of these.
        progress: Called after each picture with the number done, the number of all, and what is
            being done. Default: nothing.

    Returns:
        A `Dataset` in memory with images of shape `(image_size, image_size, 3)`.

    Raises:
        UsageError: If there is no such folder, nothing in it, no image size, or the factors do
            not fit the pictures.
        FailureError: If pictures cannot be decoded; it names them and counts the others.

    Warns:
        UserWarning: If pictures, pages of them or other files are left out; if pictures are read
            otherwise than their files say; if the images are all equal or almost constant.
    """
    path = path_of("path", path)
    flag("skip_damaged", skip_damaged)
    function_or_none("progress", progress)
    check_square(path, image_size)
    files = picture_files(path)
    # Read first, because a mistake in them should not show after minutes of decoding.
    factors, names, notes = folder_factors(path, files, factors_file, bins)
    squares = decode_squares(files, image_size, progress, f"Decoding {path.name}")
    images, reasons = squares.images, squares.reasons
    if reasons:
        _report_damaged(files, reasons, skip_damaged)
        kept = [row for row in range(len(files)) if row not in reasons]
        images = _moved_up(images, kept)
        factors = None if factors is None else factors[kept]
        notes["skipped"] = [files[row].name for row in sorted(reasons)]
    _warn_of_reading(path, files, squares, images)
    provenance = {
        "source": "folder",
        "folder": str(path.resolve()),
        "image_size": image_size,
        "sha256": content_hash(images, factors),
    }
    left_out = f", {len(reasons)} damaged left out" if reasons else ""
    return ArrayDataset(
        images,
        factors,
        names,
        name=f"folder:{path}",
        provenance={**provenance, **notes},
        origin=f"pictures of that folder{left_out}",
    )


def folder_factors(path: Path, files: list[Path], factors_file, bins):
    """Returns the factors of the pictures of a folder, their names, and notes; or `None` twice."""
    factors_file = factor_file_in(path) if factors_file is None else factors_file
    if factors_file is not None:
        return read_factors(factors_file, len(files), [file.name for file in files], bins)
    refuse_bins(bins)
    return None, None, {}


def _warn_of_reading(path: Path, files: list[Path], squares: Squares, images: np.ndarray) -> None:
    """Warns of what was left out, of what the files left open, and of images that are flat."""
    others = left_out_of(path, files, PICTURE_SUFFIXES)
    warn_of_left_out(path, len(images), others + pages_left_out(squares.pages), stacklevel=4)
    for remark in squares.remarks:
        warnings.warn(f"Of {path} {remark}.", UserWarning, stacklevel=4)
    hint = (
        "look at a few of them, and stretch the pictures to 0..255 first if they hold classes, "
        "zeros and ones, or colours of fewer bits than their file says"
    )
    warn_of_range(images, str(path), hint, stacklevel=4)


def _report_damaged(files: list[Path], reasons: dict[int, str], skip_damaged: bool) -> None:
    """Raises for the damaged pictures, or warns if they are left out and others remain."""
    damaged = [files[row].name for row in sorted(reasons)]
    first = f"{damaged[0]}: {reasons[min(reasons)]}"
    remaining = len(files) - len(damaged)
    shown = ", ".join(damaged[:_NAMES_SHOWN]) + (" ..." if len(damaged) > _NAMES_SHOWN else "")
    sentence = f"{len(damaged)} of the {len(files)} pictures in {files[0].parent} cannot be decoded"
    if not remaining:
        raise FailureError(f"{sentence}, so none is left: {shown} ({first}).")
    if not skip_damaged:
        raise FailureError(
            f"{sentence}: {shown} ({first}). The other {remaining} are fine; repair or remove "
            "those, or leave them out with skip_damaged=True."
        )
    warnings.warn(f"{sentence} and are left out: {shown} ({first}).", UserWarning, stacklevel=3)


def _moved_up(images: np.ndarray, kept: list[int]) -> np.ndarray:
    """Moves the rows to keep to the front in place: a selection would be a second copy."""
    for target, row in enumerate(kept):
        images[target] = images[row]
    return images[: len(kept)]
