"""Networks in which each output depends on some of the inputs only: MADE."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.checks import Array, Tensor, at_least, flag, widths
from keras_devae.errors import UsageError
from keras_devae.layers.random_layers import derived_seeds
from keras_devae.process.randomness import checked_seed


@keras.saving.register_keras_serializable(package="keras_devae")
class MaskedDense(keras.layers.Layer):
    """A dense layer whose output j sees input i only if the degree of j allows it.

    Computes `x (kernel * mask) + bias`, with mask 1 where the output's degree is at least the
    input's (or above it, if `strict`), else 0.

    Args:
        input_degrees: Degree of each input, whole numbers `(inputs,)`.
        output_degrees: Degree of each output, whole numbers `(outputs,)`.
        strict: Whether an output needs a higher degree than an input to see it; default false.
        seed: Integer seed of the Glorot-uniform kernel, or `None` (default) for a random one.
        **kwargs: Arguments of `keras.layers.Layer`; the dtype is float32 by default.

    Raises:
        UsageError: If there are no degrees, or they are no whole numbers.

    Example:
        >>> dense = MaskedDense((1, 2), (1, 2), strict=True)
        >>> dense.mask
        array([[0., 1.],
               [0., 0.]], dtype=float32)
    """

    def __init__(
        self,
        input_degrees: Sequence[int],
        output_degrees: Sequence[int],
        strict: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.input_degrees = _checked_degrees("input_degrees", input_degrees)
        self.output_degrees = _checked_degrees("output_degrees", output_degrees)
        self.strict, self.seed = flag("strict", strict), checked_seed(seed)

    @property
    def mask(self) -> Array:
        """The mask, NumPy float32 `(inputs, outputs)`."""
        inputs, outputs = np.array(self.input_degrees)[:, None], np.array(self.output_degrees)
        seen = outputs > inputs if self.strict else outputs >= inputs
        return seen.astype(np.float32)

    def build(self, input_shape: tuple) -> None:
        """Creates `kernel`, `(inputs, outputs)`, and `bias`, `(outputs,)`."""
        del input_shape
        shape = (len(self.input_degrees), len(self.output_degrees))
        glorot = keras.initializers.GlorotUniform(self.seed)
        self.kernel = self.add_weight(shape, glorot, name="kernel")
        self.bias = self.add_weight(shape[1:], "zeros", name="bias")
        self.built = True

    def call(self, x: Tensor) -> Tensor:
        """Maps `(..., inputs)` to `(..., outputs)`."""
        mask = ops.convert_to_tensor(self.mask, dtype=self.compute_dtype)
        return ops.matmul(x, self.kernel * mask) + self.bias

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {
            "input_degrees": list(self.input_degrees),
            "output_degrees": list(self.output_degrees),
            "strict": self.strict,
            "seed": self.seed,
        }
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="keras_devae")
class MADE(keras.layers.Layer):
    """Masked autoencoder for distribution estimation (Germain et al. 2015), with a context.

    A dense network of which the outputs for dimension i depend on the context and on the dimensions
    before i only, or on those after i if `reverse`. As in inverse autoregressive flows (Kingma et
    al. 2016), the context is added to the first hidden layer, and the hidden layers have ELUs.

    Hidden units have the degrees 0 to `latent_dim - 1` in equal shares. Those of degree 0 see the
    context alone, so the first dimension's outputs depend on it too.

    Args:
        latent_dim: Number of dimensions.
        units: Widths of the hidden layers; default `(128, 128, 128)`. The context is as wide as the
            first of them.
        num_outputs: Number of outputs for each dimension; default 2.
        reverse: Whether the order of the dimensions is reversed; default false.
        seed: Integer seed of the initial weights, or `None` (default) for random ones.
        **kwargs: Arguments of `keras.layers.Layer`; the dtype is float32 by default.

    Raises:
        UsageError: If a number or a width is below 1.

    Example:
        >>> made = MADE(10, units=(32, 32))
        >>> outputs = made(ops.zeros((8, 10)), ops.zeros((8, 32)))
        >>> ops.shape(outputs)  # outputs, images, dimensions
        (2, 8, 10)
    """

    def __init__(
        self,
        latent_dim: int,
        units: Sequence[int] = (128, 128, 128),
        num_outputs: int = 2,
        reverse: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.latent_dim = at_least("latent_dim", latent_dim, 1)
        self.units = widths("units", units)
        self.num_outputs = at_least("num_outputs", num_outputs, 1)
        self.reverse, self.seed = flag("reverse", reverse), checked_seed(seed)
        self.hidden = []
        seeds = derived_seeds(self.seed, len(self.units) + 1, purpose=6)
        # Dimensions have the degrees 1, 2, ..., in their order.
        first = degrees = np.arange(1, latent_dim + 1)[:: -1 if reverse else 1]
        for i, width in enumerate(self.units):
            below, degrees = degrees, np.arange(width) * latent_dim // width
            between = below.tolist(), degrees.tolist()
            self.hidden.append(MaskedDense(*between, seed=seeds[i], name=f"hidden_{i}"))
        between = degrees.tolist(), np.tile(first, num_outputs).tolist()
        self.outputs_of = MaskedDense(*between, True, seeds[-1], name="outputs")

    def build(self, *shapes: Any) -> None:
        """Creates the weights of all layers."""
        del shapes
        for layer in (*self.hidden, self.outputs_of):
            layer.build((None, len(layer.input_degrees)))
        self.built = True

    def call(self, z: Tensor, context: Tensor) -> Tensor:
        """Computes the outputs of each dimension.

        Args:
            z: `(..., batch, latent_dim)`.
            context: `(batch, units[0])`.

        Returns:
            Tensor `(num_outputs, ..., batch, latent_dim)`.
        """
        x = self.hidden[0](z) + ops.cast(context, self.compute_dtype)
        for layer in self.hidden[1:]:
            x = layer(ops.elu(x))
        return ops.stack(ops.split(self.outputs_of(ops.elu(x)), self.num_outputs, axis=-1))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        own = {
            "latent_dim": self.latent_dim,
            "units": list(self.units),
            "num_outputs": self.num_outputs,
            "reverse": self.reverse,
            "seed": self.seed,
        }
        return {**super().get_config(), **own}


def _checked_degrees(name, degrees):
    """Checks degrees, whole numbers, and returns them as a tuple."""
    array = np.asarray(degrees)
    if array.ndim != 1 or not len(array) or not np.issubdtype(array.dtype, np.integer):
        raise UsageError(f"`{name}` must be a list of whole numbers. Received: {degrees!r}.")
    return tuple(map(int, array))
