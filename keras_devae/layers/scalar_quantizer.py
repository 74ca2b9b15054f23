"""The quantizer of single latent dimensions: each has a few learned values."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.checks import Tensor, at_least


@keras.saving.register_keras_serializable(package="keras_devae")
class ScalarQuantizer(keras.layers.Layer):
    """Replaces each code by the nearest of its dimension's learned values (Hsu et al. 2023).

    The values begin evenly spaced from -0.5 to 0.5. Nothing but the quantization loss moves them:
    the straight-through gradient of a quantized code is its own, as if nothing had been replaced.

    Args:
        num_values: Number of values of each dimension, at least 2; default 10.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> quantizer = kd.layers.ScalarQuantizer(num_values=3)
        >>> ops.convert_to_numpy(quantizer(ops.convert_to_tensor([[0.4, -0.1]]))).tolist()
        [[0.5, 0.0]]
    """

    def __init__(self, num_values: int = 10, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.num_values = at_least("num_values", num_values, 2)

    def build(self, codes_shape: tuple) -> None:
        """Creates `values`, `(latent_dim, num_values)`."""
        self.values = self.add_weight(
            (codes_shape[-1], self.num_values), _evenly_spaced, name="values"
        )
        self.built = True

    def nearest(self, codes: Tensor) -> Tensor:
        """Returns the nearest value of each code, `(batch, latent_dim)`.

        Gradients reach the values, not the codes. Of two values as near it takes the first.
        """
        values = ops.convert_to_tensor(self.values)
        distances = ops.abs(ops.expand_dims(codes, -1) - values)
        chosen = ops.one_hot(ops.argmin(distances, axis=-1), self.num_values, dtype=values.dtype)
        return ops.sum(chosen * values, axis=-1)

    def call(self, codes: Tensor) -> Tensor:
        """Quantizes codes `(batch, latent_dim)`, with the straight-through gradient."""
        values = ops.stop_gradient(self.nearest(codes))
        # The difference is 0 to the bit, so that a code is its value, not its value rounded.
        return values + (codes - ops.stop_gradient(codes))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_values": self.num_values}


def _evenly_spaced(shape, dtype=None):
    return ops.convert_to_tensor(np.tile(np.linspace(-0.5, 0.5, shape[1]), (shape[0], 1)), dtype)
