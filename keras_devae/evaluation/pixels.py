"""How encoders of other people expect pixels."""

from collections.abc import Callable

import numpy as np

from keras_devae.checks import Array
from keras_devae.errors import UsageError

#: Name -> what is done to uint8 pixels before the encoder sees them.
PIXELS: dict[str, Callable[[Array], Array]] = {
    "uint8": lambda images: images,
    "0..255": lambda images: images.astype(np.float32),
    "0..1": lambda images: images.astype(np.float32) / np.float32(255),
    "-1..1": lambda images: images.astype(np.float32) / np.float32(127.5) - np.float32(1),
    "imagenet": lambda images: _standardized(images),
}
LAYOUTS = ("auto", "channels-last", "channels-first")
#: Mean and standard deviation of ImageNet's pixels by channel, as torchvision's models expect.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _standardized(images: Array) -> Array:
    if images.shape[-1] != 3:
        raise UsageError(
            f"ImageNet's mean and deviation are for 3 channels. Received: {images.shape[-1]}."
        )
    scaled = PIXELS["0..1"](images)
    return (scaled - np.asarray(_MEAN, np.float32)) / np.asarray(_DEVIATION, np.float32)
