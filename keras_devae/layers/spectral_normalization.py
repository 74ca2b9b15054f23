"""A layer whose kernel is divided by its largest singular value."""

from typing import Any

import keras
from keras import ops

from keras_devae.checks import Tensor
from keras_devae.process.randomness import checked_seed


@keras.saving.register_keras_serializable(package="keras_devae")
class SpectralNormalization(keras.layers.Wrapper):
    """Divides a layer's kernel by its spectral norm (Miyato et al. 2018).

    The norm is taken of the kernel as a matrix with a column for each output. One step of the power
    iteration estimates it in every call, and each call in training keeps the vector that the next
    one starts from. Gradients pass through the norm. In
    `keras.layers.SpectralNormalization`, training overwrites the kernel by the normalised one on
    some backends and leaves the stored kernel alone on others, so that they learn different things.

    Args:
        layer: A layer with a kernel, such as `keras.layers.Dense`.
        seed: Integer seed of the first vector, or `None` (default) for a random one.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> layer = SpectralNormalization(keras.layers.Dense(4), seed=0)
        >>> ops.shape(layer(ops.ones((2, 3))))
        (2, 4)
    """

    def __init__(self, layer: keras.layers.Layer, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.seed = checked_seed(seed)

    def build(self, input_shape: tuple) -> None:
        """Builds the layer, and the vector that the power iteration starts from."""
        super().build(input_shape)
        self.singular_vector = self.add_weight(
            (self.layer.kernel.shape[-1],),
            keras.initializers.RandomNormal(stddev=1.0, seed=self.seed),
            dtype="float32",
            trainable=False,
            autocast=False,
            # All devices compute the same vector.
            aggregation="mean",
            name="singular_vector",
        )

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Returns the layer's output with the normalised kernel."""
        # Keras lists the kernel first.
        kernel, *others = (variable.value for variable in self.layer.trainable_variables)
        state = [variable.value for variable in self.layer.non_trainable_variables]
        matrix = ops.cast(ops.reshape(kernel, (-1, kernel.shape[-1])), "float32")
        left = _normalized(ops.matmul(ops.stop_gradient(matrix), self.singular_vector.value))
        right = _normalized(ops.matmul(left, ops.stop_gradient(matrix)))
        norm = ops.sum(ops.matmul(left, matrix) * right)
        if training:
            self.singular_vector.assign(right)
        divided = ops.reshape(matrix / ops.maximum(norm, keras.config.epsilon()), kernel.shape)
        weights = [ops.cast(divided, kernel.dtype), *others]
        return self.layer.stateless_call(weights, state, inputs)[0]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Returns the shape of the layer's output."""
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "seed": self.seed}


def _normalized(vector):
    return ops.stop_gradient(vector / ops.maximum(ops.norm(vector), keras.config.epsilon()))
