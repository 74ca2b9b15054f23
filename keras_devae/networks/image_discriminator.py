"""A discriminator of images, for adversarial training."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from keras_devae.checks import Tensor, at_least, image_shape_of
from keras_devae.layers import Convolution, SpectralNormalization, derived_seeds
from keras_devae.networks.building_blocks import kernel_and_strides, seeded_kernels, sizes_halved

_FEATURES = 128
_LEAK = 0.2


def image_discriminator(
    image_shape: Sequence[int],
    num_classes: int = 1,
    num_images: int = 1,
    normalized_head: bool = True,
    seed: int | None = None,
    dtype: Any = None,
    name: str = "discriminator",
) -> keras.Model:
    """Builds the discriminator of Lin et al. (2020) for dSprites.

    Stride-2 4x4 convolutions with 32, 32, 64, 64 channels, a dense layer of 128 units, and linear
    logits; leaky ReLU of slope 0.2, spectral normalisation of all kernels. That is the published
    network, for 64x64 pixels. Other sizes, which may be any, have as many convolutions as bring the
    longer side down to 4 pixels or fewer, the last two with 64 channels.

    Args:
        image_shape: `(height, width, channels)` of one image.
        num_classes: Number of logits; default 1.
        num_images: Number of images to look at together, joined along the channels; default 1.
        normalized_head: Whether the kernel of the logits is normalised, too (default).
        seed: Integer seed of the initial weights, or `None` (default).
        dtype: Dtype policy of the hidden layers, or `None` (default) for the global one.
        name: Name of the network, with which the names of its layers begin.

    Returns:
        A `keras.Model` from pixels `(batch, height, width, channels * num_images)` to float32
        logits `(batch, num_classes)`.

    Raises:
        UsageError: If an argument is out of range.
    """
    height, width, channels = image_shape_of(image_shape)
    at_least("num_classes", num_classes, 1)
    at_least("num_images", num_images, 1)
    sizes = sizes_halved((height, width))
    kernels = seeded_kernels(seed)
    vectors = iter(derived_seeds(seed, len(sizes) + 1))
    how = {"dtype": dtype, "activation": _leaky_relu}

    def hidden(layer, x):
        name_of_layer = f"{name}_{layer.name}"
        return SpectralNormalization(layer, next(vectors), dtype=dtype, name=name_of_layer)(x)

    pixels = keras.Input((height, width, channels * num_images), name="pixels")
    x = pixels
    for i, size in enumerate(sizes[:-1]):
        options = {"kernel_initializer": next(kernels), **how}
        filters = 64 if i >= len(sizes) - 3 else 32
        form = kernel_and_strides(size)
        x = hidden(Convolution(filters, *form, padding="same", name=f"{i}", **options), x)
    x = layers.Flatten()(x)
    x = hidden(layers.Dense(_FEATURES, kernel_initializer=next(kernels), name="features", **how), x)
    head = layers.Dense(
        num_classes, dtype="float32", kernel_initializer=next(kernels), name=f"{name}_logits"
    )
    if normalized_head:
        head = SpectralNormalization(
            head, next(vectors), dtype="float32", name=f"{name}_normalized_logits"
        )
    return keras.Model(pixels, head(x), name=name)


def _leaky_relu(x: Tensor) -> Tensor:
    # After a convolution, TensorFlow fails to optimise the gradient of its own leaky ReLU.
    return ops.maximum(x, _LEAK * x)
