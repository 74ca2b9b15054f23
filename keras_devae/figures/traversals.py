"""Latent traversals: what moving one latent dimension does to the image."""

from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure

from keras_devae.errors import UsageError
from keras_devae.figures.arguments import check_labels, real_numbers
from keras_devae.figures.canvas import draw_image, fit, label_rows
from keras_devae.figures.mosaics import mosaic, to_rgb


def traversal(
    images: np.ndarray,
    values: np.ndarray,
    row_labels: Iterable[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draws a row of images for each latent dimension, a column for each value it is set to.

    Args:
        images: `(rows, steps, height, width, channels)`, uint8 or float in `[0, 1]`, each
            drawn as `mosaics.to_rgb` says; in the order they are to be drawn, e.g. by falling KL.
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
            "numbers. "
            f"Received: {images.shape} and {values.shape}."
        )
    tiles = mosaic(images)
    figure, axes = draw_image(tiles.pixels, title)
    axes.set_xticks(tiles.column_centers, labels=_format(values))
    if row_labels is not None:
        labels = check_labels(row_labels, len(images), "row_labels", "row")
        label_rows(axes, tiles.row_centers, labels)
    fit(figure)
    return figure


def _format(values):
    # Without the rounding the middle of a range may read 4.44e-16, and without the sum -0.
    scale = np.abs(values).max() or 1.0
    return [f"{value:.3g}" for value in np.round(values / scale, 6) * scale + 0.0]
