"""A user's own images as a folder of pictures."""

import warnings
from collections.abc import Mapping
from pathlib import Path

from keras_devae.checks import Array, flag, function_or_none, path_of
from keras_devae.data.dataset import Dataset, OutlinedDataset, Progress
from keras_devae.data.image_sizes import ImageSize, checked_size, height_and_width
from keras_devae.data.own.arrays import ArrayDataset, content_hash
from keras_devae.data.own.decoding import Squares, decode_squares
from keras_devae.data.own.factor_files import CSV_NAME, NPY_NAME, factor_file_in, read_factors
from keras_devae.data.own.factor_values import Factors, FactorsFile, Reading, no_factors
from keras_devae.data.own.folder_contents import (
    left_out_of,
    pages_left_out,
    picture_files,
    warn_of_left_out,
)
from keras_devae.data.own.value_range import warn_of_range
from keras_devae.errors import FailureError, UsageError

# Most names of damaged pictures in a message; the provenance has all of them.
_NAMES_SHOWN = 5


def from_folder(
    path: str | Path,
    image_size: ImageSize | str | None,
    factors_file: str | Path | None = None,
    bins: Mapping[str, int] | None = None,
    skip_damaged: bool = False,
    progress: Progress | None = None,
    factor_kinds: Mapping[str, str] | None = None,
    sequence_column: str | None = None,
) -> Dataset:
    """Reads a data set from a folder of pictures.

    Pictures are sorted by name, turned upright, put on white where they are transparent (on black
    if all would be white), converted to RGB, cropped to the largest part of the wanted shape in
    their middle and resized with a bicubic filter. They are decoded once and held in memory as
    uint8. Subfolders are not searched. 16-bit grey is read as 12 bits (or 8, 10, 14) if no value of
    any picture needs more, with a warning.

    Args:
        path: Folder of PNG, JPEG, BMP, GIF (first frame), TIFF, WebP, PGM or PPM files. A file
            `factors.csv` or `factors.npy` beside them gives their factors.
        image_size: Pixels per side of the images, or `(height, width)`.
        factors_file: Another file with the factors: a .csv file with the header `file` and then
            a name for each factor, and a line for each picture in any order; or a .npy file
            with an array of shape `(n, number of factors)` in the order of the names, which must
            be unambiguous: `img_2`, `img_10` sort differently by their numbers. If no value of a
            factor in a .csv file is a number, its words are classes, numbered in natural order
            and recorded in the provenance as `factor_classes`. Default: `factors.csv` or
            `factors.npy` in the folder, if there is one.
        bins: Number of bins by the name of a continuous factor; see `from_arrays`. Default: none.
        skip_damaged: Whether to leave out pictures that cannot be decoded, with a warning and a
            list `skipped` of their names in the provenance. Default: `False`, they are an error.
            The factors must still list them, and bins and classes are made from all pictures.
        progress: Called after each picture with the number done, the total, and what is being
            done. Default: nothing.
        factor_kinds: By factor, `"classes"`, `"numbers"`, `"continuous"` or `"ignore"`, where its
            values do not show it; see `from_arrays`. Default: none.
        sequence_column: Name of the column that says which images belong to one sequence; it is no
            factor. Default: none.

    Returns:
        A `Dataset` in memory with images of shape `(height, width, 3)`.

    Raises:
        UsageError: If the folder does not exist or is empty, there is no image size, or the
            factors do not fit the pictures.
        FailureError: If pictures cannot be decoded; the message names some and counts the others.

    Warns:
        UserWarning: If pictures, pages or other files are left out; if pictures are not
            read as their files say; if the images are all equal or almost constant.
    """
    folder = path_of("path", path)
    flag("skip_damaged", skip_damaged)
    function_or_none("progress", progress)
    size = _checked_size(folder, image_size)
    files = picture_files(folder)
    assert size is not None
    # Read first, because a mistake in them should not show after minutes of decoding.
    reading = Reading(bins, factor_kinds, sequence_column)
    found = _factors(folder, files, factors_file, reading)
    notes = dict(found.notes)
    squares = decode_squares(files, size, progress, f"Decoding {folder.name}")
    images, reasons = squares.images, squares.reasons
    if reasons:
        _report_damaged(files, reasons, skip_damaged)
        kept = [row for row in range(len(files)) if row not in reasons]
        # Moved to the front in place, because indexing would make a second copy.
        for target, row in enumerate(kept):
            images[target] = images[row]
        images = images[: len(kept)]
        found = found.rows(kept)
        notes["skipped"] = [files[row].name for row in sorted(reasons)]
    _warn_of_reading(folder, files, squares, images)
    provenance = {
        "source": "folder",
        "folder": str(folder.resolve()),
        "image_size": size,
        "sha256": content_hash(images, found.values),
    }
    left_out = f", {len(reasons)} damaged left out" if reasons else ""
    return ArrayDataset(
        images,
        found.values,
        found.names,
        name=f"folder:{folder}",
        provenance={**provenance, **notes},
        origin=f"pictures of that folder{left_out}",
        **found.described,
    )


def outline_of_folder(
    path: Path, image_size: ImageSize | None, factors_file: FactorsFile, reading: Reading
) -> OutlinedDataset:
    """Returns the outline of a folder of pictures without opening any of them."""
    size = _checked_size(path, image_size)
    files = picture_files(path)
    assert size is not None
    found = _factors(path, files, factors_file, reading)
    shape = (*height_and_width(size), 3)
    name = f"folder:{path}"
    return OutlinedDataset(name, len(files), shape, found.values, found.names, **found.described)


def folder_has_factors(path: Path) -> bool:
    """Returns whether a folder of pictures holds `factors.csv` or `factors.npy`."""
    return (path / CSV_NAME).is_file() or (path / NPY_NAME).is_file()


def _checked_size(path: Path, image_size: ImageSize | str | None) -> ImageSize | None:
    """Returns the size that the pictures will have, or `None` if there is no such folder."""
    if image_size is None and path.is_dir():
        raise UsageError(
            "A folder of pictures needs an image size to resize them to, e.g. image_size=64."
        )
    return None if image_size is None else checked_size(image_size)


def _factors(path: Path, files: list[Path], factors_file: FactorsFile, reading: Reading) -> Factors:
    factors_file = factor_file_in(path) if factors_file is None else factors_file
    if factors_file is None:
        return no_factors(reading)
    return read_factors(factors_file, len(files), [file.name for file in files], reading)


def _warn_of_reading(path: Path, files: list[Path], squares: Squares, images: Array) -> None:
    """Warns of files that were left out, of ambiguous files, and of flat images."""
    others = left_out_of(path, files)
    warn_of_left_out(path, len(images), others + pages_left_out(squares.pages), stacklevel=4)
    for remark in squares.remarks:
        warnings.warn(f"In {path}, {remark}.", UserWarning, stacklevel=4)
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
