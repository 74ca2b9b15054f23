"""FactorVAE's discriminator."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from keras_devae.checks import at_least, widths
from keras_devae.networks.building_blocks import seeded_kernels


def discriminator(
    latent_dim: int,
    units: Sequence[int] = (1000,) * 6,
    seed: int | None = None,
    dtype: Any = None,
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
