"""A residual pair for natural images: pre-activation blocks with group normalisation."""

import math
from collections.abc import Sequence

import keras
from keras import layers

from keras_devae.checks import at_least, image_shape_of
from keras_devae.layers import Convolution, TransposedConvolution
from keras_devae.networks.building_blocks import (
    cropped,
    encoder_outputs,
    halved_sizes,
    kernel_and_strides,
    seeded_kernels,
)

#: The blocks begin once the longer side has at most this many pixels.
_LONGEST_SIDE = 64
#: Channels of the strided convolutions before the blocks, and of the blocks, level by level.
_STEM_CHANNELS, _BLOCK_CHANNELS = 32, (32, 64, 128, 256, 256)
_FEATURES = 256
_MOST_GROUPS = 8


def _stem_and_levels(image_shape):
    """Returns the sizes before each convolution of the stem, and the sizes of the block levels."""
    sizes = halved_sizes(image_shape)
    stem = [size for size in sizes if max(size) > _LONGEST_SIDE]
    return stem, sizes[len(stem) :]


def residual_encoder(
    image_shape: Sequence[int],
    latent_dim: int,
    seed: int | None = None,
    num_categories: int = 0,
    groups: int = 1,
    layer_dims: Sequence[int] | None = None,
    batch_normalization: bool = True,
    flow_parameters: int | None = None,
) -> keras.Model:
    """Builds a residual encoder (He et al. 2016, Identity Mappings in Deep Residual Networks).

    A 3x3 convolution, one pre-activation block of two convolutions per level with 32, 64, 128, 256
    and 256 channels, each level half as high and wide as the one before, then a dense layer of 256
    units and linear heads. Images above 64 pixels first pass strided convolutions with 32 channels
    that bring them to at most 64; the last level has 4 or 3 pixels per side. Group normalisation
    (Wu & He 2018) in up to 8 groups takes the place of batch normalisation, so that an image's code
    depends on that image alone. Strided convolutions have 4x4 kernels, where the paper has 3x3.

    Arguments, result and errors are as for `convolutional_encoder`.
    """
    kernels = seeded_kernels(seed)
    image_shape = image_shape_of(image_shape)
    stem, levels = _stem_and_levels(image_shape)
    images = keras.Input(image_shape, name="image")

    def trunk(divisor):
        x = images
        for size in stem:
            form = kernel_and_strides(size)
            x = layers.ReLU()(_convolution(_STEM_CHANNELS // divisor, kernels, *form)(x))
        x = _convolution(_BLOCK_CHANNELS[0] // divisor, kernels)(x)
        for i, channels in enumerate(_BLOCK_CHANNELS[: len(levels)]):
            form = kernel_and_strides(levels[i - 1]) if i else (3, (1, 1))
            x = _block(x, max(channels // divisor, 1), kernels, *form)
        x = layers.Flatten()(_activated(x))
        return _dense(max(_FEATURES // divisor, 1), kernels)(x)

    outputs = encoder_outputs(
        trunk,
        latent_dim,
        kernels,
        num_categories,
        groups,
        layer_dims,
        batch_normalization,
        flow_parameters,
    )
    return keras.Model(images, outputs, name="encoder")


def residual_decoder(
    input_dim: int, image_shape: Sequence[int], seed: int | None = None
) -> keras.Model:
    """Builds a residual decoder, the mirror image of the encoder, with linear output.

    Pixels are repeated between levels; the strided convolutions of images above 64 pixels become
    transposed ones. Arguments, result and errors are as for `convolutional_decoder`.
    """
    at_least("input_dim", input_dim, 1)
    image_shape = image_shape_of(image_shape)
    kernels = seeded_kernels(seed)
    stem, levels = _stem_and_levels(image_shape)
    channels = _BLOCK_CHANNELS[: len(levels)]
    smallest = (*levels[-1], channels[-1])
    z = keras.Input((input_dim,), name="z")
    x = _dense(math.prod(smallest), kernels)(_dense(_FEATURES, kernels)(z))
    x = layers.Reshape(smallest)(x)
    for i in reversed(range(len(levels))):
        x = _block(x, channels[i], kernels)
        if i:
            _, factors = kernel_and_strides(levels[i - 1])
            x = cropped(repeated_pixels(x, *factors), levels[i - 1])
    x = _activated(x)
    for size in reversed(stem):
        form = kernel_and_strides(size)
        options = {"padding": "same", "kernel_initializer": next(kernels), "activation": "relu"}
        x = cropped(TransposedConvolution(_STEM_CHANNELS, *form, **options)(x), size)
    x = _convolution(image_shape[-1], kernels)(x)
    return keras.Model(z, layers.Activation("linear", dtype="float32")(x), name="decoder")


def _block(x, channels, kernels, kernel=3, strides=(1, 1)):
    """Adds two convolutions of the activated features to the features, projected if need be."""
    activated = _activated(x)
    if x.shape[-1] != channels or max(strides) > 1:
        x = _convolution(channels, kernels, 1, strides)(activated)
    y = _convolution(channels, kernels, kernel, strides)(activated)
    return layers.Add()([x, _convolution(channels, kernels)(_activated(y))])


def repeated_pixels(x: keras.KerasTensor, vertically: int, horizontally: int) -> keras.KerasTensor:
    """Repeats each pixel, as `UpSampling2D` does.

    On TensorFlow, the gradient of that layer contains a transposition of integers, for which oneDNN
    prints a warning.
    """
    height, width, channels = x.shape[1:]
    if horizontally > 1:
        x = layers.Concatenate(axis=3)([x] * horizontally)
        x = layers.Reshape((height, width * horizontally, channels))(x)
    if vertically > 1:
        x = layers.Concatenate(axis=2)([x] * vertically)
        x = layers.Reshape((height * vertically, width * horizontally, channels))(x)
    return x


def _activated(x):
    groups = math.gcd(_MOST_GROUPS, x.shape[-1])
    return layers.ReLU()(layers.GroupNormalization(groups)(x))


def _convolution(channels, kernels, kernel=3, strides=1):
    return Convolution(
        max(channels, 1), kernel, strides, padding="same", kernel_initializer=next(kernels)
    )


def _dense(units, kernels):
    return layers.Dense(units, activation="relu", kernel_initializer=next(kernels))
