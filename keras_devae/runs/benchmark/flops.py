"""The floating-point operations of a training step, counted from the layers."""

import math
from typing import Any

import keras

#: Layers whose products are counted: they do all but a thousandth of the work.
_COUNTED = (keras.layers.Dense, keras.layers.Conv2D, keras.layers.Conv2DTranspose)


def multiply_adds(layer: keras.Layer) -> int:
    """Returns the multiply-adds of a dense or 2D convolution layer for one example, 0 for others.

    Every value of the kernel meets every place of the output once, or of the input, where the
    convolution is transposed. Places in the padding count, as is usual.
    """
    if not isinstance(layer, _COUNTED):
        return 0
    places = layer.input if isinstance(layer, keras.layers.Conv2DTranspose) else layer.output
    is_channels_first = getattr(layer, "data_format", None) == "channels_first"
    spatial = places.shape[2:] if is_channels_first else places.shape[1:-1]
    return math.prod(layer.kernel.shape) * math.prod(spatial)


def training_flops(model: Any, batch_size: int) -> int:
    """Returns the operations of a training step of a model's functional encoder and decoder.

    Each multiply-add counts as two. The backward pass takes twice the forward pass, a product for
    the gradient of the weights and one for the gradient of the input, which layers that see the
    images do not need. Further computations (a discriminator, further decodings) do not count.
    """
    images = model.encoder.inputs[0]
    products = 0
    for network in model.networks:
        for layer in network.layers:
            sees_images = isinstance(layer, _COUNTED) and _is_copy(layer.input, images)
            products += multiply_adds(layer) * (2 if sees_images else 3)
    return 2 * products * batch_size


def _is_copy(tensor: Any, images: Any) -> bool:
    """Returns whether a symbolic tensor holds the images themselves, perhaps reshaped."""
    while tensor is not images:
        layer = tensor._keras_history.operation
        if not isinstance(layer, (keras.layers.Flatten, keras.layers.Reshape)):
            return False
        tensor = layer.input
    return True
