"""The order of shuffled batches, computed position by position without storing permutations."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_devae.checks import Array

#: Number of neighbouring blocks among which rows are shuffled, if a data set has blocks.
WINDOW = 8
#: Half rounds of a permutation; the smallest halves (2 and 3 values) need this many to look random.
ROUNDS = 12
_MULTIPLIER = np.uint64(0xD6E8FEB86659FD93)  # From Pelle Evensen's rrmxmx mixer; odd.
_SHIFT = np.uint64(32)


class Permutation:
    """A pseudo-random permutation of `range(size)` that computes any of its values directly.

    A Feistel network with keyed round functions permutes the numbers below `high * low`, the
    smallest product of two nearly equal sides that reaches `size`. A result of `size` or more is
    permuted again until it is below; since the product exceeds `size` by less than `sqrt(size) +
    1`, that is rare. Memory and time depend only on the number of positions.

    The keys come from `numpy.random.SeedSequence`, whose results NumPy promises not to change.

    Args:
        size: Number of values, at least 1.
        seed: Whole number of at least 0.
        number: Whole number of at least 0 that distinguishes permutations of one seed.
        part: Further such numbers; default none.

    Example:
        >>> Permutation(5, seed=0, number=0)(np.arange(5))
        array([3, 0, 1, 2, 4])
    """

    def __init__(self, size: int, seed: int, number: int, part: tuple[int, ...] = ()):
        self.size = size
        high = math.isqrt(size - 1) + 1
        self._sides = np.uint64(high), np.uint64(-(-size // high))
        sequence = np.random.SeedSequence([seed, number], spawn_key=part)
        self._keys = sequence.generate_state(2 * ROUNDS, np.uint64).reshape(ROUNDS, 2)

    def __call__(self, positions: Any) -> Array:
        """Returns the values at some positions.

        Args:
            positions: Integers in `[0, size)`, `(n,)`.

        Returns:
            Int64 array `(n,)`.
        """
        values = self._permute(np.asarray(positions).astype(np.uint64))
        beyond = np.flatnonzero(values >= self.size)
        while len(beyond):
            values[beyond] = self._permute(values[beyond])
            beyond = beyond[values[beyond] >= self.size]
        return values.astype(np.int64)

    def _permute(self, values: Array) -> Array:
        high, low = np.divmod(values, self._sides[1])
        changing, fixed = high, low
        side, other_side = self._sides
        for key in self._keys:
            changing = (changing + _mixed(fixed, key) % side) % side
            changing, fixed = fixed, changing
            side, other_side = other_side, side
        # An even number of rounds leaves each half in its place.
        return changing * self._sides[1] + fixed


def _mixed(values: Array, key: Array) -> Array:
    """Returns 32 random-looking bits for each number, as uint64."""
    mixed = (values ^ key[0]) * _MULTIPLIER
    mixed = (mixed ^ (mixed >> _SHIFT) ^ key[1]) * _MULTIPLIER
    mixed = (mixed ^ (mixed >> _SHIFT)) * _MULTIPLIER
    return mixed >> _SHIFT


class EndlessOrder:
    """An endless sequence of a data set's rows, in one random order after another.

    Each pass contains every row once, in a different order. If neighbouring rows are read together,
    as from a file of compressed chunks, whole blocks are shuffled, and rows only within windows of
    `WINDOW` blocks, so that one pass reads each block about once.

    Args:
        size: Number of rows, at least 1.
        seed: Whole number of at least 0.
        chunk_rows: Number of rows per block; default 1, which shuffles rows freely.

    Example:
        >>> order = EndlessOrder(5, seed=0)
        >>> sorted(order(np.arange(5))) == sorted(order(np.arange(5, 10)))
        True
    """

    def __init__(self, size: int, seed: int, chunk_rows: int = 1):
        self.size = size
        self.seed = seed
        self.chunk_rows = min(chunk_rows, size)

    def __call__(self, positions: Array) -> Array:
        """Returns the rows at some positions.

        Args:
            positions: Whole numbers of at least 0, int64 `(n,)` with n at least 1; pass p fills the
                positions from `p * size` on.

        Returns:
            Int64 array `(n,)`.
        """
        numbers, within = np.divmod(positions, self.size)
        order = self._rows if self.chunk_rows == 1 else self._rows_of_blocks
        return _by_group(numbers, within, order)

    def _rows(self, number: int, positions: Array) -> Array:
        return Permutation(self.size, self.seed, number)(positions)

    def _rows_of_blocks(self, number: int, positions: Array) -> Array:
        """Shuffles the positions within each window, then the blocks that they fall into."""
        length = WINDOW * self.chunk_rows

        def shuffled(window: int, offsets: Array) -> Array:
            size = min(length, self.size - window * length)
            inside = Permutation(size, self.seed, number, part=(window,))
            return window * length + inside(offsets)

        return self._blocks(number, _by_group(*np.divmod(positions, length), shuffled))

    def _blocks(self, number: int, positions: Array) -> Array:
        """Shuffles the whole blocks, with the remaining rows somewhere in between."""
        blocks, rest = divmod(self.size, self.chunk_rows)
        permutation = Permutation(blocks, self.seed, number)
        place = Permutation(blocks + 1, self.seed, number, part=(0, 0))([0])[0]
        start = place * self.chunk_rows
        in_rest = (positions >= start) & (positions < start + rest)
        # Positions after the rest move up, as if the rest did not exist.
        whole = np.where(in_rest, 0, positions - rest * (positions >= start + rest))
        slots, offsets = np.divmod(whole, self.chunk_rows)
        rows = permutation(slots) * self.chunk_rows + offsets
        return np.where(in_rest, blocks * self.chunk_rows + positions - start, rows)


def _by_group(groups: Array, values: Array, function: Callable[[int, Array], Array]) -> Array:
    """Returns `function(group, values of the group)` for all groups, in the order of the values."""
    result = np.empty_like(values)
    for group in np.unique(groups):
        chosen = groups == group
        result[chosen] = function(int(group), values[chosen])
    return result
