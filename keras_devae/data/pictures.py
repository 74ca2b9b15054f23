"""Picture files: finding them in a folder and decoding them."""

import contextlib
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from keras_devae.data.dataset import Progress
from keras_devae.errors import FailureError, UsageError

PICTURE_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
)

# Each thread holds one decoded picture, so that few threads keep the memory small.
_MOST_THREADS = 4


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


def _hint_at_folders(folder: Path) -> str:
    inner = sorted(path for path in folder.iterdir() if path.is_dir())
    for path in inner:
        if any(_is_picture(file) for file in path.glob("*")):
            return (
                f" itself, but there are some in {path.name!r} inside it, and folders inside are "
                f"not searched; give {path} or move the pictures up"
            )
    return ""


def decode_picture(file: Path):
    """Decodes one picture at its full size.

    It is turned upright as its EXIF data say, put on white where it is transparent, and
    converted to 8-bit RGB; 16 bits of grey are scaled, not clipped. Of several frames it is the
    first. It is neither cropped nor resized.

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
        picture, reason = _decoded(Path(file))
    if picture is None:
        raise FailureError(f"The picture {file} cannot be decoded: {reason}.")
    return picture


def decode_squares(
    files: list[Path], image_size: int, progress: Progress | None = None, what: str = "Decoding"
) -> tuple[np.ndarray, dict[int, str]]:
    """Decodes pictures in a few threads, cropped to the square in their middle and resized.

    Args:
        files: Paths of the pictures.
        image_size: Pixels a side of the squares.
        progress: Called with the pictures done, all pictures, and `what`. Default: nothing.
        what: What is being done. Default: `"Decoding"`.

    Returns:
        uint8 array of shape `(len(files), image_size, image_size, 3)` in the order of `files`,
        and the reasons, by row, why pictures could not be decoded; those rows hold nothing of
        use.
    """
    images = np.empty((len(files), image_size, image_size, 3), np.uint8)
    reasons = {}

    def decode_row(row: int) -> str | None:
        # Only the small square outlives the call, not the picture.
        picture, reason = _decoded(files[row])
        if picture is not None:
            images[row] = _middle_square(picture, image_size)
        return reason

    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    with _without_warnings(), ThreadPoolExecutor(threads) as pool:
        for row, reason in enumerate(pool.map(decode_row, range(len(files)))):
            if reason is not None:
                reasons[row] = reason
            if progress is not None:
                progress(row + 1, len(files), what)
    return images, reasons


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


def _decoded(file: Path):
    """Returns a picture and `None`, or `None` and the reason why it cannot be decoded."""
    from PIL import Image, UnidentifiedImageError

    try:
        return _upright_rgb(file), None
    except MemoryError:
        raise
    except UnidentifiedImageError:
        return None, "it is not a picture in a format that is known"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None, f"it has more pixels than Pillow's limit of {Image.MAX_IMAGE_PIXELS:,}"
    except Exception as error:
        # Pillow's readers raise whatever damaged bytes lead them to: OSError, SyntaxError,
        # struct.error, KeyError ...
        return None, str(error).rstrip(".") or type(error).__name__


def _upright_rgb(file: Path):
    from PIL import Image, ImageOps

    with Image.open(file) as picture:
        picture = ImageOps.exif_transpose(picture)
    if picture.mode == "F" or picture.mode.startswith("I"):
        picture = _scaled_grey(picture)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _scaled_grey(picture):
    """Scales 16 bits of grey to 8, which Pillow would clip."""
    from PIL import Image

    if picture.mode == "F":
        raise ValueError("its pixels are floats, of which the range is not known")
    pixels = np.asarray(picture)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError(f"its pixels lie in {pixels.min()}..{pixels.max()}, beyond 16 bits")
    return Image.fromarray((pixels >> 8).astype(np.uint8))
