"""Parts shared by the encoders and decoders."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_devae.checks import at_least
from keras_devae.process.randomness import random_generator


def encoder_outputs(
    trunk: Callable[[int], Any],
    latent_dim: int,
    kernels: Iterator[keras.initializers.Initializer],
    num_categories: int = 0,
    groups: int = 1,
) -> dict[str, keras.KerasTensor]:
    """Adds the posterior's linear heads, in float32, to one or more symbolic trunks.

    `trunk` takes a divisor of the widths and returns features `(batch, width)`; it is called once
    for each of the `groups`. No more groups are built than there are latent dimensions.
    """
    at_least("latent_dim", latent_dim, 1)
    at_least("groups", groups, 1)
    at_least("num_categories", num_categories, 0)
    sizes = group_sizes(latent_dim, groups)
    features = [trunk(len(sizes)) for _ in sizes]
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
    if num_categories:
        outputs["category_logits"] = _head(
            _joined(features, "features"), num_categories, kernels, "category_logits"
        )
    return outputs


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
