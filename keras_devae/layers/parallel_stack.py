"""Independent latent spaces side by side: what a hierarchy of layers is compared with."""

from typing import Any

import keras
from keras import ops

from keras_devae.checks import Tensor
from keras_devae.layers.latent_stack import LatentStack


@keras.saving.register_keras_serializable(package="keras_devae")
class ParallelStack(LatentStack):
    """K latent spaces that share nothing (DeVAE paper, table 2); it has no weights.

    Layer i takes the i-th part of the encoder's means and log-variances, `(batch, K * latent_dim)`.

    Args:
        num_layers: K, at least 1.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> means, log_vars = ParallelStack(3)(ops.ones((8, 30)), ops.zeros((8, 30)))
        >>> ops.shape(means)
        (3, 8, 10)
    """

    def __init__(self, num_layers: int, **kwargs: Any):
        super().__init__(num_layers, **kwargs)
        self.built = True

    def call(self, mean: Tensor, log_var: Tensor, index: Tensor = None) -> tuple[Tensor, Tensor]:
        """Returns the posterior of one, some or all layers, see `LatentStack.call`."""
        return self._part(mean, index), self._part(log_var, index)

    def _part(self, x: Tensor, index: Tensor) -> Tensor:
        layers = ops.reshape(x, (-1, self.num_layers, x.shape[-1] // self.num_layers))
        layers = ops.transpose(layers, (1, 0, 2))
        return layers if index is None else ops.take(layers, index, axis=0)
