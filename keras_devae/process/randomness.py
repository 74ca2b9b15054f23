"""Random numbers on the host, which depend on Keras's global seed if no seed is given."""

import random

import numpy as np

from keras_devae.errors import UsageError

#: Seeds are below this, as every backend and NumPy's global generator require.
SEED_LIMIT = 2**32


def checked_seed(seed: int | None, name: str = "seed") -> int | None:
    """Checks a seed and returns it as a plain integer, or `None`.

    Raises:
        UsageError: If it is neither `None` nor a whole number from 0 to 4,294,967,295; the message
            calls the argument `name`.
    """
    if seed is None:
        return None
    whole = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < SEED_LIMIT:
        raise UsageError(
            f"`{name}` must be a whole number from 0 to {SEED_LIMIT - 1}, or None for a random "
            f"one. Received: {seed!r}."
        )
    return int(seed)


def random_generator(seed: int | None = None) -> np.random.Generator:
    """Creates a NumPy random generator.

    Args:
        seed: Whole number of at least 0. If `None` (default), Python's `random` draws one, as for
            Keras's own layers, so that `keras.utils.set_random_seed` determines it.

    Raises:
        UsageError: See `checked_seed`.
    """
    seed = checked_seed(seed)
    return np.random.default_rng(random.getrandbits(32) if seed is None else seed)
