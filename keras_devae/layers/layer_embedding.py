"""The learned vector that tells the decoder which latent layer a code comes from."""

from typing import Any

import keras
from keras import ops

from keras_devae.backend.replicas import with_dense_gradient
from keras_devae.checks import Tensor, at_least
from keras_devae.process.randomness import checked_seed


@keras.saving.register_keras_serializable(package="keras_devae")
class LayerEmbedding(keras.layers.Layer):
    """Appends the layer's learned vector to codes: `[z_i, v_i]` (DeVAE paper, equation 2).

    Args:
        num_layers: K, at least 1.
        seed: Integer seed of the initial vectors, or `None` (default) for a random one.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> ops.shape(LayerEmbedding(3, seed=0)(ops.ones((8, 10)), index=1))
        (8, 20)
    """

    def __init__(self, num_layers: int, seed: int | None = None, **kwargs: Any):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.num_layers = at_least("num_layers", num_layers, 1)
        self.seed = checked_seed(seed)

    def build(self, z_shape: tuple) -> None:
        """Creates `vectors`, `(K, latent_dim)`, initially standard normal."""
        shape = (self.num_layers, z_shape[-1])
        initializer = keras.initializers.RandomNormal(stddev=1.0, seed=self.seed)
        self.vectors = self.add_weight(shape, initializer, name="vectors")
        self.built = True

    def call(self, z: Tensor, index: Tensor | int) -> Tensor:
        """Appends the vectors.

        Args:
            z: Codes `(batch, latent_dim)`, or `(n, batch, latent_dim)` of n layers.
            index: An integer or integer scalar tensor, or an integer tensor `(n,)`.
        """
        vectors = ops.expand_dims(ops.take(with_dense_gradient(self.vectors), index, axis=0), -2)
        return ops.concatenate([z, ops.broadcast_to(vectors, ops.shape(z))], axis=-1)

    def compute_output_spec(self, z: Tensor, index: Tensor | int) -> keras.KerasTensor:
        """Returns the spec of the codes with the vectors appended."""
        del index
        return keras.KerasTensor((*z.shape[:-1], 2 * z.shape[-1]), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "num_layers": self.num_layers, "seed": self.seed}
