"""Figures as files and as pixels; files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image

from keras_devae.checks import AnyPath, Array, finite_at_least, shown, usable_path
from keras_devae.errors import UsageError
from keras_devae.figures.arguments import check_figure
from keras_devae.figures.canvas import DPI, take_texts_literally
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
_TIMELESS = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
#: Seconds that a frame of an animation is shown: browsers slow down what is faster, and a GIF
#: counts hundredths in 16 bits.
_SHORTEST, _LONGEST = 0.02, 655.0


def save(figure: Figure, path: AnyPath) -> Path:
    """Writes a figure, cropped to what is drawn, with every image's pixels exact.

    The file is written under a temporary name and then moved: a concurrent reader finds either the
    old file or the new one. Missing folders are created.

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
        options = {"bbox_inches": box, "metadata": _TIMELESS.get(kind)}
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
