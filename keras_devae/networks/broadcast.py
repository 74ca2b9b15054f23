"""The spatial broadcast decoder, which goes with any encoder."""

from collections.abc import Sequence

import keras
from keras import layers

from keras_devae.checks import at_least, image_shape_of
from keras_devae.layers import Convolution, SpatialBroadcast
from keras_devae.networks.building_blocks import seeded_kernels

_CHANNELS, _LAYERS = 64, 4


def broadcast_decoder(
    input_dim: int, image_shape: Sequence[int], seed: int | None = None
) -> keras.Model:
    """Builds the spatial broadcast decoder (Watters et al. 2019) with linear output.

    The code is copied to every pixel, beside the pixel's two coordinates; then come four
    convolutions with 64 channels and ReLU, and one with the image's channels, all of stride 1.
    Kernels are 3x3 and padded at all sides alike, and the image has the full size throughout at
    every size, so that time and memory grow with the number of pixels.

    Args:
        input_dim: Width of the input, see `convolutional_decoder`.
        image_shape: `(height, width, channels)`, of any size.
        seed: Integer seed of the initial weights, or `None` (default).

    Returns:
        A `keras.Model` from `(batch, input_dim)` to float32 logits
        `(batch, height, width, channels)`.
    """
    at_least("input_dim", input_dim, 1)
    *size, channels = image_shape_of(image_shape)
    kernels = seeded_kernels(seed)
    z = keras.Input((input_dim,), name="z")
    x = SpatialBroadcast(size)(z)
    for _ in range(_LAYERS):
        x = _convolution(_CHANNELS, kernels, "relu")(x)
    x = _convolution(channels, kernels)(x)
    return keras.Model(z, layers.Activation("linear", dtype="float32")(x), name="decoder")


def _convolution(channels, kernels, activation=None):
    return Convolution(
        channels, 3, padding="same", activation=activation, kernel_initializer=next(kernels)
    )
