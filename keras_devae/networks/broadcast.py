"""The spatial broadcast decoder, which goes with any encoder."""

from collections.abc import Sequence

import keras
from keras import layers

from keras_devae.checks import at_least, image_shape_of
from keras_devae.layers import Convolution, SpatialBroadcast
from keras_devae.networks.building_blocks import seeded_kernels

_CHANNELS, _LAYERS, _KERNEL = 64, 2, 4


def broadcast_decoder(
    input_dim: int, image_shape: Sequence[int], seed: int | None = None
) -> keras.Model:
    """Builds the spatial broadcast decoder with linear output.

    The code is copied to every pixel, beside the pixel's two coordinates; then come two
    convolutions with 64 channels and ReLU, and one with the image's channels. All have 4x4
    kernels, stride 1 and padding "same", as in Appendix A.1 of Watters et al. (2019, Spatial
    Broadcast Decoder). The image has its full size throughout, so time and memory grow with the
    number of pixels.

    Args:
        input_dim: Width of the input, see `convolutional_decoder`.
        image_shape: `(height, width, channels)`, of any size.
        seed: Integer seed of the initial weights, or `None` (default).

    Returns:
        A `keras.Model` from `(batch, input_dim)` to float32 logits
        `(batch, height, width, channels)`.

    Raises:
        UsageError: If an argument is out of range.
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
        channels, _KERNEL, padding="same", activation=activation, kernel_initializer=next(kernels)
    )
