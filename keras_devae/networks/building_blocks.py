"""What the encoders and decoders have in common."""

import keras
import numpy as np
from keras import layers

from keras_devae.checks import at_least
from keras_devae.process.randomness import random_generator


def encoder_outputs(trunk, latent_dim, kernels, num_categories=0, groups=1):
    """Puts the linear heads of the posterior on one or more trunks, in float32.

    Args:
        trunk: Function of a divisor of the widths that returns features `(batch, width)`; called
            once for every group.
        latent_dim: Number of latent dimensions, at least 1.
        kernels: Iterator of kernel initialisers.
        num_categories: Number of categories of a categorical code; default 0, none.
        groups: Number of trunks, each with its share of the latent dimensions and of the widths;
            default 1. No more than there are latent dimensions are built.

    Returns:
        Dictionary of `z_mean` and `z_log_var`, symbolic `(batch, latent_dim)`, and with categories
        `category_logits`, `(batch, num_categories)`.

    Raises:
        UsageError: If `latent_dim` or `groups` is below 1, or `num_categories` below 0.
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


def group_sizes(latent_dim, groups):
    """Returns how many latent dimensions each of at most `groups` groups has, a list.

    They differ by one at most, the larger ones first.
    """
    return [len(part) for part in np.array_split(np.arange(latent_dim), groups) if len(part)]


def _head(features, width, kernels, name):
    return layers.Dense(width, dtype="float32", kernel_initializer=next(kernels), name=name)(
        features
    )


def _joined(tensors, name):
    if len(tensors) == 1:
        return tensors[0]
    # Under the policy of the other layers it would round what the heads computed.
    return layers.Concatenate(dtype="float32", name=name)(tensors)


def seeded_kernels(seed=None):
    """Yields Glorot-uniform initialisers (Keras's default), each with a seed derived from one.

    Args:
        seed: Integer seed, or `None` (default) for random ones, which follow from
            `keras.utils.set_random_seed`.

    Yields:
        `keras.initializers.GlorotUniform` objects.
    """
    generator = random_generator(seed)
    while True:
        yield keras.initializers.GlorotUniform(seed=int(generator.integers(2**31)))
