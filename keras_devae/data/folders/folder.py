"""A user's own images as a folder of pictures."""

import functools
import warnings
from collections.abc import Mapping
from pathlib import Path

from keras_devae.checks import flag, function_or_none, path_of, shown
from keras_devae.data.dataset import Dataset, OutlinedDataset, Progress
from keras_devae.data.folders.pictures import (
    PictureSet,
    decoded_pictures,
    folder_store,
    keep_summary,
    kept_summary,
    stored_pictures,
)
from keras_devae.data.image_sizes import ImageSize, checked_size
from keras_devae.data.own.arrays import ArrayDataset
from keras_devae.data.own.factor_files import CSV_NAME, NPY_NAME, factor_file_in, read_factors
from keras_devae.data.own.factor_values import Factors, FactorsFile, Reading, no_factors
from keras_devae.data.own.folder_contents import (
    left_out_of,
    picture_files,
    signature_of,
    warn_of_left_out,
)
from keras_devae.data.own.headers import Header, Summary, form_text, read_headers, summary_of
from keras_devae.data.own.value_range import warn_of_problem
from keras_devae.data.store.preparing import data_directory
from keras_devae.errors import FailureError, UsageError

# Most names of damaged pictures in a message; the provenance has all of them.
_NAMES_SHOWN = 5


def from_folder(
    path: str | Path,
    image_size: ImageSize | str | None = None,
    factors_file: str | Path | None = None,
    bins: Mapping[str, int] | None = None,
    skip_damaged: bool = False,
    progress: Progress | None = None,
    factor_kinds: Mapping[str, str] | None = None,
    sequence_column: str | None = None,
    channels: int | None = None,
    cache: bool = True,
    data_dir: str | Path | None = None,
) -> Dataset:
    """Reads a data set from a folder of pictures.

    Pictures are sorted by name, turned upright, put on white where they are transparent (on black
    if all would be white), cropped to the largest part of the wanted shape in their middle and
    resized with a bicubic filter. They are decoded once, into the data folder, and read from there
    afterwards; a picture that is added, removed or changed (by its size or time) makes them be
    decoded anew. Subfolders are not searched. 16-bit grey is read as 12 bits (or 8, 10, 14) if no
    value of any picture needs more, with a warning.

    Args:
        path: Folder of PNG, JPEG, BMP, GIF (first frame), TIFF, WebP, PGM or PPM files. A file
            `factors.csv` or `factors.npy` beside them gives their factors.
        image_size: Pixels per side of the images, or `(height, width)`. Default: the pictures' own
            size if all are alike, with sides of 16 to 512 pixels (larger ones are scaled to a
            longer side of 128); for mixed sizes the medians of height and width, equal if nearly
            so, scaled down to at most 64.
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
        channels: 1 to read the pictures as grey, 3 as colour. Default: 1 if all are grey, else 3.
        cache: Whether to keep the decoded pictures in the data folder. Default: `True`; without,
            they are held in memory.
        data_dir: The data folder. Default: as for `prepare`.

    Returns:
        A `Dataset` with images of shape `(height, width, 1 or 3)`.

    Raises:
        UsageError: If the folder does not exist or is empty, or the factors do not fit the
            pictures.
        FailureError: If pictures cannot be decoded; the message names some and counts the others.

    Warns:
        UserWarning: If pictures, pages or other files are left out; if pictures are not
            read as their files say; if the images are all equal or almost constant; if nothing can
            be written to the data folder.
    """
    folder = path_of("path", path)
    flag("skip_damaged", skip_damaged)
    flag("cache", cache)
    function_or_none("progress", progress)
    files = picture_files(folder)
    # Read first, because a mistake in them should not show after minutes of decoding.
    reading = Reading(bins, factor_kinds, sequence_column)
    factors = _factors(folder, files, factors_file, reading)
    notes = dict(factors.notes)
    signature = signature_of(files)
    root = data_directory(data_dir)
    place = folder_store(folder, root) if cache else None
    summary = _summary(folder, signature, place)
    form = summary.form(_checked_size(image_size), _checked_channels(channels))
    if place is not None:
        found = stored_pictures(folder, files, signature, form, root, progress)
        keep_summary(place, signature, summary)
    else:
        found = decoded_pictures(folder, files, form, progress)
    if found.reasons:
        _report_damaged(files, found.reasons, skip_damaged)
        factors = factors.rows(found.kept.tolist())
        notes["skipped"] = [files[row].name for row in sorted(found.reasons)]
    _warn_of_reading(folder, files, found)
    provenance = {
        "source": "folder",
        "folder": str(folder.resolve()),
        "image_size": form.size,
        "sha256": found.hash_of(factors.values),
    }
    if form.channels == 1:
        # Colour is not recorded, as in runs of versions that read all pictures in colour.
        provenance["channels"] = 1
    left_out = f", {len(found.reasons)} damaged left out" if found.reasons else ""
    return ArrayDataset(
        found.images,
        factors.values,
        factors.names,
        name=f"folder:{folder}",
        provenance={**provenance, **notes},
        origin=f"pictures of that folder {form_text(form)}{left_out}",
        **factors.described,
    )


def outline_of_folder(
    path: Path,
    image_size: ImageSize | None,
    factors_file: FactorsFile,
    reading: Reading,
    channels: int | None = None,
    cache: bool = True,
    data_dir: str | Path | None = None,
) -> OutlinedDataset:
    """Returns the outline of a folder of pictures without decoding any of them."""
    files = picture_files(path)
    found = _factors(path, files, factors_file, reading)
    place = folder_store(path, data_directory(data_dir)) if cache else None
    summary = _summary(path, signature_of(files), place)
    form = summary.form(_checked_size(image_size), _checked_channels(channels))
    name, shape = f"folder:{path}", form.image_shape
    return OutlinedDataset(name, len(files), shape, found.values, found.names, **found.described)


def folder_has_factors(path: Path) -> bool:
    """Returns whether a folder of pictures holds `factors.csv` or `factors.npy`."""
    return (path / CSV_NAME).is_file() or (path / NPY_NAME).is_file()


def _checked_size(image_size: ImageSize | str | None) -> ImageSize | None:
    return None if image_size is None else checked_size(image_size)


def _checked_channels(channels: int | None) -> int | None:
    if channels not in (None, 1, 3) or isinstance(channels, bool):
        raise UsageError(
            "`channels` must be 1 (grey) or 3 (colour) for a folder of pictures. "
            f"Received: {shown(channels)}."
        )
    return channels


# A run asks three times: before it begins, before the pictures are decoded, and with them.
@functools.lru_cache(maxsize=4)
def headers_of(folder: Path, signature: str) -> tuple[Header, ...]:
    """Returns the headers of the pictures in a folder, whose state `signature` stands for."""
    return tuple(read_headers(picture_files(folder)))


def _summary(folder: Path, signature: str, place: Path | None) -> Summary:
    kept = None if place is None else kept_summary(place, signature)
    return kept or summary_of(headers_of(folder, signature))


def _factors(path: Path, files: list[Path], factors_file: FactorsFile, reading: Reading) -> Factors:
    factors_file = factor_file_in(path) if factors_file is None else factors_file
    if factors_file is None:
        return no_factors(reading)
    return read_factors(factors_file, len(files), [file.name for file in files], reading)


def _warn_of_reading(path: Path, files: list[Path], found: PictureSet) -> None:
    """Warns of files that were left out, of ambiguous files, and of flat images."""
    others = left_out_of(path, files) + found.left_out
    warn_of_left_out(path, len(found.kept), others, stacklevel=4)
    for remark in found.remarks:
        warnings.warn(f"In {path}, {remark}.", UserWarning, stacklevel=4)
    hint = (
        "look at a few of them, and stretch the pictures to 0..255 first if they hold classes, "
        "zeros and ones, or colours of fewer bits than their file says"
    )
    warn_of_problem(found.problem, str(path), hint, stacklevel=4)


def _report_damaged(files: list[Path], reasons: dict[int, str], skip_damaged: bool) -> None:
    """Raises for the damaged pictures, or warns if they are left out and others remain."""
    damaged = [files[row].name for row in sorted(reasons)]
    first = reasons[min(reasons)]
    first = first if len(damaged) == 1 else f"{damaged[0]}: {first}"
    remaining, one = len(files) - len(damaged), len(damaged) == 1
    shown = ", ".join(damaged[:_NAMES_SHOWN]) + (" ..." if len(damaged) > _NAMES_SHOWN else "")
    sentence = f"{len(damaged)} of the {len(files)} pictures in {files[0].parent} cannot be decoded"
    if not remaining:
        raise FailureError(f"{sentence}, so none is left: {shown} ({first}).")
    if not skip_damaged:
        others = "The other one is" if remaining == 1 else f"The other {remaining} are"
        raise FailureError(
            f"{sentence}: {shown} ({first}). {others} fine; repair or remove the damaged "
            f"{'one, or leave it' if one else 'ones, or leave them'} out with skip_damaged=True."
        )
    verb = "is" if one else "are"
    warnings.warn(f"{sentence} and {verb} left out: {shown} ({first}).", UserWarning, stacklevel=3)
