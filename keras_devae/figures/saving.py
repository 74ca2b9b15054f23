"""Figures as files and as pixels; files are written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from keras_devae.checks import AnyPath, Array, finite_at_least, shown, usable_path
from keras_devae.errors import UsageError
from keras_devae.figures.arguments import check_figure
from keras_devae.figures.canvas import DPI, take_texts_literally
from keras_devae.figures.mosaics import mosaic, to_rgb
from keras_devae.files import replacing
from keras_devae.metrics.arrays import numeric_array

#: White pixels around all that is drawn.
_MARGIN = 6
#: Letters that can be searched and edited, in place of their outlines.
_TEXT_AS_TEXT: dict[Any, Any] = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "svg.hashsalt": "keras_devae",
}
#: Without the time of writing, so that the same figure gives the same file.
_TIMELESS: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
#: Names of metadata of PNG files: where the panels lie, and the texts of rows of images.
_PANELS, _ROWS = "panels", "rows"
#: Seconds that a frame of an animation is shown: browsers slow down what is faster, and a GIF
#: counts hundredths in 16 bits.
_SHORTEST, _LONGEST = 0.02, 655.0


def save(figure: Figure, path: AnyPath) -> Path:
    """Writes a figure, cropped to what is drawn, with every image's pixels exact.

    The file is written under a temporary name and then moved: a concurrent reader finds either the
    old file or the new one. Missing folders are created. A PNG file says in its metadata where the
    panels lie.

    Args:
        figure: The figure.
        path: The file; its suffix chooses the format, `.png` among others (`.pdf`, `.svg`).

    Returns:
        The path.

    Raises:
        UsageError: If the suffix names no format that can be written.
    """
    check_figure(figure)
    kind = check_file(path)
    path = Path(path)
    # Only for the time of writing: this is a setting of the whole process.
    with replacing(path) as partial, matplotlib.rc_context(_TEXT_AS_TEXT):
        take_texts_literally(figure)
        box = _tight_box(figure)
        # Nothing moves any more, and solving the layout again takes as long as drawing.
        figure.set_layout_engine("none")
        described = {_PANELS: _panels(figure, box)} if kind == "png" else _TIMELESS.get(kind)
        options = {"bbox_inches": box, "metadata": described}
        figure.savefig(partial, format=kind, dpi=DPI, **options)
    return path


def check_file(path: AnyPath) -> str:
    """Checks, before there is a figure, that the suffix of its file names a format.

    Args:
        path: The file.

    Returns:
        The format, e.g. `"png"`.

    Raises:
        UsageError: If the suffix names no format that can be written.
    """
    kind = usable_path("The file of a figure", path).suffix[1:].lower()
    known = FigureCanvasAgg.get_supported_filetypes()
    if kind not in known:
        raise UsageError(
            f"The suffix of a figure's file must be one of {', '.join(sorted(known))}. Received: "
            f"{str(path)!r}; use .png where in doubt."
        )
    return kind


def _tight_box(figure):
    """Returns the box of all that is drawn, with a margin, in inches that are whole pixels."""
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    low = np.floor(box.min * DPI) - _MARGIN
    high = np.ceil(box.max * DPI) + _MARGIN
    return Bbox([low / DPI, high / DPI])


def _panels(figure, box):
    """Returns where each panel with its texts lies in a PNG file of that box of a figure.

    Left, upper, right and lower end, in pixels, as JSON.
    """
    low, high = DPI * box.get_points()
    found = (axes.get_tightbbox() for axes in figure.axes)
    ends = (one.get_points() for one in found if one is not None)
    boxes = [
        (left - low[0], high[1] - top, right - low[0], high[1] - bottom)
        for (left, bottom), (right, top) in ends
    ]
    return json.dumps([[round(max(end, 0)) for end in box] for box in boxes])


def save_rows(rows: Any, path: AnyPath, texts: Iterable[tuple[str, str]]) -> Path:
    """Writes rows of images as one picture, each row equally high, with its texts in metadata.

    Args:
        rows: `(rows, columns, height, width, channels)`, uint8 or float in `[0, 1]`.
        path: The file, with the suffix `.png`. Missing folders are made.
        texts: A name and a remark for each row, which `read_rows` returns with the pictures.

    Returns:
        The path.
    """
    path, described = Path(path), PngInfo()
    described.add_itxt(_ROWS, json.dumps([*texts]))
    picture = Image.fromarray(mosaic(to_rgb(rows), row_gap=0).pixels)
    with replacing(path) as partial:
        picture.save(partial, format="PNG", pnginfo=described)
    return path


def read_rows(path: AnyPath) -> list[tuple[str, str, Image.Image]]:
    """Returns name, remark and picture of each row of a file that `save_rows` has written.

    There are none in other PNG files.
    """
    with Image.open(path) as picture:
        texts = json.loads(picture.info.get(_ROWS, "[]"))
        height = picture.height // max(1, len(texts))
        return [
            (name, remark, picture.crop((0, i * height, picture.width, (i + 1) * height)))
            for i, (name, remark) in enumerate(texts)
        ]


def read_panels(path: AnyPath) -> list[Image.Image]:
    """Returns the panels of a PNG file that `save` has written; there are none in other files."""
    with Image.open(path) as picture:
        return [picture.crop(box) for box in json.loads(picture.info.get(_PANELS, "[]"))]


def pixels_of(figure: Figure) -> Array:
    """Draws a figure into memory.

    Args:
        figure: The figure.

    Returns:
        Uint8 array `(height, width, 3)`, with a white border.

    Raises:
        UsageError: If `figure` is not a matplotlib figure.
    """
    take_texts_literally(check_figure(figure))
    canvas: Any = figure.canvas
    canvas.draw()
    drawn = np.asarray(canvas.buffer_rgba())[..., :3]
    border = (_MARGIN, _MARGIN)
    return np.pad(drawn, (border, border, (0, 0)), constant_values=255)


def save_animation(frames: Array, path: AnyPath, seconds: float = 0.1) -> Path:
    """Writes frames as an animated GIF that repeats for ever, whole or not at all.

    Args:
        frames: Uint8 array `(t, height, width, 3)`.
        path: The file, with the suffix `.gif`. Missing folders are made.
        seconds: How long each frame is shown, from 0.02 to 655, in hundredths; default 0.1.

    Returns:
        The path.

    Raises:
        UsageError: If frames, suffix or time are not as described.
    """
    frames = numeric_array(frames, "frames", "a uint8 array", axes=None)
    file = usable_path("The file of an animation", path)
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not frames.size:
        raise UsageError(
            "`frames` must be a uint8 array (frames, height, width, 3). Received: shape "
            f"{frames.shape}, dtype {frames.dtype}."
        )
    if file.suffix.lower() != ".gif":
        raise UsageError(f"An animation's file must end in .gif. Received: {str(file)!r}.")
    if finite_at_least("seconds", seconds, _SHORTEST) > _LONGEST:
        raise UsageError(
            f"`seconds` must be at most {_LONGEST:g}, which a GIF can hold. Received: "
            f"{shown(seconds)}."
        )
    first, *others = (Image.fromarray(frame) for frame in frames)
    with replacing(file) as partial:
        first.save(
            partial,
            format="GIF",
            save_all=True,
            append_images=others,
            duration=round(100 * seconds) * 10,
            loop=0,
        )
    return file
