"""Writing a figure to a file, whole or not at all."""

import os
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from keras_devae.errors import UsageError
from keras_devae.figures.canvas import DPI
from keras_devae.files import replacing

MARGIN = 6


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
    path = Path(path)
    kind = path.suffix[1:].lower()
    known = figure.canvas.get_supported_filetypes()
    if kind not in known:
        raise UsageError(
            f"The suffix of a figure's file must be one of {', '.join(sorted(known))}. Received: "
            f"{str(path)!r}; use .png where in doubt."
        )
    with replacing(path) as partial:
        figure.savefig(partial, format=kind, dpi=DPI, bbox_inches=_tight_box(figure))
    return path


def _tight_box(figure):
    """The box of all that is drawn, with a margin, in inches that are whole pixels.

    Matplotlib's own tight box cuts between pixels, which moves images by a fraction of one.
    """
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    low = np.floor(box.min * DPI) - MARGIN
    high = np.ceil(box.max * DPI) + MARGIN
    return Bbox([low / DPI, high / DPI])
