"""What the hierarchies of latent layers have in common."""

from typing import Any

import keras

from keras_devae.checks import Tensor, at_least


class LatentStack(keras.layers.Layer):
    """Base of the layers that give the posteriors of K latent layers, in float32.

    Args:
        num_layers: K, at least 1.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, num_layers: int, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.num_layers = at_least("num_layers", num_layers, 1)

    def call(self, mean: Tensor, log_var: Tensor, index: Tensor = None) -> tuple[Tensor, Tensor]:
        """Returns the posterior of one, some or all layers.

        Args:
            mean: The encoder's means, `(batch, latent_dim)`.
            log_var: Log-variances of the same shape.
            index: An integer or an integer scalar tensor for one layer, an integer tensor `(n,)`
                for n layers, or `None` (default) for all K.

        Returns:
            A pair (means, log-variances), float32: `(batch, latent_dim)` for one layer, else
            `(n, batch, latent_dim)`.
        """
        raise NotImplementedError

    def warnings(self) -> list[str]:
        """Returns sentences about weights that have reached a bound; none by default."""
        return []

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_layers": self.num_layers}
