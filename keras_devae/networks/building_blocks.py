"""Parts shared by the encoders and decoders."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_devae.checks import at_least, check_convolutional_size, partition
from keras_devae.layers.ladder import ladder_block, ladder_width
from keras_devae.process.randomness import random_generator

#: A side is halved, rounding up, until it has at most this many pixels.
_LAST_SIDE = 4


def halved_sizes(image_shape: Sequence[int]) -> list[tuple[int, int]]:
    """Returns `(height, width)` before each strided convolution, and at last after all of them.

    Each side is halved, rounding up, until it has at most 4 pixels: 3 or 4 remain.
    """
    check_convolutional_size(image_shape)
    return sizes_halved(image_shape[:2])


def sizes_halved(size: Sequence[int]) -> list[tuple[int, int]]:
    """Returns what `halved_sizes` does, for any `(height, width)`."""
    height, width = size
    sizes = [(height, width)]
    while max(sizes[-1]) > _LAST_SIDE:
        height, width = (-(-n // 2) if n > _LAST_SIDE else n for n in sizes[-1])
        sizes.append((height, width))
    return sizes


def kernel_and_strides(before: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns kernel and strides that halve the sides which are still too long.

    The kernel is 4 where the stride is 2, and 3 where it is 1, so that padding is symmetric.
    """
    kernel, strides = zip(*((4, 2) if n > _LAST_SIDE else (3, 1) for n in before), strict=True)
    return kernel, strides


def cropped(x: keras.KerasTensor, size: Sequence[int]) -> keras.KerasTensor:
    """Removes symbolic rows and columns beyond `(height, width)`, at the bottom and right."""
    excess = [have - want for have, want in zip(x.shape[1:3], size, strict=True)]
    return layers.Cropping2D([(0, n) for n in excess])(x) if any(excess) else x


def encoder_outputs(
    trunk: Callable[[int], Any],
    latent_dim: int,
    kernels: Iterator[keras.initializers.Initializer],
    num_categories: int = 0,
    groups: int = 1,
    layer_dims: Sequence[int] | None = None,
    batch_normalization: bool = True,
    flow_parameters: int | None = None,
) -> dict[str, keras.KerasTensor]:
    """Adds the posterior's linear heads, in float32, to one or more symbolic trunks.

    `trunk` takes a divisor of the widths and returns features `(batch, width)`; it is called once
    for each of the `groups`. No more groups are built than there are latent dimensions. With
    `layer_dims`, the sizes of stochastic layers that add up to `latent_dim`, one trunk is
    continued by two dense layers for each layer above the first, normalised over the batch if
    `batch_normalization`; each layer has heads of its own.
    """
    at_least("latent_dim", latent_dim, 1)
    at_least("groups", groups, 1)
    at_least("num_categories", num_categories, 0)
    if flow_parameters is not None:
        at_least("flow_parameters", flow_parameters, 0)
    if layer_dims is None:
        sizes = group_sizes(latent_dim, groups)
        features = [trunk(len(sizes)) for _ in sizes]
    else:
        sizes = list(partition("layer_dims", layer_dims, latent_dim))
        features = _climbed(trunk(1), len(sizes), kernels, batch_normalization)
    outputs = {
        name: _joined(
            [
                _head(x, size, kernels, name if len(sizes) == 1 else f"{name}_{i}")
                for i, (x, size) in enumerate(zip(features, sizes, strict=True))
            ],
            name,
        )
        for name in ("z_mean", "z_log_var")
    }
    for name, width in (("category_logits", num_categories), ("flow_parameters", flow_parameters)):
        if width:
            outputs[name] = _head(_joined(features, "features"), width, kernels, name)
    return outputs


def _climbed(features, count, kernels, batch_normalization):
    """Returns the features of `count` stochastic layers, each computed from the one below."""
    found = [features]
    for i in range(1, count):
        x = found[-1]
        for layer in ladder_block(ladder_width(i), kernels, batch_normalization):
            x = layer(x)
        found.append(x)
    return found


def group_sizes(latent_dim: int, groups: int) -> list[int]:
    """Returns the sizes of at most `groups` groups, which differ by at most 1, largest first."""
    return [len(part) for part in np.array_split(np.arange(latent_dim), groups) if len(part)]


def _head(features, width, kernels, name):
    return layers.Dense(width, dtype="float32", kernel_initializer=next(kernels), name=name)(
        features
    )


def _joined(tensors, name):
    if len(tensors) == 1:
        return tensors[0]
    # Under the dtype policy of the other layers it would round the heads' outputs.
    return layers.Concatenate(dtype="float32", name=name)(tensors)


def seeded_kernels(seed: int | None = None) -> Iterator[keras.initializers.GlorotUniform]:
    """Yields Glorot-uniform initialisers (Keras's default), each with a seed derived from `seed`.

    Without a seed they are random, determined by `keras.utils.set_random_seed`.
    """
    generator = random_generator(seed)
    while True:
        yield keras.initializers.GlorotUniform(seed=int(generator.integers(2**31)))
