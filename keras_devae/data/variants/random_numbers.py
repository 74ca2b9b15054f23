"""Random numbers that depend only on a seed and a row, and draws of rows made with them."""

import numpy as np

from keras_devae.checks import Array, at_least
from keras_devae.errors import UsageError

# Second words of the keys, which make draws with one seed independent.
SUBSET, CORRELATED, COLOUR, NOISE, BACKGROUND, VALIDATION, PAIRS = range(1, 8)
_LARGEST_WORD = 2**64 - 1


def checked_seed(seed: int) -> int:
    """Returns a seed if it can be a key of random numbers; raises `UsageError` otherwise."""
    if at_least("seed", seed, 0) > _LARGEST_WORD:
        raise UsageError(f"`seed` must be below 2**64. Received: {seed}.")
    return int(seed)


def random_words(key: tuple[int, int], count: int, row: int = 0, start: int = 0) -> Array:
    """Returns `count` uint64 random numbers that depend only on the key and the row.

    The first `4 * start` numbers are left out.

    They are the raw output of Philox (Salmon et al., 2011, "Parallel Random Numbers: As Easy as 1,
    2, 3"), which NumPy promises never to change, unlike the numbers of its `Generator`. `key` holds
    a seed and a number for the purpose.
    """
    counter = np.array([start, 0, row, 0], np.uint64)
    return np.random.Philox(key=np.array(key, np.uint64), counter=counter).random_raw(count)


def uniform(words: Array) -> Array:
    """Returns a float64 in [0, 1) for each uint64, made from its upper 53 bits."""
    return (words >> np.uint64(11)) * 2.0**-53


def shuffled_rows(length: int, key: tuple[int, int]) -> Array:
    """Returns the row numbers `0..length-1` in random order, as int64."""
    return np.argsort(random_words(key, length), kind="stable")


def drawn_rows(weights: Array, length: int, key: tuple[int, int]) -> Array:
    """Draws rows with given weights, none negative and not all 0, by systematic resampling.

    Returns int64 row numbers in ascending order; row `i` occurs
    `length * weights[i] / sum(weights)` times, rounded down or up.
    """
    # Without the shuffle, equally spaced draws would keep step with the factors of a grid: at 1.5
    # draws per row, every other value of the last factor would occur twice as often.
    order = shuffled_rows(len(weights), key)
    edges = np.cumsum(weights[order])
    edges *= length / edges[-1]
    start = uniform(random_words(key, 1, row=1))[0]
    upto = np.clip(np.ceil(edges - start), 0, length).astype(np.int64)
    # Rounding errors of the sum must not lose the last draw.
    upto[-1] = length
    counts = np.empty(len(weights), np.int64)
    counts[order] = np.diff(upto, prepend=0)
    return np.repeat(np.arange(len(weights)), counts)
