"""Grids of images: contact sheets, reconstructions and traversals."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure

from keras_devae.checks import Array, at_least
from keras_devae.errors import UsageError
from keras_devae.figures.arguments import check_labels, real_numbers
from keras_devae.figures.canvas import FONT_SIZE, draw_image, fit, label_rows
from keras_devae.figures.mosaics import GAP, WHITE, mosaic, to_rgb

#: Pixels below a row for the first line of a label, and for each further one.
_LABEL_GAP, _LINE = 22, 17


def contact_sheet(
    images: Array,
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
    # More columns than images would only add white space, however much memory that takes.
    columns = min(at_least("columns", columns, 1), len(images))
    missing = np.full((-len(images) % columns, *images.shape[1:]), WHITE, np.uint8)
    grid = np.concatenate([images, missing]).reshape(-1, columns, *images.shape[1:])
    texts, gap = [], GAP
    if labels is not None:
        texts = check_labels(labels, len(images), "labels", "image")
        gap = _LABEL_GAP + _LINE * max(text.count("\n") for text in texts)
    tiles = mosaic(grid, row_gap=gap)
    figure, axes = draw_image(tiles.pixels, title)
    for index, text in enumerate(texts):
        row, column = divmod(index, columns)
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
    if row_labels is not None:
        texts = check_labels(row_labels, len(grid), "row_labels", "row")
        label_rows(axes, tiles.row_centers, texts)
    return fit(figure)


def reconstructions(
    originals: Array, reconstructions_by_layer: Array, titles: Iterable[str]
) -> Figure:
    """Draws images in the first row and their reconstructions in a row for each latent layer.

    Args:
        originals: `(n, height, width, channels)`, uint8 or float in `[0, 1]`.
        reconstructions_by_layer: `(layers, n, height, width, channels)`, either number type.
        titles: A label for each layer's row, its name and its error, e.g. `"layer 0"` and
            `"21.3 nats"` on two lines.

    Returns:
        The figure.

    Raises:
        UsageError: If the arrays do not fit each other, or are not images.
    """
    originals = to_rgb(originals, "originals")
    layers = to_rgb(reconstructions_by_layer, "reconstructions_by_layer")
    if originals.ndim != 4 or layers.shape[1:] != originals.shape:
        raise UsageError(
            "`originals` must be (n, height, width, channels) and `reconstructions_by_layer` "
            f"(layers, n, height, width, channels). Received: {originals.shape} and "
            f"{layers.shape}."
        )
    labels = check_labels(titles, len(layers), "titles", "layer")
    tiles = mosaic(np.concatenate([originals[np.newaxis], layers]))
    figure, axes = draw_image(tiles.pixels)
    label_rows(axes, tiles.row_centers, ["original", *labels])
    return fit(figure)


def traversal(
    images: Array, values: Array, row_labels: Iterable[str] | None = None, title: str | None = None
) -> Figure:
    """Draws a row of images for each latent dimension, a column for each value it is set to.

    Args:
        images: `(rows, steps, height, width, channels)`, uint8 or float in `[0, 1]`, in the order
            in which the rows are drawn, e.g. by falling KL divergence.
        values: `(steps,)` values of the dimension, written under the columns.
        row_labels: A label for each row, e.g. `"z3  KL 2.41"`.
        title: Text above the figure.

    Returns:
        The figure.

    Raises:
        UsageError: If the arrays do not fit each other, or are not images.
    """
    images, values = to_rgb(images), real_numbers("values", values)
    if images.ndim != 5 or not np.isfinite(values).all() or values.shape != images.shape[1:2]:
        raise UsageError(
            "`images` must be (rows, steps, height, width, channels) and `values` (steps,) finite "
            f"numbers. Received: {images.shape} and {values.shape}."
        )
    tiles = mosaic(images)
    figure, axes = draw_image(tiles.pixels, title)
    # Without the rounding the middle of a range may read 4.44e-16, and without the sum -0.
    scale = np.abs(values).max() or 1.0
    texts = [f"{value:.3g}" for value in np.round(values / scale, 6) * scale + 0.0]
    axes.set_xticks(tiles.column_centers, labels=texts)
    if row_labels is not None:
        labels = check_labels(row_labels, len(images), "row_labels", "row")
        label_rows(axes, tiles.row_centers, labels)
    return fit(figure)
