"""Combines many images into one, enlarged without smoothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.metrics.arrays import numeric_array

_CELL = 112
_LARGEST_SIDE = 2400
GAP = 3
WHITE = 255
#: Between the channels of one image, and what they leave of its place.
_GREY = 160
#: Channels that stand in one row.
_CHANNELS_IN_A_ROW = 5


@dataclass(frozen=True)
class Mosaic:
    """A grid of images as one, uint8 `(height, width, 3)`.

    Centres of its columns `(columns,)`, centres and lower ends of its rows `(rows,)`, in pixels.
    """

    pixels: Array
    column_centers: Array
    row_centers: Array
    row_ends: Array


def to_rgb(images: Array, name: str = "images") -> Array:
    """Turns images of either number type into RGB bytes, uint8 `(..., height, width, 3)`.

    They are `(..., height, width, channels)`, uint8 or float in `[0, 1]`; floats outside are
    clipped, because the mean of a Gaussian decoder may stray. One channel is grey, three are red,
    green and blue. Of any other number each channel becomes a grey panel of one larger image: side
    by side up to 5, in a grid of several rows where there are more.
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


def _to_bytes(images, name):
    if images.dtype.kind not in "fb" or np.isnan(images).any():
        problem = "NaN" if images.dtype.kind == "f" else f"dtype {images.dtype}"
        raise UsageError(f"`{name}` must be uint8, or floats in [0, 1]. Received: {problem}.")
    return np.round(np.clip(images.astype(np.float32), 0, 1) * 255).astype(np.uint8)


def _panels(images):
    """Puts the channels of images beside each other, `(..., height, width, 1)`."""
    *_, height, width, channels = images.shape
    columns = channels if channels <= _CHANNELS_IN_A_ROW else math.ceil(math.sqrt(channels))
    rows = -(-channels // columns)
    shape = (rows * (height + 1) - 1, columns * (width + 1) - 1)
    panels = np.full((*images.shape[:-3], *shape, 1), _GREY, np.uint8)
    for channel in range(channels):
        top, left = (height + 1) * (channel // columns), (width + 1) * (channel % columns)
        panels[..., top : top + height, left : left + width, 0] = images[..., channel]
    return panels


def mosaic(images: Array, row_gap: int = GAP) -> Mosaic:
    """Puts images, uint8 `(rows, columns, height, width, 3)`, together; enlarges all alike.

    They are enlarged by a whole number: the longer side of an image has about 112 pixels, or fewer
    where the whole would be wider or higher than 2400 pixels. Images are never made smaller.
    """
    rows, columns, height, width, _ = images.shape
    fitting = min(_LARGEST_SIDE // (columns * width), _LARGEST_SIDE // (rows * height))
    factor = max(1, min(round(_CELL / max(height, width)), fitting))
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
