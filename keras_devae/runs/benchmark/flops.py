"""How many floating-point operations a training step needs, counted from the layers."""

import math

import keras

#: Layers whose products are counted: all but a thousandth part of the work is theirs.
_COUNTED = (keras.layers.Dense, keras.layers.Conv2D, keras.layers.Conv2DTranspose)


def multiply_adds(layer):
    """Returns the multiplications of a layer for one example, each with an addition.

    Every value of the kernel meets every place of the output once, or of the input, where the
    convolution is transposed. Places in the padding count, as is usual.

    Args:
        layer: A layer of a functional `keras.Model`.

    Returns:
        The number; 0 for layers that are no dense layer or convolution of images.
    """
    if not isinstance(layer, _COUNTED):
        return 0
    places = layer.input if isinstance(layer, keras.layers.Conv2DTranspose) else layer.output
    spatial = places.shape[1:-1]
    if getattr(layer, "data_format", None) == "channels_first":
        spatial = places.shape[2:]
    return math.prod(layer.kernel.shape) * math.prod(spatial)


def training_flops(model, batch_size):
    """Returns the operations of a training step: two for each multiplication with its addition.

    The backward pass takes twice the forward pass, a product for the gradient of the weights and
    one for that of the input, which the layers that see the images go without. Encoder and decoder
    count once each; what a model computes besides (a discriminator, further decodings) does not.

    Args:
        model: A model with functional `encoder` and `decoder`.
        batch_size: Images a step.

    Returns:
        Number of floating-point operations.
    """
    images = model.encoder.inputs[0]
    products = 0
    for network in (model.encoder, model.decoder):
        for layer in network.layers:
            sees_images = isinstance(layer, _COUNTED) and _is_copy(layer.input, images)
            products += multiply_adds(layer) * (2 if sees_images else 3)
    return 2 * products * batch_size


def _is_copy(tensor, images):
    """Tells whether a symbolic tensor holds the images themselves, perhaps in another shape."""
    while tensor is not images:
        layer = tensor._keras_history.operation
        if not isinstance(layer, (keras.layers.Flatten, keras.layers.Reshape)):
            return False
        tensor = layer.input
    return True
