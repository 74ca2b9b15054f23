"""A user's own images: an .npz file, or a folder of pictures."""

import csv
import zipfile
import zlib
from pathlib import Path

import numpy as np

from keras_devae.data.arrays import ArrayDataset, as_pixels, checked_factors
from keras_devae.data.dataset import Dataset
from keras_devae.errors import FailureError, UsageError

PICTURE_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
)
FACTORS_FILE = "factors.csv"


def from_npz(path: str | Path, image_size: int | None = None) -> Dataset:
    """Reads a data set from an .npz file.

    Args:
        path: File with a member `images` (or `imgs`), and optionally `factors` and
            `factor_names`, each as `from_arrays` takes them. Other members are not touched, and
            nothing is ever unpickled.
        image_size: Height and width that the images must have. Default: any.

    Returns:
        A `Dataset` in memory.

    Raises:
        UsageError: If there is no such file or its members are not as described.
        FailureError: If the file is damaged.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise UsageError(f"There is no file {path}.")
    members = _read_members(path, ("images", "imgs", "factors", "factor_names"))
    images = members.get("images", members.get("imgs"))
    if images is None:
        raise UsageError(f"{path} has no member 'images' (or 'imgs').")
    pixels = as_pixels(images)
    if image_size is not None and pixels.shape[1:3] != (image_size, image_size):
        raise UsageError(
            f"The images of {path} have {pixels.shape[1]}x{pixels.shape[2]} pixels and are not "
            f"resized. Received: image_size={image_size}."
        )
    factors, names = checked_factors(
        members.get("factors"), members.get("factor_names"), len(pixels)
    )
    return ArrayDataset(
        pixels,
        factors,
        names,
        name=f"npz:{path}",
        provenance={"source": "npz", "file": str(path.resolve())},
        origin="arrays of that file",
    )


def _read_members(path: Path, wanted: tuple[str, ...]) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(path):
        raise FailureError(f"{path} is not an .npz file, or not a whole one.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: _read_member(archive, name, path) for name in wanted if name in archive}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError) as error:
        raise FailureError(f"{path} is damaged: {error}.") from None


def _read_member(archive, name: str, path: Path) -> np.ndarray:
    try:
        return archive[name]
    except ValueError as error:
        if "pickle" not in str(error):
            raise FailureError(f"Member {name!r} of {path} is damaged: {error}.") from None
        raise UsageError(
            f"Member {name!r} of {path} holds Python objects, which are not read because "
            "unpickling runs code; save it as an array of numbers or of strings."
        ) from None


def from_folder(path: str | Path, image_size: int | None) -> Dataset:
    """Reads a data set from the pictures of a folder.

    Pictures are taken in the order of their names, turned upright, put on white where they are
    transparent, converted to RGB, cropped to the largest square in their middle and resized with
    a bicubic filter. They are decoded once and held in memory as uint8. Folders inside are
    not searched.

    Args:
        path: Folder of PNG, JPEG, BMP, GIF (first frame), TIFF, WebP, PGM or PPM files. A file
            `factors.csv` beside them, with the header `file` and then a name for each factor,
            gives every picture's factors as integers.
        image_size: Pixels a side of the images to make.

    Returns:
        A `Dataset` in memory with images of shape `(image_size, image_size, 3)`.

    Raises:
        UsageError: If there is no such folder, nothing in it, no image size, or `factors.csv`
            does not fit the pictures.
        FailureError: If pictures cannot be decoded; it names them and counts the others.
    """
    path = Path(path).expanduser()
    if not path.is_dir():
        raise UsageError(f"There is no folder {path}.")
    if image_size is None:
        raise UsageError(
            "A folder of pictures needs an image size to resize them to, e.g. image_size=64."
        )
    if image_size < 1:
        raise UsageError(f"The image size must be at least 1. Received: {image_size}.")
    files = sorted(
        file
        for file in path.iterdir()
        if file.suffix.lower() in PICTURE_SUFFIXES and not file.name.startswith(".")
    )
    if not files:
        suffixes = ", ".join(sorted(PICTURE_SUFFIXES))
        raise UsageError(f"There are no pictures ({suffixes}) in the folder {path}.")
    factors, names = _read_factors_file(path / FACTORS_FILE, files)
    return ArrayDataset(
        _decode(files, image_size),
        factors,
        names,
        name=f"folder:{path}",
        provenance={"source": "folder", "folder": str(path.resolve()), "image_size": image_size},
        origin="pictures of that folder",
    )


def _decode(files: list[Path], image_size: int) -> np.ndarray:
    images = np.empty((len(files), image_size, image_size, 3), np.uint8)
    damaged = []
    for image, file in zip(images, files, strict=True):
        try:
            image[:] = _decode_one(file, image_size)
        except (OSError, SyntaxError, ValueError, EOFError):
            damaged.append(file.name)
    if damaged:
        shown = ", ".join(damaged[:5]) + (" ..." if len(damaged) > 5 else "")
        raise FailureError(
            f"{len(damaged)} of the {len(files)} pictures in {files[0].parent} cannot be decoded: "
            f"{shown}. The other {len(files) - len(damaged)} are fine; repair or remove those."
        )
    return images


def _decode_one(file: Path, image_size: int) -> np.ndarray:
    # Imported where it is needed: most runs read no pictures.
    from PIL import Image, ImageOps

    with Image.open(file) as picture:
        picture = ImageOps.exif_transpose(picture)
        if picture.mode.startswith("I"):
            # 16 bits of grey; Pillow would clip them to 8 instead of scaling them.
            picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture)
        picture = picture.convert("RGB")
        return np.asarray(ImageOps.fit(picture, (image_size, image_size)))


def _read_factors_file(path: Path, files: list[Path]):
    """Returns the factors of the pictures and their names, or `(None, None)` without a file."""
    if not path.exists():
        return None, None
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            header, *rows = list(csv.reader(lines)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FailureError(f"{path} cannot be read: {error}") from None
    header = [title.strip() for title in header]
    if len(header) < 2 or header[0] != "file":
        raise UsageError(
            f"The first line of {path} must be `file` and then the name of each factor, separated "
            f"by commas. Received: {','.join(header)!r}."
        )
    numbers = {}
    for line, row in enumerate(rows, start=2):
        if row:
            where = f"Line {line} of {path}"
            numbers[row[0].strip()] = _factor_row(row[1:], len(header) - 1, where)
    _check_same_files(path, numbers.keys(), [file.name for file in files])
    factors = np.array([numbers[file.name] for file in files], np.int64)
    return checked_factors(factors, header[1:], len(files))


def _factor_row(values: list[str], count: int, where: str) -> list[int]:
    try:
        numbers = [int(value) for value in values]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise UsageError(f"{where} must hold {count} integers after the file. Received: {values}.")
    return numbers


def _check_same_files(path: Path, listed, pictures: list[str]) -> None:
    without_line = [name for name in pictures if name not in listed]
    without_file = sorted(set(listed) - set(pictures))
    if without_line or without_file:
        raise UsageError(
            f"{path} must have one line for each picture. Pictures without a line: "
            f"{without_line[:5] or 'none'}; lines without a picture: {without_file[:5] or 'none'}."
        )
