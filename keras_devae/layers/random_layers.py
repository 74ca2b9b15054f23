"""Layers that draw random numbers and save the state of their generators."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.backend.replicas import part_of_batch
from keras_devae.checks import Array, Tensor, at_least, finite_at_least
from keras_devae.errors import UsageError
from keras_devae.process.randomness import checked_seed

_STATE = "seed_generator_state"


def derived_seeds(seed: int | None, count: int, purpose: int = 0) -> list[int | None]:
    """Derives independent seeds from one.

    Args:
        seed: Integer seed, or `None`.
        count: Number of seeds.
        purpose: Integer that distinguishes one use from another; default 0.

    Returns:
        List of integers below 2^31, which every backend accepts. For `None`, a list of `None`:
        Keras then draws seeds that are determined by `keras.utils.set_random_seed`.
    """
    seed = checked_seed(seed)
    if seed is None:
        return [None] * count
    state = np.random.SeedSequence([seed, purpose]).generate_state(count)
    return [int(value) % 2**31 for value in state]


class SeededLayer(keras.layers.Layer):
    """Base of the layers that own a `keras.random.SeedGenerator`.

    Keras does not save the state of seed generators in `.keras` files; without that state, a
    resumed run would draw the random numbers of its start again.

    Args:
        seed: Integer seed, or `None` (default) for a random one.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> class Flip(SeededLayer):
        ...     def call(self, x):
        ...         return x * ops.sign(keras.random.normal(ops.shape(x), seed=self.seed_generator))
    """

    def __init__(self, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.seed = checked_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        # There is nothing to build, but Keras would use up a batch of data to find that out.
        self.built = True

    def save_own_variables(self, store: Any) -> None:
        """Writes the generator's state next to the layer's weights."""
        super().save_own_variables(store)
        store[_STATE] = ops.convert_to_numpy(self.seed_generator.state)

    def load_own_variables(self, store: Any) -> None:
        """Reads what `save_own_variables` wrote."""
        names = [name for name in store.keys() if name != _STATE]  # noqa: SIM118
        super().load_own_variables({name: store[name] for name in names})
        self.seed_generator.state.assign(store[_STATE])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "seed": self.seed}


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


@keras.saving.register_keras_serializable(package="keras_devae")
class GaussianSampling(SeededLayer):
    """Draws `z = mean + exp(log_var / 2) * noise`, noise ~ N(0, I) (Kingma & Welling 2014).

    Always computes in float32, whatever the dtype policy: in float16 the exponential overflows from
    a log-variance of 22, and the noise would not match the means' dtype on every backend.

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
        """Draws a float32 sample for each row of `(batch, latent_dim)`, also with a layer axis."""
        noise = part_of_batch(self._noise, ops.shape(mean), axis=len(mean.shape) - 2)
        return mean + ops.exp(0.5 * log_var) * noise

    def _noise(self, shape: tuple) -> Tensor:
        return keras.random.normal(shape, dtype="float32", seed=self.seed_generator)

    def compute_output_shape(self, mean_shape: tuple, log_var_shape: tuple) -> tuple:
        """Returns the shape of the means."""
        del log_var_shape
        return mean_shape


@keras.saving.register_keras_serializable(package="keras_devae")
class LayerDraw(SeededLayer):
    """Draws one of K latent layers with probability `p_i = s^i / sum_j s^j`.

    Uses `keras.random`, inside the compiled step: Python's or NumPy's generator would draw only
    once, when the step is traced, and every step would train the same layer.

    Args:
        num_layers: K, at least 1.
        weight_base: The `s` of the formula, at least 0. 1 (default) is uniform, 0 always draws
            layer 0.
        seed: Integer seed, or `None` (default) for a random one.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> LayerDraw(3, weight_base=0.5).probabilities
        array([0.57142857, 0.28571429, 0.14285714])
    """

    def __init__(
        self, num_layers: int, weight_base: float = 1.0, seed: int | None = None, **kwargs: Any
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
