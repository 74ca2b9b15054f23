"""Fits images to another size without distorting them: cropped in the middle, then resized."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keras_devae.checks import Array
from keras_devae.data.image_sizes import ImageSize, height_and_width

if TYPE_CHECKING:
    from PIL import Image


def fit_picture(picture: Image.Image, size: ImageSize) -> Image.Image:
    """Crops a picture to the largest middle part of the wanted shape, and resizes it (bicubic)."""
    # Imported here because most runs read no pictures.
    from PIL import ImageOps

    height, width = height_and_width(size)
    return ImageOps.fit(picture, (width, height))


def fit_images(images: Array, size: ImageSize | None) -> Array:
    """Fits uint8 images `(n, h, w, c)` to a size; returns them as they are if they have it."""
    if size is None or tuple(images.shape[1:3]) == height_and_width(size):
        return images
    from PIL import Image

    fitted = np.empty((len(images), *height_and_width(size), images.shape[3]), np.uint8)
    for place, pixels in zip(fitted, images, strict=True):
        for channel in range(images.shape[3]):
            layer = Image.fromarray(np.ascontiguousarray(pixels[..., channel]))
            place[..., channel] = np.asarray(fit_picture(layer, size))
    return fitted
