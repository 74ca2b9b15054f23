"""Independent latent spaces side by side: what a hierarchy of layers is compared with."""

import keras
from keras import ops

from keras_devae.checks import at_least


@keras.saving.register_keras_serializable(package="keras_devae")
class ParallelStack(keras.layers.Layer):
    """K latent spaces that share nothing (DeVAE paper, table 2); it has no weights.

    The encoder gives `K * latent_dim` numbers, of which layer i takes the i-th part.

    Args:
        num_layers: K, at least 1.
        **kwargs: Arguments of `keras.layers.Layer`.

    Raises:
        UsageError: If `num_layers` is below 1.
    """

    def __init__(self, num_layers, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.num_layers = at_least("num_layers", num_layers, 1)
        self.built = True

    def call(self, mean, log_var, index=None):
        """Returns the posterior of one, some or all layers.

        Args:
            mean: The encoder's means, `(batch, K * latent_dim)`.
            log_var: Log-variances of the same shape.
            index: See `DiTStack.call`.

        Returns:
            See `DiTStack.call`.
        """
        return tuple(self._part(x, index) for x in (mean, log_var))

    def _part(self, x, index):
        layers = ops.reshape(x, (-1, self.num_layers, x.shape[-1] // self.num_layers))
        layers = ops.transpose(layers, (1, 0, 2))
        return layers if index is None else ops.take(layers, index, axis=0)

    def complaints(self):
        """Returns an empty list: there are no weights."""
        return []

    def get_config(self):
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_layers": self.num_layers}
