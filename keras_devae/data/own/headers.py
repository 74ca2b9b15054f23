"""What the headers of pictures say, and the form of images that follows from them."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from keras_devae.data.image_sizes import ImageSize, compact_size, height_and_width, pixels_text

if TYPE_CHECKING:
    from PIL import Image

#: The smallest and the largest side that networks for images take.
SMALLEST_SIDE, LARGEST_NETWORK_SIDE = 16, 512
#: Longer side that is proposed for pictures of mixed sizes, as in the sets of the field.
MIXED_SIDE = 64
#: Longer side that is proposed for pictures which are alike but too large for the networks.
REDUCED_SIDE = 128
#: Heights and widths of mixed pictures that differ by less than this count as equal.
_NEARLY_SQUARE = 1.15

_GREY_MODES = frozenset(("1", "L", "LA", "La", "F"))
# EXIF orientations that exchange height and width.
_TURNED = frozenset((5, 6, 7, 8))
_ORIENTATION = 274


class Header(NamedTuple):
    """The header of one picture, upright; `reason` says why it cannot be read, or is `None`."""

    height: int = 0
    width: int = 0
    mode: str = ""
    is_grey: bool = False
    may_be_transparent: bool = False
    reason: str | None = None


class Form(NamedTuple):
    """The form that pictures are brought to; `same` says that all of them have the size already."""

    size: ImageSize
    channels: int
    same: bool

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return (*height_and_width(self.size), self.channels)


def read_headers(files: Sequence[Path]) -> list[Header]:
    """Reads the headers of pictures, without decoding any."""
    with quiet_decoding():
        return [_header(file) for file in files]


@contextlib.contextmanager
def quiet_decoding() -> Iterator[None]:
    """Turns Pillow's warning about a very large picture into an error and silences the others."""
    import warnings

    # Imported here and below because most runs read no pictures.
    from PIL import Image

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _header(file: Path) -> Header:
    from PIL import Image

    try:
        with Image.open(file) as opened:
            width, height = opened.size
            if _is_turned(opened):
                width, height = height, width
            transparent = opened.has_transparency_data
            return Header(height, width, opened.mode, _is_grey(opened), transparent)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's readers raise all kinds of errors for damaged bytes.
        return Header(reason=str(error).rstrip(".") or type(error).__name__)


def _is_turned(picture: Image.Image) -> bool:
    """Returns whether a picture lies on its side, as far as its header says."""
    # The reader of PNG would decode the whole picture to look behind it.
    if picture.format == "PNG" and "exif" not in picture.info:
        return False
    return picture.getexif().get(_ORIENTATION) in _TURNED


def _is_grey(picture: Image.Image) -> bool:
    if picture.mode == "P" and picture.palette is not None:
        colours = picture.getpalette("RGB") or []
        return colours[0::3] == colours[1::3] == colours[2::3]
    return picture.mode in _GREY_MODES or picture.mode.startswith("I")


class Summary(NamedTuple):
    """What the headers of pictures propose, and the size that all have in common, if they do."""

    size: ImageSize
    channels: int
    common: tuple[int, int] | None

    def form(self, size: ImageSize | None = None, channels: int | None = None) -> Form:
        """Returns the form with the wanted size and channels, else with those proposed."""
        chosen = self.size if size is None else size
        same = self.common == height_and_width(chosen)
        return Form(chosen, channels or self.channels, same)


def summary_of(headers: Sequence[Header]) -> Summary:
    """Proposes a size and channels for pictures.

    Pictures of one size keep it where the networks take it (sides of 16 to 512 pixels); others are
    scaled to a longer side of 128, or up to a shorter one of 16. Pictures of mixed sizes get the
    medians of their heights and widths, equal if nearly so, scaled down to at most 64. One channel
    if all are grey, else three.
    """
    readable = [header for header in headers if header.reason is None]
    sizes = {(header.height, header.width) for header in readable}
    return Summary(
        size=_proposed_size(readable, sizes),
        channels=1 if readable and all(header.is_grey for header in readable) else 3,
        common=next(iter(sizes)) if len(sizes) == 1 else None,
    )


def _proposed_size(headers: Sequence[Header], sizes: set[tuple[int, int]]) -> ImageSize:
    if not sizes:
        return MIXED_SIDE
    if len(sizes) == 1:
        ((height, width),) = sizes
        too_large = max(height, width) > LARGEST_NETWORK_SIDE
        return _scaled(height, width, REDUCED_SIDE if too_large else LARGEST_NETWORK_SIDE)
    height = round(statistics.median(header.height for header in headers))
    width = round(statistics.median(header.width for header in headers))
    if max(height, width) < _NEARLY_SQUARE * min(height, width):
        height = width = min(height, width)
    return _scaled(height, width, MIXED_SIDE)


def _scaled(height: int, width: int, longest: int) -> ImageSize:
    """Scales a size in proportion, to at most `longest` and to sides that the networks take."""
    factor = max(min(1.0, longest / max(height, width)), SMALLEST_SIDE / min(height, width))
    sides = (min(round(side * factor), LARGEST_NETWORK_SIDE) for side in (height, width))
    return compact_size(*sides)


def form_text(form: Form) -> str:
    """Says in a few words how pictures get their form."""
    fitted = "kept at their size" if form.same else f"fitted to {pixels_text(form.size)}"
    return f"{fitted}, {'grey' if form.channels == 1 else 'colour'}"
