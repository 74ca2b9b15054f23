"""Networks of dense layers: perceptrons, linear maps for the baselines, and the discriminator."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from keras_devae.checks import at_least, image_shape_of, widths
from keras_devae.networks.building_blocks import encoder_outputs, seeded_kernels
from keras_devae.process.randomness import random_generator


def mlp_encoder(
    image_shape: Sequence[int],
    latent_dim: int,
    units: Sequence[int] = (1200, 1200),
    seed: int | None = None,
    num_categories: int = 0,
    groups: int = 1,
    layer_dims: Sequence[int] | None = None,
    batch_normalization: bool = True,
    flow_parameters: int | None = None,
) -> keras.Model:
    """Builds a fully connected encoder, by default as in Higgins et al. (2017).

    Arguments, result and errors are as for `convolutional_encoder`, but images may have any size.
    `units` are the widths of the hidden ReLU layers, divided among the `groups`.
    """
    kernels = seeded_kernels(seed)
    units = widths("units", units)
    images = keras.Input(image_shape_of(image_shape), name="image")

    def trunk(divisor):
        return _hidden(
            layers.Flatten()(images), [max(width // divisor, 1) for width in units], kernels
        )

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


def mlp_decoder(
    input_dim: int,
    image_shape: Sequence[int],
    units: Sequence[int] = (1200, 1200),
    seed: int | None = None,
) -> keras.Model:
    """Builds a fully connected decoder, the mirror image of the encoder, with linear output.

    Arguments, result and errors are as for `convolutional_decoder`, but images may have any size.
    `units` are the widths of the hidden ReLU layers.
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


def projection_mlp(
    input_dim: int,
    units: Sequence[int],
    output_dim: int,
    name: str,
    seed: int | None = None,
    dtype: Any = None,
) -> keras.Model:
    """Builds a projector or predictor of Grill et al. (2020), section 3.3.

    Hidden layers with batch normalisation and ReLU, then a linear layer.

    Args:
        input_dim: Width of the input.
        units: Widths of the hidden layers.
        output_dim: Width of the output.
        name: Name of the network, and the beginning of its layers' names.
        seed: Integer seed of the initial weights, or `None` (default).
        dtype: Dtype policy of the hidden layers, or `None` (default) for the global one.

    Returns:
        A `keras.Model` from `(batch, input_dim)` to float32 `(batch, output_dim)`.
    """
    kernels = seeded_kernels(seed)
    inputs = keras.Input((input_dim,), name=f"{name}_input")
    x = inputs
    for i, width in enumerate(units):
        x = layers.Dense(width, kernel_initializer=next(kernels), dtype=dtype, name=f"{name}_{i}")(
            x
        )
        normalization = layers.BatchNormalization(
            momentum=0.9, dtype=dtype, name=f"{name}_normalization_{i}"
        )
        x = layers.ReLU(dtype=dtype)(normalization(x))
    outputs = layers.Dense(
        output_dim, dtype="float32", kernel_initializer=next(kernels), name=f"{name}_output"
    )(x)
    return keras.Model(inputs, outputs, name=name)


def linear_encoder(image_shape: Sequence[int], latent_dim: int) -> keras.Model:
    """Builds a linear encoder with zero weights.

    Arguments, result and errors are as for `mlp_encoder`.
    """
    at_least("latent_dim", latent_dim, 1)
    images = keras.Input(image_shape_of(image_shape), name="image")
    pixels = layers.Flatten()(images)
    heads = {name: _zero_map(latent_dim, name)(pixels) for name in ("z_mean", "z_log_var")}
    return keras.Model(images, heads, name="encoder")


def linear_decoder(input_dim: int, image_shape: Sequence[int]) -> keras.Model:
    """Builds a linear decoder with zero weights.

    Arguments, result and errors are as for `mlp_decoder`.
    """
    at_least("input_dim", input_dim, 1)
    image_shape = image_shape_of(image_shape)
    z = keras.Input((input_dim,), name="z")
    pixels = _zero_map(math.prod(image_shape), "pixels")(z)
    return keras.Model(z, layers.Reshape(image_shape, dtype="float32")(pixels), name="decoder")


def _zero_map(width, name):
    return layers.Dense(width, dtype="float32", kernel_initializer="zeros", name=name)


def unit_predictors(
    latent_dim: int, units: Sequence[int] = (32, 32), seed: int | None = None, dtype: Any = None
) -> keras.Model:
    """Builds a predictor of each code unit (Schmidhuber 1992), all with weights of their own.

    Args:
        latent_dim: Number of units, d.
        units: Widths of the hidden ReLU layers of each predictor.
        seed: Integer seed of the initial weights, or `None` (default).
        dtype: Dtype policy of the hidden layers, or `None` (default) for the global one.

    Returns:
        A `keras.Model` from what each predictor sees, `(batch, d, d)`, to float32 predictions
        `(batch, d)` between 0 and 1.

    Raises:
        UsageError: If an argument is out of range.
    """
    at_least("latent_dim", latent_dim, 1)
    seen = keras.Input((latent_dim, latent_dim), name="seen")
    generator = random_generator(seed)
    x, activations = seen, ["relu"] * len(widths("units", units)) + ["sigmoid"]
    for i, (width, activation) in enumerate(zip((*units, 1), activations, strict=True)):
        # Glorot's limit of one predictor: Keras would take all of them for one kernel.
        limit = math.sqrt(6 / (x.shape[-1] + width))
        x = layers.EinsumDense(
            "bij,ijk->bik",
            output_shape=(latent_dim, width),
            activation=activation,
            bias_axes="ik",
            kernel_initializer=keras.initializers.RandomUniform(
                -limit, limit, seed=int(generator.integers(2**31))
            ),
            dtype=dtype if activation == "relu" else "float32",
            name=f"predictor_{i}",
        )(x)
    x = layers.Reshape((latent_dim,), dtype="float32")(x)
    return keras.Model(seen, x, name="predictors")


def discriminator(
    latent_dim: int, units: Sequence[int] = (1000,) * 6, seed: int | None = None, dtype: Any = None
) -> keras.Model:
    """Builds the discriminator of Kim & Mnih (2018), appendix A.

    Six layers of 1000 units with leaky ReLU of slope 0.2, and two logits: class 0 for codes of the
    joint distribution, class 1 for codes with permuted dimensions.

    Args:
        latent_dim: Number of latent dimensions.
        units: Widths of the hidden layers.
        seed: Integer seed of the initial weights, or `None` (default).
        dtype: Dtype policy of the hidden layers, or `None` (default) for the global one.

    Returns:
        A `keras.Model` from codes `(batch, latent_dim)` to float32 logits `(batch, 2)`.

    Raises:
        UsageError: If an argument is out of range.
    """
    at_least("latent_dim", latent_dim, 1)
    units = widths("units", units)
    kernels = seeded_kernels(seed)
    z = keras.Input((latent_dim,), name="z")
    x = z
    for i, width in enumerate(units):
        name = f"discriminator_{i}"
        x = layers.Dense(width, kernel_initializer=next(kernels), dtype=dtype, name=name)(x)
        x = layers.LeakyReLU(negative_slope=0.2, dtype=dtype)(x)
    logits = layers.Dense(
        2, dtype="float32", kernel_initializer=next(kernels), name="discriminator_logits"
    )(x)
    return keras.Model(z, logits, name="discriminator")
