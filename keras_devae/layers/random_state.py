"""Random numbers for functions that take a seed generator."""

import keras

from keras_devae.layers.seeded import SeededLayer


@keras.saving.register_keras_serializable(package="keras_devae")
class RandomState(SeededLayer):
    """Owns a seed generator for the functions of `keras_devae.losses`, and saves its state.

    Args:
        seed: Integer seed, or `None` (default) for a random one.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> random = RandomState(seed=0)
        >>> z = keras.random.normal((64, 10), seed=0)
        >>> permuted = kd.losses.permute_dimensions(z, random.seed_generator)
    """
