"""A layer that draws random numbers and carries the state of its generator through saving."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.process.randomness import checked_seed

_STATE = "seed_generator_state"


def derived_seeds(seed: int | None, count: int, purpose: int = 0) -> list[int | None]:
    """Derives independent seeds from one.

    Args:
        seed: Integer seed, or `None`.
        count: Number of seeds.
        purpose: Integer that distinguishes one use from another; default 0.

    Returns:
        List of integers below 2^31, which every backend takes. For `None`, a list of `None`, for
        which Keras draws seeds that follow from `keras.utils.set_random_seed`.
    """
    seed = checked_seed(seed)
    if seed is None:
        return [None] * count
    state = np.random.SeedSequence([seed, purpose]).generate_state(count)
    return [int(value) % 2**31 for value in state]


class SeededLayer(keras.layers.Layer):
    """Base of the layers that own a `keras.random.SeedGenerator`.

    Keras does not write the state of seed generators into `.keras` files; without it an interrupted
    run would draw its first random numbers again after it was resumed.

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
        # Nothing to build: Keras would otherwise use up a batch of data to find that out.
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
