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

    Args:
        image_shape: `(height, width, channels)`, any size.
        latent_dim: Number of latent dimensions.
        units: Widths of the hidden layers; ReLU.
        seed: Integer seed of the initial weights, or `None` (default).
        num_categories: Number of categories of a categorical code; default 0, none.
        groups: Number of encoders side by side, each with its share of the units and of the latent
            dimensions; default 1.

    Returns:
        A `keras.Model` from images in `[0, 1]`, `(batch, height, width, channels)`, to a dictionary
        of `z_mean` and `z_log_var`, float32 `(batch, latent_dim)`, and with categories
        `category_logits`, `(batch, num_categories)`.

    Raises:
        UsageError: If a width or a side of the images is not a whole number of at least 1.
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
    """Builds the fully connected decoder.

    Args:
        input_dim: Width of the input, see `convolutional_decoder`.
        image_shape: `(height, width, channels)`, any size.
        units: Widths of the hidden layers; ReLU, linear at the end.
        seed: Integer seed of the initial weights, or `None` (default).

    Returns:
        A `keras.Model` from `(batch, input_dim)` to float32 logits
        `(batch, height, width, channels)`.

    Raises:
        UsageError: As `mlp_encoder`.
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
