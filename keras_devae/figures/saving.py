"""Writing a figure to a file, whole or not at all."""

import os
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from keras_devae.checks import usable_path
from keras_devae.errors import UsageError
from keras_devae.figures.arguments import check_figure
from keras_devae.figures.canvas import DPI, take_texts_literally
from keras_devae.files import replacing

MARGIN = 6
#: Letters that can be searched and edited, in place of their outlines.
TEXT_AS_TEXT = {"svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": "keras_devae"}
#: Without the time of writing, so that the same figure gives the same file.
TIMELESS = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def save(figure: Figure, path: str | os.PathLike) -> Path:
    """Writes a figure, cut to what is drawn, with every image's pixels exact.

    The file is written beside its place under a temporary name and then moved there: whoever reads
    it meanwhile finds the old one or the new one. Missing folders are made.

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
    with replacing(path) as partial, matplotlib.rc_context(TEXT_AS_TEXT):
        box = _prepared(figure)
        figure.savefig(partial, format=kind, dpi=DPI, bbox_inches=box, metadata=TIMELESS.get(kind))
    return path


def check_file(path: str | os.PathLike) -> str:
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


def _prepared(figure):
    """Returns the box of a figure, laid out for the last time."""
    take_texts_literally(figure)
    box = _tight_box(figure)
    # Nothing moves any more, and solving the layout again takes as long as drawing.
    figure.set_layout_engine("none")
    return box


def _tight_box(figure):
    """The box of all that is drawn, with a margin, in inches that are whole pixels.

    Matplotlib's own tight box cuts between pixels, which moves images by a fraction of one.
    """
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    low = np.floor(box.min * DPI) - MARGIN
    high = np.ceil(box.max * DPI) + MARGIN
    return Bbox([low / DPI, high / DPI])
