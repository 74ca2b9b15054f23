"""What the encoders and decoders have in common."""

import keras
import numpy as np
from keras import layers

from keras_devae.checks import at_least


def gaussian_heads(features, latent_dim, kernels):
    """Puts the two linear heads of a Gaussian posterior on features, in float32.

    Args:
        features: Symbolic tensor `(batch, width)`.
        latent_dim: Number of latent dimensions, at least 1.
        kernels: Iterator of kernel initialisers.

    Returns:
        Dictionary of `z_mean` and `z_log_var`, symbolic `(batch, latent_dim)`.

    Raises:
        UsageError: If `latent_dim` is below 1.
    """
    at_least("latent_dim", latent_dim, 1)
    return {
        name: layers.Dense(
            latent_dim, dtype="float32", kernel_initializer=next(kernels), name=name
        )(features)
        for name in ("z_mean", "z_log_var")
    }


def seeded_kernels(seed=None):
    """Yields Glorot-uniform initialisers (Keras's default), each with a seed derived from one.

    Args:
        seed: Integer seed, or `None` (default) for random ones.

    Yields:
        `keras.initializers.GlorotUniform` objects.
    """
    generator = np.random.default_rng(seed)
    while True:
        yield keras.initializers.GlorotUniform(seed=int(generator.integers(2**31)))
