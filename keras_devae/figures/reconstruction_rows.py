"""Originals above what each latent layer makes of them."""

from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure

from keras_devae.errors import UsageError
from keras_devae.figures.arguments import check_labels
from keras_devae.figures.canvas import draw_image, fit, label_rows
from keras_devae.figures.mosaics import mosaic, to_rgb


def reconstructions(
    originals: np.ndarray, reconstructions_by_layer: np.ndarray, titles: Iterable[str]
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
    fit(figure)
    return figure
