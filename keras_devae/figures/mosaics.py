"""Many images put together into one, enlarged without any smoothing."""

import math
from dataclasses import dataclass

import numpy as np

from keras_devae.errors import UsageError
from keras_devae.metrics.arrays import numeric_array

CELL = 112
LARGEST_SIDE = 2400
GAP = 3
WHITE = 255
#: Between the channels of one image, and what they leave of its place: no image has it around.
GREY = 160
#: Channels that stand in one row.
ROW_OF_CHANNELS = 5


@dataclass(frozen=True)
class Mosaic:
    """A grid of images as one.

    Attributes:
        pixels: Uint8 array `(height, width, 3)`; one pixel is one pixel of the figure.
        column_centers: Where the columns' centres are, in pixels `(columns,)`.
        row_centers: Where the rows' centres are, in pixels `(rows,)`.
        row_ends: Where the rows' lower edges are, in pixels `(rows,)`.
    """

    pixels: np.ndarray
    column_centers: np.ndarray
    row_centers: np.ndarray
    row_ends: np.ndarray


def to_rgb(images: np.ndarray, name: str = "images") -> np.ndarray:
    """Turns images of either number type into RGB bytes: all drawing of images begins here.

    One channel is grey, three are red, green and blue. Of any other number each channel is a grey
    panel, and the panels are put together, a grey line between them: side by side up to 5, in a
    grid of several rows where there are more.

    Args:
        images: `(..., height, width, channels)`, uint8 or float in `[0, 1]`. Floats outside are
            clipped: the mean of a Gaussian decoder may stray.
        name: What the array is called in the error.

    Returns:
        Uint8 array `(..., height, width, 3)`, higher and wider than the images where there are
        panels.

    Raises:
        UsageError: If there is no image, another number type, or a NaN.
    """
    images = numeric_array(images, name, "images", axes=None)
    if images.ndim < 3 or not images.size:
        raise UsageError(
            f"`{name}` must be images with channels as the last axis. Received: shape "
            f"{images.shape}."
        )
    if images.dtype != np.uint8:
        images = _to_bytes(images, name)
    if images.shape[-1] not in (1, 3):
        images = _panels(images)
    return np.broadcast_to(images, (*images.shape[:-1], 3))


def _panels(images):
    """Puts the channels of images beside each other, `(..., height, width, 1)`."""
    *_, height, width, channels = images.shape
    columns = channels if channels <= ROW_OF_CHANNELS else math.ceil(math.sqrt(channels))
    rows = -(-channels // columns)
    shape = (rows * (height + 1) - 1, columns * (width + 1) - 1)
    panels = np.full((*images.shape[:-3], *shape, 1), GREY, np.uint8)
    for channel in range(channels):
        top, left = (height + 1) * (channel // columns), (width + 1) * (channel % columns)
        panels[..., top : top + height, left : left + width, 0] = images[..., channel]
    return panels


def mosaic(images: np.ndarray, row_gap: int = GAP, largest_cell: int = CELL) -> Mosaic:
    """Puts a grid of images together.

    Every image is enlarged by the same whole number, by repeating pixels.

    Args:
        images: Uint8 RGB images `(rows, columns, height, width, 3)`.
        row_gap: White pixels between two rows.
        largest_cell: About how many pixels the longer side of an enlarged image has; fewer where
            the whole would be wider or higher than 2400 pixels. Images are never made smaller.

    Returns:
        A `Mosaic`.
    """
    rows, columns, height, width, _ = images.shape
    factor = _enlargement(rows, columns, height, width, largest_cell)
    height, width = height * factor, width * factor
    tops = np.arange(rows) * (height + row_gap)
    lefts = np.arange(columns) * (width + GAP)
    pixels = np.full((tops[-1] + height, lefts[-1] + width, 3), WHITE, np.uint8)
    for top, row in zip(tops, images, strict=True):
        for left, image in zip(lefts, row, strict=True):
            enlarged = image.repeat(factor, axis=0).repeat(factor, axis=1)
            pixels[top : top + height, left : left + width] = enlarged
    # Matplotlib counts from the middle of the first pixel.
    middle = (height - 1) / 2
    return Mosaic(pixels, lefts + (width - 1) / 2, tops + middle, tops + height - 0.5)


def _to_bytes(images, name):
    if images.dtype.kind not in "fb" or np.isnan(images).any():
        problem = "NaN" if images.dtype.kind == "f" else f"dtype {images.dtype}"
        raise UsageError(f"`{name}` must be uint8, or floats in [0, 1]. Received: {problem}.")
    return np.round(np.clip(images.astype(np.float32), 0, 1) * 255).astype(np.uint8)


def _enlargement(rows, columns, height, width, largest_cell):
    wanted = round(largest_cell / max(height, width))
    fitting = min(LARGEST_SIDE // (columns * width), LARGEST_SIDE // (rows * height))
    return max(1, min(wanted, fitting))
