"""The field's standard convolutional pair (Locatello et al. 2019; DeVAE paper, table 5)."""

from collections.abc import Sequence

import keras
from keras import layers

from keras_devae.checks import at_least, image_shape_of, widths
from keras_devae.errors import UsageError
from keras_devae.layers import Convolution, TransposedConvolution
from keras_devae.networks.building_blocks import (
    cropped,
    encoder_outputs,
    halved_sizes,
    kernel_and_strides,
    seeded_kernels,
)


def _widths(units, strided):
    """Returns the channels of the strided convolutions, and the width of the layer after them."""
    if units is None:
        return [64 if strided - i <= 2 else 32 for i in range(strided)], 256
    units = widths("units", units)
    if len(units) != strided + 1:
        raise UsageError(
            f"The network 'convolutional' of these images has {strided} strided convolutions and "
            f"one layer after them, so `network_units` are {strided + 1} numbers. Received: "
            f"{list(units)}."
        )
    return list(units[:-1]), units[-1]


def convolutional_encoder(
    image_shape: Sequence[int],
    latent_dim: int,
    seed: int | None = None,
    num_categories: int = 0,
    groups: int = 1,
    layer_dims: Sequence[int] | None = None,
    batch_normalization: bool = True,
    flow_parameters: int | None = None,
    units: Sequence[int] | None = None,
) -> keras.Model:
    """Builds the convolutional encoder.

    Stride-2 4x4 convolutions with 32, 32, 64, 64 channels, a valid 4x4 convolution with 256, and
    linear heads; ReLU. The heads compute in float32 under every dtype policy.

    That is the published network, for 64x64 pixels. Other sizes have as many strided convolutions
    as bring the longer side down to 4 pixels or 3, halving and rounding up, the last two with 64
    channels; a shorter side, once it is that short, keeps its length. The valid convolution covers
    what remains.

    Args:
        image_shape: `(height, width, channels)`, 16 to 512 pixels high and wide.
        latent_dim: Number of latent dimensions.
        seed: Integer seed of the initial weights, or `None` (default).
        num_categories: Number of categories of a categorical code; default 0, none.
        groups: Number of parallel encoders, each with its share of the channels and of the
            latent dimensions; default 1.
        layer_dims: Number of latent dimensions of each stochastic layer of a `LadderVAE`, layer 1
            first, or `None` (default) for a single layer. Two dense layers of 256, 128, 64 and 32
            units lead from one to the next.
        batch_normalization: Whether to normalise these dense layers over the batch; default true.
        flow_parameters: Number of parameters of an image's flows, or `None` (default) for none.
        units: Channels of the strided convolutions and then of the valid one, divided among the
            `groups`, or `None` (default) for the published numbers.

    Returns:
        A `keras.Model` from images in `[0, 1]`, `(batch, height, width, channels)`, to a dictionary
        of `z_mean` and `z_log_var`, float32 `(batch, latent_dim)`, and, where there are such,
        `category_logits`, `(batch, num_categories)`, and `flow_parameters`,
        `(batch, flow_parameters)`.

    Raises:
        UsageError: If an argument is out of range.
    """
    kernels = seeded_kernels(seed)
    image_shape = image_shape_of(image_shape)
    sizes = halved_sizes(image_shape)
    strided, last = _widths(units, len(sizes) - 1)
    images = keras.Input(image_shape, name="image")

    def trunk(divisor):
        x = images
        for size, channels in zip(sizes[:-1], strided, strict=True):
            form = kernel_and_strides(size)
            x = _convolution(channels // divisor, kernels, *form, padding="same")(x)
        return layers.Flatten()(_convolution(last // divisor, kernels, sizes[-1])(x))

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


def _convolution(channels, kernels, kernel, strides=1, **options):
    return Convolution(
        max(channels, 1),
        kernel,
        strides,
        activation="relu",
        kernel_initializer=next(kernels),
        **options,
    )


def convolutional_decoder(
    input_dim: int,
    image_shape: Sequence[int],
    seed: int | None = None,
    units: Sequence[int] | None = None,
) -> keras.Model:
    """Builds the convolutional decoder, the mirror image of the encoder.

    Dense 256, a valid 4x4 transposed convolution with 64 channels, stride-2 4x4 transposed
    convolutions with 64, 32, 32 and the image's channels; ReLU, linear at the end. For
    other sizes see the encoder; the pixel too many where a side was odd is cropped at the bottom or
    right.

    Args:
        input_dim: Width of the input; DeVAE appends a layer's vector to the code, which makes it
            twice the number of latent dimensions.
        image_shape: `(height, width, channels)`, 16 to 512 pixels high and wide.
        seed: Integer seed of the initial weights, or `None` (default).
        units: As for the encoder, in the same order.

    Returns:
        A `keras.Model` from `(batch, input_dim)` to float32 logits
        `(batch, height, width, channels)`.

    Raises:
        UsageError: If an argument is out of range.
    """
    at_least("input_dim", input_dim, 1)
    image_shape = image_shape_of(image_shape)
    kernels = seeded_kernels(seed)
    sizes = halved_sizes(image_shape)
    strided, first = _widths(units, len(sizes) - 1)
    channels = [image_shape[-1], *strided]
    z = keras.Input((input_dim,), name="z")
    x = layers.Dense(first, activation="relu", kernel_initializer=next(kernels))(z)
    x = layers.Reshape((1, 1, first))(x)
    x = TransposedConvolution(
        channels[-1], sizes[-1], activation="relu", kernel_initializer=next(kernels)
    )(x)
    for i in reversed(range(len(strided))):
        x = TransposedConvolution(
            channels[i],
            *kernel_and_strides(sizes[i]),
            "same",
            activation="relu" if i else None,
            kernel_initializer=next(kernels),
        )(x)
        x = cropped(x, sizes[i])
    return keras.Model(z, layers.Activation("linear", dtype="float32")(x), name="decoder")
