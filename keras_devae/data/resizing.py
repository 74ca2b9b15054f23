"""Images made smaller in the way in which the field's comparisons made them."""

import numpy as np


def resized(images: np.ndarray, size: int) -> np.ndarray:
    """Resamples images with Pillow's Lanczos filter, as `disentanglement_lib` does.

    Args:
        images: uint8 array of shape `(n, h, w, c)`, where `c` is 1 or 3.
        size: Pixels a side that the images get.

    Returns:
        uint8 array of shape `(n, size, size, c)`; `images` itself where it has that shape already.
    """
    length, height, width, channels = images.shape
    if height == width == size:
        return images
    # Imported where it is needed: images of the published size leave without it.
    from PIL import Image

    smaller = np.empty((length, size, size, channels), np.uint8)
    for place, pixels in zip(smaller, images, strict=True):
        picture = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
        picture = picture.resize((size, size), Image.Resampling.LANCZOS)
        place[...] = np.asarray(picture).reshape(place.shape)
    return smaller
