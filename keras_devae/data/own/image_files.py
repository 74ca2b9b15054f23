"""Picture files: finding them in a folder and decoding them."""

import contextlib
import dataclasses
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from keras_devae.data.dataset import Progress
from keras_devae.data.own.left_out import left_out_of
from keras_devae.data.own.sixteen_bits import (
    eight_bits,
    grey_values,
    holds_many_bits,
    stated_bits,
    used_bits,
)
from keras_devae.data.own.value_range import fault_of_range
from keras_devae.errors import FailureError, UsageError

PICTURE_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
)

# A picture of a telephone in this format has a preview or a map of depths behind it, no other page.
_NO_PAGES = ("MPO",)

# Each thread holds one decoded picture, so that few threads keep the memory small.
_MOST_THREADS = 4
# White drawings on white are nowhere darker.
_ALMOST_WHITE = 240


def picture_files(folder: Path) -> list[Path]:
    """Returns the pictures of a folder, sorted by name.

    Hidden files are left out. Folders inside are not searched.

    Args:
        folder: Path of the folder.

    Returns:
        List of at least one path whose suffix is in `PICTURE_SUFFIXES`.

    Raises:
        UsageError: If there is no such folder or no picture in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}.")
    # A link that leads nowhere counts, so that it is reported and not silently left out.
    files = sorted(file for file in folder.iterdir() if _is_picture(file) and not file.is_dir())
    if not files:
        suffixes = ", ".join(sorted(PICTURE_SUFFIXES))
        raise UsageError(
            f"There are no pictures ({suffixes}) in the folder {folder}{_hint_at_folders(folder)}."
        )
    return files


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in PICTURE_SUFFIXES and not file.name.startswith(".")


def _is_shown_folder(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith((".", "__"))


def _hint_at_folders(folder: Path) -> str:
    inner = sorted(path for path in folder.iterdir() if _is_shown_folder(path))
    for path in inner:
        if any(_is_picture(file) for file in path.glob("*")):
            return (
                f" itself, but there are some in {path.name!r} inside it, and folders inside are "
                f"not searched; give {path} or move the pictures up"
            )
    others = left_out_of(folder, (), PICTURE_SUFFIXES)
    return f"; it holds {' and '.join(others)}" if others else ""


@dataclasses.dataclass(frozen=True)
class _Reading:
    """How pictures become 8-bit RGB.

    Attributes:
        bits: How many of the 16 bits of a grey picture are used; `None`: what its file says, or 16.
        ground: Colour that transparent pictures are put on.
    """

    bits: int | None = None
    ground: str = "white"


@dataclasses.dataclass(frozen=True)
class _Decoded:
    """One file as it was read.

    Attributes:
        picture: A `PIL.Image.Image` of mode RGB, or `None` if it cannot be decoded.
        reason: Why it cannot be, or `None`.
        pages: How many pages or frames the file has.
        largest: The largest value of 16-bit grey, or `None` for other pictures.
        stated: How many bits the file says that these use, or `None`.
        is_transparent: Whether it was put on a ground.
    """

    picture: Any = None
    reason: str | None = None
    pages: int = 1
    largest: int | None = None
    stated: int | None = None
    is_transparent: bool = False


@dataclasses.dataclass(frozen=True)
class Squares:
    """Decoded pictures.

    Attributes:
        images: uint8 array `(n, image_size, image_size, 3)`; the rows of `reasons` hold nothing of
            use.
        reasons: Why pictures could not be decoded, by row.
        pages: How many pages or frames the files have, by name.
        remarks: Sentences about a reading that the files leave open, to warn with.
    """

    images: np.ndarray
    reasons: dict[int, str]
    pages: dict[str, int]
    remarks: tuple[str, ...]


def decode_picture(file: Path):
    """Decodes one picture at its full size.

    It is turned upright as its EXIF data say, put on white where it is transparent, and
    converted to 8-bit RGB; 16 bits of grey, or as many of them as the file says that it uses, are
    scaled, not clipped. Of several frames it is the first. It is neither cropped nor resized.

    Pillow's warnings are held back by Python's own list of filters, which all threads share: call
    it from one thread at a time.

    Args:
        file: Path of the picture.

    Returns:
        A `PIL.Image.Image` of mode RGB, with the file closed.

    Raises:
        FailureError: If it cannot be decoded, or has more pixels than Pillow's limit
            (`PIL.Image.MAX_IMAGE_PIXELS`); it names the file and the reason.
    """
    with _without_warnings():
        decoded = _decoded(Path(file))
    if decoded.picture is None:
        raise FailureError(f"The picture {file} cannot be decoded: {decoded.reason}.")
    return decoded.picture


def decode_squares(
    files: Sequence[Path], image_size: int, progress: Progress | None = None, what: str = "Decoding"
) -> Squares:
    """Decodes pictures in a few threads, cropped to the square in their middle and resized.

    16-bit grey pictures are read as all of them together allow: as 12 bits if no value is beyond
    4095. Pictures that are one flat colour on white because they are white on transparent are put
    on black.

    Args:
        files: Paths of the pictures.
        image_size: Pixels a side of the squares.
        progress: Called with the pictures done, all pictures, and `what`. Default: nothing.
        what: What is being done. Default: `"Decoding"`.

    Returns:
        The `Squares`, in the order of `files`.
    """
    images = np.empty((len(files), image_size, image_size, 3), np.uint8)
    facts = [_Decoded()] * len(files)

    def decode_rows(rows: Sequence[int], reading: _Reading, target: np.ndarray, words: str) -> None:
        def decode_one(place: int) -> None:
            decoded = _decoded(files[rows[place]], reading)
            if decoded.picture is not None:
                target[place] = _middle_square(decoded.picture, image_size)
            # Only the small square outlives the call, not the picture.
            facts[rows[place]] = dataclasses.replace(decoded, picture=None)

        threads = min(_MOST_THREADS, os.cpu_count() or 1)
        with _without_warnings(), ThreadPoolExecutor(threads) as pool:
            for done, _ in enumerate(pool.map(decode_one, range(len(rows)))):
                if progress is not None:
                    progress(done + 1, len(rows), words)

    decode_rows(range(len(files)), _Reading(), images, what)
    remarks = []
    for rows, reading, remark in _better_readings(facts, images):
        again = np.empty((len(rows), *images.shape[1:]), np.uint8)
        decode_rows(rows, reading, again, f"{what} again")
        if reading.bits is not None or fault_of_range(again) is None:
            images[rows] = again
            remarks += [remark] if remark else []
    reasons = {row: each.reason for row, each in enumerate(facts) if each.reason is not None}
    pages = {file.name: each.pages for file, each in zip(files, facts, strict=True)}
    return Squares(images, reasons, pages, tuple(remarks))


def _better_readings(facts: Sequence[_Decoded], images: np.ndarray):
    """Yields the rows to read otherwise, how, and what to say of that or nothing."""
    deep = [row for row, each in enumerate(facts) if each.largest is not None]
    if deep:
        largest = max(facts[row].largest for row in deep)
        stated = {facts[row].stated for row in deep}
        said = stated.pop() if len(stated) == 1 else None
        bits = used_bits(largest, said)
        wrong = [row for row in deep if _bits_read(facts[row]) != bits]
        if wrong and largest:
            remark = (
                f"{len(deep):,} pictures with 16 bits hold values up to {largest:,} and are read "
                f"as {bits} bits, 0..{2**bits - 1:,}; save them with 8 bits if that is wrong"
            )
            yield wrong, _Reading(bits=bits), "" if said else remark
    put_on_white = [row for row, each in enumerate(facts) if each.is_transparent]
    if put_on_white and all(images[row].min() >= _ALMOST_WHITE for row in put_on_white):
        count = len(put_on_white)
        yield (
            put_on_white,
            _Reading(ground="black"),
            f"{count:,} transparent pictures are put on black, because on white nothing is seen of "
            "them; put them on a colour yourself if that is wrong",
        )


def _bits_read(decoded: _Decoded) -> int:
    """Returns how many bits the first reading took a 16-bit picture to use."""
    return 16 if decoded.stated is None else used_bits(decoded.largest, decoded.stated)


def _middle_square(picture, image_size: int) -> np.ndarray:
    # Imported where it is needed, here and below: most runs read no pictures.
    from PIL import ImageOps

    return np.asarray(ImageOps.fit(picture, (image_size, image_size)))


@contextlib.contextmanager
def _without_warnings():
    """Turns Pillow's warning of a very large picture into an error and silences its others."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _decoded(file: Path, reading: _Reading = _Reading()) -> _Decoded:
    from PIL import Image, UnidentifiedImageError

    try:
        return _upright_rgb(file, reading)
    except MemoryError:
        raise
    except UnidentifiedImageError:
        reason = "it is not a picture in a format that is known"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        reason = f"it has more pixels than Pillow's limit of {Image.MAX_IMAGE_PIXELS:,}"
    except Exception as error:
        # Pillow's readers raise whatever damaged bytes lead them to: OSError, SyntaxError,
        # struct.error, KeyError ...
        reason = str(error).rstrip(".") or type(error).__name__
    return _Decoded(reason=reason)


def _upright_rgb(file: Path, reading: _Reading) -> _Decoded:
    from PIL import Image, ImageOps

    largest = stated = None
    with Image.open(file) as opened:
        if holds_many_bits(opened):
            stated = stated_bits(opened, file)
        picture = ImageOps.exif_transpose(opened)
        # Counted last, because that may move on to other pages.
        pages = 1 if opened.format in _NO_PAGES else getattr(opened, "n_frames", 1)
    if holds_many_bits(picture):
        values = grey_values(picture)
        largest = int(values.max())
        bits = reading.bits or (16 if stated is None else used_bits(largest, stated))
        picture = Image.fromarray(eight_bits(values, bits))
    is_transparent = False
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        is_transparent = picture.getextrema()[3][0] < 255
        ground = Image.new("RGBA", picture.size, reading.ground)
        picture = Image.alpha_composite(ground, picture)
    picture = picture if picture.mode == "RGB" else picture.convert("RGB")
    return _Decoded(picture, None, pages, largest, stated, is_transparent)
