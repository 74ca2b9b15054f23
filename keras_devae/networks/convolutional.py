"""The field's standard convolutional pair (Locatello et al. 2019; DeVAE paper, table 5)."""

import math
from collections.abc import Sequence

import keras
from keras import layers

from keras_devae.checks import at_least, check_convolutional_size, image_shape_of
from keras_devae.layers import Convolution, TransposedConvolution
from keras_devae.networks.building_blocks import encoder_outputs, seeded_kernels

_CHANNELS = (32, 32, 32, 64, 64)


def _strided_channels(image_shape):
    """Returns the channels of the stride-2 convolutions that bring the image down to 4x4.

    64x64 images get the published four; smaller ones one 32-channel layer fewer, larger one more.
    """
    check_convolutional_size(image_shape)
    return _CHANNELS[-int(math.log2(image_shape[0] // 4)) :]


def convolutional_encoder(
    image_shape: Sequence[int],
    latent_dim: int,
    seed: int | None = None,
    num_categories: int = 0,
    groups: int = 1,
) -> keras.Model:
    """Builds the convolutional encoder.

    Stride-2 4x4 convolutions with 32, 32, 64, 64 channels, a valid 4x4 convolution with 256, and
    linear heads; ReLU. The heads compute in float32 under every dtype policy.

    Args:
        image_shape: `(height, width, channels)`; 32, 64 or 128 pixels square.
        latent_dim: Number of latent dimensions.
        seed: Integer seed of the initial weights, or `None` (default).
        num_categories: Number of categories of a categorical code; default 0, none.
        groups: Number of parallel encoders, each with its share of the channels and of the
            latent dimensions; default 1.

    Returns:
        A `keras.Model` from images in `[0, 1]`, `(batch, height, width, channels)`, to a dictionary
        of `z_mean` and `z_log_var`, float32 `(batch, latent_dim)`, and, if there are categories,
        `category_logits`, `(batch, num_categories)`.
    """
    kernels = seeded_kernels(seed)
    image_shape = image_shape_of(image_shape)
    images = keras.Input(image_shape, name="image")

    def trunk(divisor):
        x = images
        for channels in _strided_channels(image_shape):
            x = _convolution(channels // divisor, kernels, strides=2, padding="same")(x)
        return layers.Flatten()(_convolution(256 // divisor, kernels)(x))

    outputs = encoder_outputs(trunk, latent_dim, kernels, num_categories, groups)
    return keras.Model(images, outputs, name="encoder")


def _convolution(channels, kernels, **options):
    return Convolution(
        max(channels, 1), 4, activation="relu", kernel_initializer=next(kernels), **options
    )


def convolutional_decoder(
    input_dim: int, image_shape: Sequence[int], seed: int | None = None
) -> keras.Model:
    """Builds the convolutional decoder, the mirror image of the encoder.

    Dense 256, a valid 4x4 transposed convolution with 64 channels, stride-2 4x4 transposed
    convolutions with 64, 32, 32 and the image's channels; ReLU, linear at the end.

    Args:
        input_dim: Width of the input; DeVAE appends a layer's vector to the code, which makes it
            twice the number of latent dimensions.
        image_shape: `(height, width, channels)`; 32, 64 or 128 pixels square.
        seed: Integer seed of the initial weights, or `None` (default).

    Returns:
        A `keras.Model` from `(batch, input_dim)` to float32 logits
        `(batch, height, width, channels)`.
    """
    at_least("input_dim", input_dim, 1)
    image_shape = image_shape_of(image_shape)
    kernels = seeded_kernels(seed)
    channels = [*_strided_channels(image_shape)[-2::-1], image_shape[-1]]
    z = keras.Input((input_dim,), name="z")
    x = layers.Dense(256, activation="relu", kernel_initializer=next(kernels))(z)
    x = layers.Reshape((1, 1, 256))(x)
    x = TransposedConvolution(64, 4, activation="relu", kernel_initializer=next(kernels))(x)
    for i, width in enumerate(channels):
        activation = "relu" if i < len(channels) - 1 else None
        x = TransposedConvolution(
            width, 4, 2, "same", activation=activation, kernel_initializer=next(kernels)
        )(x)
    return keras.Model(z, layers.Activation("linear", dtype="float32")(x), name="decoder")
