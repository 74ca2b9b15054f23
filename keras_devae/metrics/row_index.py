"""Finds rows of a labelled table by what their factors have in common."""

from __future__ import annotations

import abc
import math
from typing import NamedTuple

import numpy as np

from keras_devae.checks import Array


class Pairs(NamedTuple):
    """Row numbers `(n,)` of both members of pairs."""

    first: Array
    second: Array


class FactorIndex(abc.ABC):
    """Finds rows of a labelled table that share the value of a factor."""

    def __init__(self, row_count: int, factor_count: int):
        self.row_count, self.factor_count = row_count, factor_count

    def draw(self, rng: np.random.Generator, shape: int | tuple[int, ...]) -> Array:
        """Draws rows uniformly, with repetition."""
        return rng.integers(self.row_count, size=shape)

    def draw_sharing(
        self, rng: np.random.Generator, rows: Array, factors: Array, count: int
    ) -> Array:
        """Draws, for each row, `count` others that share the value of one factor with it.

        The rows, and the numbers of the factor that each of them shares, are `(m,)`; the result is
        int64 `(m, count)`, with repetition, and may have the rows themselves among them.
        """
        drawn = np.empty((len(rows), count), np.int64)
        for factor in range(self.factor_count):
            chosen = np.flatnonzero(factors == factor)
            drawn[chosen] = self._draw_sharing(rng, rows[chosen], factor, count)
        return drawn

    @abc.abstractmethod
    def _draw_sharing(
        self, rng: np.random.Generator, rows: Array, factor: int, count: int
    ) -> Array:
        """Does the same for rows that all share the same factor."""

    @abc.abstractmethod
    def draw_pairs(self, rng: np.random.Generator, factor: int, count: int) -> Pairs:
        """Draws pairs of rows that differ in one factor and share all others, with repetition.

        The first of each is drawn from all rows that have a partner, the second from the partners.
        Without any there are no pairs.
        """


class TableIndex(FactorIndex):
    """The index of any table: it may lack combinations of factors, or have some several times."""

    def __init__(self, factors: Array):
        super().__init__(*factors.shape)
        self._factors = factors
        self._columns = [_IndexedColumn(column) for column in factors.T]

    def _draw_sharing(self, rng, rows, factor, count):
        return self._columns[factor].draw_sharing(rng, rows, count)

    def draw_pairs(self, rng: np.random.Generator, factor: int, count: int) -> Pairs:
        """Draws pairs of rows that differ in one factor and share all others, with repetition."""
        others = _combined(np.delete(self._factors, factor, axis=1))
        order = np.lexsort((self._factors[:, factor], others))
        group = _Runs(others[order])
        # Within its group, a row's partners are all but those with its own value.
        equal = _Runs(others[order], self._factors[order, factor])
        partners = group.sizes - equal.sizes
        with_partner = np.flatnonzero(partners)
        if not len(with_partner):
            return Pairs(with_partner, with_partner)
        first = with_partner[rng.integers(len(with_partner), size=count)]
        second = group.starts[first] + rng.integers(partners[first])
        second += np.where(second >= equal.starts[first], equal.sizes[first], 0)
        return Pairs(order[first], order[second])


class GridIndex(FactorIndex):
    """The index of a table that lists all combinations of factors in C order."""

    def __init__(self, sizes: tuple[int, ...]):
        super().__init__(math.prod(sizes), len(sizes))
        self._sizes = sizes
        self._strides = [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]

    def _draw_sharing(self, rng, rows, factor, count):
        size, stride = self._sizes[factor], self._strides[factor]
        drawn = self.draw(rng, (len(rows), count))
        # All of a row drawn at random stays, but for the one factor.
        drawn += ((rows // stride % size)[:, None] - drawn // stride % size) * stride
        return drawn

    def draw_pairs(self, rng: np.random.Generator, factor: int, count: int) -> Pairs:
        """Draws pairs of rows that differ in one factor and share all others, with repetition."""
        size, stride = self._sizes[factor], self._strides[factor]
        if size == 1:
            return Pairs(np.empty(0, np.int64), np.empty(0, np.int64))
        first = self.draw(rng, count)
        value = first // stride % size
        other = (value + rng.integers(1, size, size=count)) % size
        return Pairs(first, first + (other - value) * stride)


def factor_index(factors: Array) -> FactorIndex:
    """Makes the index of a table of int64 factors `(n, f)`; a grid's costs nothing."""
    sizes = tuple(int(largest) + 1 for largest in factors.max(axis=0))
    if factors.min() == 0 and math.prod(sizes) == len(factors) and _is_grid(factors, sizes):
        return GridIndex(sizes)
    return TableIndex(factors)


def _is_grid(factors: Array, sizes: tuple[int, ...]) -> bool:
    for axis, size in enumerate(sizes):
        values = np.arange(size).reshape((-1,) + (1,) * (len(sizes) - axis - 1))
        if not np.array_equal(factors[:, axis].reshape(sizes), np.broadcast_to(values, sizes)):
            return False
    return True


class _IndexedColumn:
    """The rows of a table ordered by one factor."""

    def __init__(self, column: Array):
        low, high = column.min(), column.max()
        # Sorting short integers takes a fraction of the time.
        span = int(high) - int(low)
        if span < np.iinfo(np.uint16).max:
            self._labels = (column - low).astype(np.min_scalar_type(span))
        else:
            self._labels = np.unique(column, return_inverse=True)[1]
        self._order = np.argsort(self._labels, kind="stable")
        self._counts = np.bincount(self._labels)
        self._starts = np.cumsum(self._counts) - self._counts

    def draw_sharing(self, rng: np.random.Generator, rows: Array, count: int) -> Array:
        """Draws, for each of `(m,)` rows, `count` rows with its value, int64 `(m, count)`."""
        labels = self._labels[rows][:, None]
        places = (rng.random((len(rows), count)) * self._counts[labels]).astype(np.int64)
        return self._order[self._starts[labels] + places]


class _Runs:
    """The runs of equal values in columns: where the run of each row starts, and its size."""

    def __init__(self, *columns: Array):
        changes = np.any([column[1:] != column[:-1] for column in columns], axis=0)
        firsts = np.flatnonzero(np.concatenate([[True], changes]))
        sizes = np.diff(firsts, append=len(columns[0]))
        self.starts, self.sizes = np.repeat(firsts, sizes), np.repeat(sizes, sizes)


def _combined(columns: Array) -> Array:
    """Numbers the different rows of whole numbers `(n, k)`: int64 `(n,)`."""
    combined = np.zeros(len(columns), np.int64)
    for column in columns.T:
        labels = np.unique(column, return_inverse=True)[1]
        # Numbered anew for each column, so that the products stay small.
        combined = np.unique(combined * (labels.max() + 1) + labels, return_inverse=True)[1]
    return combined
