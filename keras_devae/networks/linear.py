"""A pair of linear maps, for the baselines that are not trained by gradient."""

import math
from collections.abc import Sequence

import keras
from keras import layers

from keras_devae.checks import at_least, image_shape_of


def linear_encoder(image_shape: Sequence[int], latent_dim: int) -> keras.Model:
    """Builds a linear encoder with zero weights; arguments and model are as for `mlp_encoder`."""
    at_least("latent_dim", latent_dim, 1)
    images = keras.Input(image_shape_of(image_shape), name="image")
    pixels = layers.Flatten()(images)
    heads = {name: _zero_map(latent_dim, name)(pixels) for name in ("z_mean", "z_log_var")}
    return keras.Model(images, heads, name="encoder")


def linear_decoder(input_dim: int, image_shape: Sequence[int]) -> keras.Model:
    """Builds a linear decoder with zero weights; arguments and model are as for `mlp_decoder`."""
    at_least("input_dim", input_dim, 1)
    image_shape = image_shape_of(image_shape)
    z = keras.Input((input_dim,), name="z")
    pixels = _zero_map(math.prod(image_shape), "pixels")(z)
    return keras.Model(z, layers.Reshape(image_shape, dtype="float32")(pixels), name="decoder")


def _zero_map(width, name):
    return layers.Dense(width, dtype="float32", kernel_initializer="zeros", name=name)
