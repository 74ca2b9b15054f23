"""The random choice of one latent layer in every training step."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.checks import Array, Tensor, at_least, finite_at_least
from keras_devae.errors import UsageError
from keras_devae.layers.seeded import SeededLayer


@keras.saving.register_keras_serializable(package="keras_devae")
class LayerDraw(SeededLayer):
    """Draws one of K latent layers with probability `p_i = s^i / sum_j s^j`.

    The draw is made with `keras.random`, inside the compiled step: a draw with Python's or NumPy's
    generator would be made once, when the step is traced, and always train that one layer.

    Args:
        num_layers: K, at least 1.
        weight_base: The `s` of the formula, at least 0. 1 (default) is uniform, 0 always gives
            layer 0.
        seed: Integer seed, or `None` (default) for a random one.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> LayerDraw(3, weight_base=0.5).probabilities
        array([0.57142857, 0.28571429, 0.14285714])
    """

    def __init__(
        self,
        num_layers: int,
        weight_base: float = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(seed=seed, **{"dtype": "float32", **kwargs})
        self.num_layers = at_least("num_layers", num_layers, 1)
        self.weight_base = finite_at_least("weight_base", weight_base)
        if not np.isfinite(self.weights_of_layers.sum()):
            raise UsageError(
                f"`weight_base` is too large for {num_layers} layers: its powers overflow. "
                f"Received: {weight_base}."
            )

    @property
    def weights_of_layers(self) -> Array:
        """The unnormalised weights `s^i`, NumPy float64 `(K,)`."""
        with np.errstate(over="ignore"):
            return np.power(float(self.weight_base), np.arange(self.num_layers))

    @property
    def probabilities(self) -> Array:
        """The probabilities `p_i`, NumPy float64 `(K,)`, summing to 1."""
        return self.weights_of_layers / self.weights_of_layers.sum()

    def draw(self) -> Tensor:
        """Draws a layer: an int32 tensor of shape `(1,)`."""
        uniform = keras.random.uniform((1,), dtype="float32", seed=self.seed_generator)
        thresholds = ops.convert_to_tensor(np.cumsum(self.probabilities)[:-1], dtype="float32")
        return ops.sum(ops.cast(uniform >= thresholds, "int32"), axis=0, keepdims=True)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = {"num_layers": self.num_layers, "weight_base": self.weight_base}
        return {**super().get_config(), **config}
