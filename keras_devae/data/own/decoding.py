"""Decoding pictures to 8-bit RGB or grey."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from keras_devae.checks import Array
from keras_devae.data.dataset import Progress
from keras_devae.data.own.bit_depth import (
    eight_bits,
    grey_values,
    holds_many_bits,
    stated_bits,
    used_bits,
)
from keras_devae.data.own.fitting import fit_picture
from keras_devae.data.own.headers import Form, quiet_decoding
from keras_devae.data.own.value_range import range_problem
from keras_devae.errors import FailureError

if TYPE_CHECKING:
    from PIL import Image

# In this format of phone cameras, a preview or a depth map follows the picture, not another page.
_NO_PAGES = ("MPO",)

# Each thread holds one decoded picture, so few threads keep the memory use low.
_MOST_THREADS = 4
# White drawings on white have no pixel darker than this.
_ALMOST_WHITE = 240


class _Conversion(NamedTuple):
    """How pictures become 8-bit RGB.

    `bits` is how many of a grey picture's 16 bits are used (`None`: what its file says, or 16);
    `ground` is the background colour for transparent pictures.
    """

    bits: int | None = None
    ground: str = "white"


@dataclasses.dataclass(frozen=True)
class _Decoded:
    """The result of reading one file: an RGB `picture`, or the `reason` why it cannot be decoded.

    `pages` counts pages or frames. For 16-bit grey, `largest` is the largest value and `stated` the
    number of bits that the file states. `is_transparent` says whether it was put on a background.
    """

    picture: "Image.Image | None" = None
    reason: str | None = None
    pages: int = 1
    largest: int | None = None
    stated: int | None = None
    is_transparent: bool = False


class DecodedPictures(NamedTuple):
    """Decoded pictures: uint8 `images` `(n, height, width, 1 or 3)`.

    `reasons` says by row why a picture could not be decoded (that row is undefined); `pages`
    counts pages or frames by file name; `remarks` are warnings about ambiguous files.
    """

    images: Array
    reasons: dict[int, str]
    pages: dict[str, int]
    remarks: tuple[str, ...]


def decode_picture(file: Path) -> "Image.Image":
    """Decodes one picture at full size to an image of mode RGB, and closes its file.

    It is turned upright as its EXIF data say, put on white where it is transparent, and converted
    to 8-bit RGB; 16-bit grey, or as many bits as the file says it uses, is scaled, not clipped. Of
    several frames, the first is taken. Call it from one thread at a time: it silences Pillow's
    warnings through Python's list of filters, which all threads share.

    Raises `FailureError` if the picture cannot be decoded or has more than
    `PIL.Image.MAX_IMAGE_PIXELS` pixels.
    """
    with quiet_decoding():
        decoded = _decoded(file, _Conversion())
    if decoded.picture is None:
        raise FailureError(f"The picture {file} cannot be decoded: {decoded.reason}.")
    return decoded.picture


def decode_pictures(
    files: Sequence[Path],
    form: Form,
    progress: Progress | None = None,
    what: str = "Decoding",
    make: Callable[[tuple[int, ...]], Array] = lambda shape: np.empty(shape, np.uint8),
) -> DecodedPictures:
    """Decodes pictures in a few threads into the array that `make` returns; see `fit_picture`.

    16-bit grey pictures are read with a number of bits that suits all of them: 12 if no value
    exceeds 4095. Transparent pictures that would be white on white are put on black.
    """
    images = make((len(files), *form.image_shape))
    mode = "L" if form.channels == 1 else "RGB"
    decoded = [_Decoded()] * len(files)

    def decode_rows(
        rows: Sequence[int], conversion: _Conversion, target: Array, words: str
    ) -> None:
        def decode_one(place: int) -> None:
            found = _decoded(files[rows[place]], conversion)
            if found.picture is not None:
                fitted = np.asarray(fit_picture(found.picture.convert(mode), form.size))
                target[place] = fitted.reshape(target.shape[1:])
            # Only the small image outlives the call, not the picture.
            decoded[rows[place]] = dataclasses.replace(found, picture=None)

        threads = min(_MOST_THREADS, os.cpu_count() or 1)
        with quiet_decoding(), ThreadPoolExecutor(threads) as pool:
            for done, _ in enumerate(pool.map(decode_one, range(len(rows)))):
                if progress is not None:
                    progress(done + 1, len(rows), words)

    decode_rows(range(len(files)), _Conversion(), images, what)
    remarks = []
    for rows, conversion, remark in _better_conversions(decoded, images):
        again = np.empty((len(rows), *images.shape[1:]), np.uint8)
        decode_rows(rows, conversion, again, f"{what} again")
        if conversion.bits is not None or range_problem(again) is None:
            images[rows] = again
            remarks += [remark] if remark else []
    reasons = {row: each.reason for row, each in enumerate(decoded) if each.reason is not None}
    pages = {file.name: each.pages for file, each in zip(files, decoded, strict=True)}
    return DecodedPictures(images, reasons, pages, tuple(remarks))


def _better_conversions(
    decoded: Sequence[_Decoded], images: Array
) -> Iterator[tuple[list[int], _Conversion, str]]:
    """Yields rows to read again, the conversion to use, and a remark, which may be empty."""
    deep = {row: each.largest for row, each in enumerate(decoded) if each.largest is not None}
    if deep:
        largest = max(deep.values())
        stated = {decoded[row].stated for row in deep}
        common = stated.pop() if len(stated) == 1 else None
        bits = used_bits(largest, common)
        wrong = [row for row in deep if _bits_read(deep[row], decoded[row].stated) != bits]
        if wrong and largest:
            remark = (
                f"{len(deep):,} pictures with 16 bits hold values up to {largest:,} and are read "
                f"as {bits} bits, 0..{2**bits - 1:,}; save them with 8 bits if that is wrong"
            )
            yield wrong, _Conversion(bits=bits), "" if common else remark
    put_on_white = [row for row, each in enumerate(decoded) if each.is_transparent]
    if put_on_white and all(images[row].min() >= _ALMOST_WHITE for row in put_on_white):
        count = len(put_on_white)
        yield (
            put_on_white,
            _Conversion(ground="black"),
            f"{count:,} transparent pictures are put on black, because on white they cannot be "
            "seen; put them on a colour yourself if that is wrong",
        )


def _bits_read(largest: int, stated: int | None) -> int:
    """Returns how many bits a 16-bit picture is read with if it is decoded on its own."""
    return 16 if stated is None else used_bits(largest, stated)


def _decoded(file: Path, conversion: _Conversion) -> _Decoded:
    from PIL import Image, UnidentifiedImageError

    try:
        return _upright_rgb(file, conversion)
    except MemoryError:
        raise
    except UnidentifiedImageError:
        reason = "it is not a picture in a format that is known"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        reason = f"it has more pixels than Pillow's limit of {Image.MAX_IMAGE_PIXELS:,}"
    except Exception as error:
        # Pillow's readers raise all kinds of errors for damaged bytes: OSError, SyntaxError,
        # struct.error, KeyError ...
        reason = str(error).rstrip(".") or type(error).__name__
    return _Decoded(reason=reason)


def _upright_rgb(file: Path, conversion: _Conversion) -> _Decoded:
    from PIL import Image, ImageOps

    largest = stated = None
    with Image.open(file) as opened:
        if holds_many_bits(opened):
            stated = stated_bits(opened, file)
        picture: Image.Image = ImageOps.exif_transpose(opened)
        # Counted last, because counting may move to another page.
        pages = 1 if opened.format in _NO_PAGES else getattr(opened, "n_frames", 1)
    if holds_many_bits(picture):
        values = grey_values(picture)
        largest = int(values.max())
        bits = conversion.bits or _bits_read(largest, stated)
        picture = Image.fromarray(eight_bits(values, bits))
    is_transparent = False
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        is_transparent = bool(np.asarray(picture.getchannel("A")).min() < 255)
        ground = Image.new("RGBA", picture.size, conversion.ground)
        picture = Image.alpha_composite(ground, picture)
    picture = picture if picture.mode == "RGB" else picture.convert("RGB")
    return _Decoded(picture, None, pages, largest, stated, is_transparent)
