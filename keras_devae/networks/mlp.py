"""A pair of multilayer perceptrons, for images of any size and for quick experiments."""

import math
from collections.abc import Sequence

import keras
from keras import layers

from keras_devae.checks import at_least, image_shape_of, widths
from keras_devae.networks.building_blocks import encoder_outputs, seeded_kernels


def mlp_encoder(
    image_shape: Sequence[int],
    latent_dim: int,
    units: Sequence[int] = (1200, 1200),
    seed: int | None = None,
    num_categories: int = 0,
    groups: int = 1,
) -> keras.Model:
    """Builds the fully connected encoder (the default is the one of Higgins et al. 2017).

    Arguments and model are those of `convolutional_encoder`, for images of any size; `units` are
    the widths of the hidden layers, with ReLU, of which each of the `groups` has its share.
    """
    kernels = seeded_kernels(seed)
    units = widths("units", units)
    images = keras.Input(image_shape_of(image_shape), name="image")

    def trunk(divisor):
        return _hidden(
            layers.Flatten()(images), [max(width // divisor, 1) for width in units], kernels
        )

    outputs = encoder_outputs(trunk, latent_dim, kernels, num_categories, groups)
    return keras.Model(images, outputs, name="encoder")


def mlp_decoder(
    input_dim: int,
    image_shape: Sequence[int],
    units: Sequence[int] = (1200, 1200),
    seed: int | None = None,
) -> keras.Model:
    """Builds the fully connected decoder, the mirror image of the encoder, linear at the end.

    Arguments and model are those of `convolutional_decoder`, for images of any size; `units` are
    the widths of the hidden layers, with ReLU.
    """
    at_least("input_dim", input_dim, 1)
    image_shape = image_shape_of(image_shape)
    units = widths("units", units)
    kernels = seeded_kernels(seed)
    z = keras.Input((input_dim,), name="z")
    x = _hidden(z, units, kernels)
    x = layers.Dense(math.prod(image_shape), kernel_initializer=next(kernels))(x)
    x = layers.Reshape(image_shape, dtype="float32")(x)
    return keras.Model(z, x, name="decoder")


def _hidden(x, units, kernels):
    for width in units:
        x = layers.Dense(width, activation="relu", kernel_initializer=next(kernels))(x)
    return x
