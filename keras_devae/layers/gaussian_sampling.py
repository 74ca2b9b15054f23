"""Reparameterised samples of a diagonal Gaussian."""

from typing import Any

import keras
from keras import ops

from keras_devae.backend.replicas import part_of_batch
from keras_devae.checks import Tensor
from keras_devae.layers.seeded import SeededLayer


@keras.saving.register_keras_serializable(package="keras_devae")
class GaussianSampling(SeededLayer):
    """Draws `z = mean + exp(log_var / 2) * noise`, noise ~ N(0, I) (Kingma & Welling 2014).

    Always float32, whatever the dtype policy is: in float16 the exponential overflows from a
    log-variance of 22, and the noise would not match the means' dtype on every backend.

    Args:
        seed: Integer seed of the noise, or `None` (default) for a random one.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> z = GaussianSampling(seed=0)(ops.zeros((8, 10)), ops.zeros((8, 10)))
        >>> ops.shape(z)
        (8, 10)
    """

    def __init__(self, seed: int | None = None, **kwargs: Any):
        super().__init__(seed=seed, **{"dtype": "float32", **kwargs})

    def call(self, mean: Tensor, log_var: Tensor) -> Tensor:
        """Draws one float32 sample for every row of means `(batch, latent_dim)`, or of n layers."""
        noise = part_of_batch(self._noise, ops.shape(mean), axis=len(mean.shape) - 2)
        return mean + ops.exp(0.5 * log_var) * noise

    def _noise(self, shape: tuple) -> Tensor:
        return keras.random.normal(shape, dtype="float32", seed=self.seed_generator)

    def compute_output_shape(self, mean_shape: tuple, log_var_shape: tuple) -> tuple:
        """Returns the shape of the means."""
        del log_var_shape
        return mean_shape
