"""Contact sheets: a grid of any images, to be looked at."""

from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure

from keras_devae.checks import at_least
from keras_devae.errors import UsageError
from keras_devae.figures.arguments import check_labels
from keras_devae.figures.canvas import FONT_SIZE, draw_image, fit, label_rows
from keras_devae.figures.mosaics import GAP, WHITE, mosaic, to_rgb

LABEL_GAP = 22
LINE = 17


def contact_sheet(
    images: np.ndarray,
    columns: int,
    labels: Iterable[str] | None = None,
    row_labels: Iterable[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draws images in a grid, row after row, enlarged without smoothing.

    Args:
        images: `(n, height, width, channels)`, uint8 or float in `[0, 1]`.
            To put two sets above each other, concatenate them with `columns` the size of one.
        columns: Images in a row; the last row may be shorter.
        labels: A short text under each image, `n` of them, which may have several lines.
        row_labels: A text to the left of each row.
        title: Text above the figure.

    Returns:
        The figure.

    Raises:
        UsageError: If the array is not images, `columns` is below 1, or labels are missing.
    """
    images = to_rgb(images)
    if images.ndim != 4:
        raise UsageError(
            f"`images` must be (n, height, width, channels). Received: shape {images.shape}."
        )
    # More would be white room alone, however much memory that takes.
    columns = min(at_least("columns", columns, 1), len(images))
    grid = _grid(images, columns)
    texts = None if labels is None else check_labels(labels, len(images), "labels", "image")
    tiles = mosaic(grid, row_gap=GAP if labels is None else _room_for(texts))
    figure, axes = draw_image(tiles.pixels, title)
    if labels is not None:
        _label_images(axes, tiles, texts)
    if row_labels is not None:
        texts = check_labels(row_labels, len(grid), "row_labels", "row")
        label_rows(axes, tiles.row_centers, texts)
    fit(figure)
    return figure


def _grid(images, columns):
    missing = np.full((-len(images) % columns, *images.shape[1:]), WHITE, np.uint8)
    return np.concatenate([images, missing]).reshape(-1, columns, *images.shape[1:])


def _room_for(texts):
    return LABEL_GAP + LINE * max(text.count("\n") for text in texts)


def _label_images(axes, tiles, texts):
    for index, text in enumerate(texts):
        row, column = divmod(index, len(tiles.column_centers))
        axes.annotate(
            text,
            (tiles.column_centers[column], tiles.row_ends[row]),
            xytext=(0, -2),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=FONT_SIZE,
            annotation_clip=False,
        )
