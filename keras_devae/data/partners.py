"""Chooses for an image another one that differs from it in a few factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_devae.checks import Array, at_least, shown
from keras_devae.data.factor_grid import FactorGrid, ranks
from keras_devae.data.variants.random_numbers import PAIRS, random_words, uniform
from keras_devae.errors import UsageError

if TYPE_CHECKING:
    from keras_devae.data.dataset import Dataset
    from keras_devae.input.pairs import Pairs

#: Draws of the factors that change, where some combinations of factors are missing.
_ATTEMPTS = 32
#: Rows among which the nearest is taken after that; all rows, if there are no more.
_COMPARED = 4096
#: How many words NumPy's Philox computes at a time.
_BLOCK = 4


class Partners:
    """Chooses partners for rows of a data set: rows that differ in `changed_factors` factors.

    Which factors change, and their new values, are drawn uniformly, depending only on the seed and
    the position of the pair in training. Where the data set has no such row, even after several
    draws, the partner is a row that differs in the fewest factors; of large data sets, of 4,096
    rows drawn at random. Factors are compared by their whole numbers: continuous ones by bin.

    Args:
        dataset: A data set with factors.
        changed_factors: Number of factors that differ, or `"random"`: one in half of the pairs, in
            the others any number such that a factor is shared.
        seed: Whole number of at least 0.

    Raises:
        UsageError: If the data set has no factors, or fewer that vary than `changed_factors` + 1.

    Example:
        >>> dataset = kd.data.load("shapes3d", source="rendered")
        >>> rows = Partners(dataset, changed_factors=2, seed=0)([0, 1, 2], position=0)
        >>> (dataset.factors(rows) != dataset.factors([0, 1, 2])).sum(axis=1)
        array([2, 2, 2])
    """

    def __init__(self, dataset: Dataset, changed_factors: int | str, seed: int) -> None:
        self._places = check_pairs(dataset, changed_factors)
        self._changed_factors = checked_count("changed_factors", changed_factors)
        grid: FactorGrid | None = dataset.grid
        self._table = _Table(dataset) if grid is None else _Grid(grid)
        self._key = (at_least("seed", seed, 0), PAIRS)

    def __call__(self, rows: Any, position: int) -> Array:
        """Returns the partners of rows.

        Args:
            rows: Row numbers, int64 `(n,)`, the first images of pairs.
            position: Position of the first of them in training; the others follow it.

        Returns:
            Row numbers, int64 `(n,)`.
        """
        rows = np.asarray(rows, np.int64)
        values = self._table.values(rows)
        partners = np.full(len(rows), -1)
        for attempt in range(_ATTEMPTS):
            (missing,) = np.nonzero(partners < 0)
            if not len(missing):
                break
            words = self._words(len(rows), position, attempt)[missing]
            changed = self._changed(values[missing], words)
            partners[missing] = self._table.rows_with(changed, words[:, 0])
        for i in np.flatnonzero(partners < 0):
            key, start = self._key, (position + int(i)) * _COMPARED // _BLOCK
            words = random_words(key, _COMPARED, row=_ATTEMPTS, start=start)
            partners[i] = self._table.nearest(values[i], words)
        return partners

    def _words(self, count: int, position: int, attempt: int) -> Array:
        """Returns random words `(count, 3 + 2 * varying factors)` for positions in training."""
        width = -(-(3 + 2 * len(self._places)) // _BLOCK) * _BLOCK
        start = position * width // _BLOCK
        words = random_words(self._key, count * width, row=attempt, start=start)
        return words.reshape(count, width)

    def _changed(self, values: Array, words: Array) -> Array:
        """Gives some of the factors of each row other values."""
        varying = len(self._places)
        # The first word is for choosing among rows with equal factors.
        numbers, order, drawn = np.split(words[:, 1:], [2, 2 + varying], axis=1)
        counts = self._counts(uniform(numbers))
        changes = np.argsort(np.argsort(order, axis=1), axis=1) < counts[:, None]
        old = values[:, self._places]
        others = self._table.sizes[self._places] - 1
        new = (uniform(drawn[:, :varying]) * others).astype(old.dtype)
        new += new >= old
        values = values.copy()
        values[:, self._places] = np.where(changes, new, old)
        return values

    def _counts(self, numbers: Array) -> Array:
        """Returns how many factors change, from two uniform numbers for each pair."""
        if isinstance(self._changed_factors, int):
            return np.full(len(numbers), self._changed_factors)
        most = len(self._places) - 1
        return np.where(numbers[:, 0] < 0.5, 1, 1 + (numbers[:, 1] * most).astype(int))


def batches_of_pairs(
    dataset: Dataset, changed_factors: int | str = 1, seed: int = 0, **options: Any
) -> Pairs:
    """Returns pairs of a data set's images with `Partners`, see `Dataset.pairs`."""
    # Imported here because it needs Keras.
    from keras_devae.input.pairs import Pairs

    return Pairs(dataset, Partners(dataset, changed_factors, seed), seed=seed, **options)


class _Grid:
    """All combinations of factors, none of which has to be stored."""

    def __init__(self, grid: FactorGrid) -> None:
        self._grid = grid
        self.sizes = np.array(grid.sizes)

    def values(self, rows: Array) -> Array:
        """Returns the factors of rows."""
        return self._grid.factors(rows)

    def rows_with(self, values: Array, words: Array) -> Array:
        """Returns the row with each of some values."""
        return self._grid.indices(values)

    def nearest(self, values: Array, words: Array) -> int:
        """Is never asked for, as no row is missing."""
        raise AssertionError("A grid has a row for all values.")


class _Table:
    """The factors of all rows of a data set, in which some combinations are missing or repeated.

    Rows are found by a hash of their factors. Each factor is numbered by its values that occur.
    """

    def __init__(self, dataset: Dataset) -> None:
        numbers = ranks(dataset.factors(np.arange(len(dataset))))
        self.sizes = numbers.max(axis=0) + 1
        self._values = numbers.astype(np.int32)
        self._multipliers = random_words((0, PAIRS), numbers.shape[1]) | np.uint64(1)
        hashes = self._hashes(self._values)
        self._order = np.argsort(hashes, kind="stable")
        self._hashes_in_order = hashes[self._order]

    def _hashes(self, values: Array) -> Array:
        return (values.astype(np.uint64) * self._multipliers).sum(axis=1, dtype=np.uint64)

    def values(self, rows: Array) -> Array:
        """Returns the factors of rows, as numbers of the values that occur."""
        return self._values[rows]

    def rows_with(self, values: Array, words: Array) -> Array:
        """Returns a row with each of some values, drawn by a word if there are several, or -1."""
        hashes = self._hashes(values)
        first, end = (
            np.searchsorted(self._hashes_in_order, hashes, side=side) for side in ("left", "right")
        )
        place = first + (uniform(words) * (end - first)).astype(np.int64)
        rows = self._order[np.minimum(place, len(self._order) - 1)]
        is_there = (end > first) & (self._values[rows] == values).all(axis=1)
        return np.where(is_there, rows, -1)

    def nearest(self, values: Array, words: Array) -> int:
        """Returns a row that differs in the fewest factors, but in one at least."""
        rows, count = np.arange(len(self._values)), len(self._values)
        if count > len(words):
            drawn = (uniform(words) * count).astype(np.int64)
            # Only where nearly all rows are alike do those drawn not differ.
            rows = drawn if (self._values[drawn] != values).any() else rows
        differences = (self._values[rows] != values).sum(axis=1)
        fewest = differences[differences > 0].min()
        (nearest,) = np.nonzero(differences == fewest)
        return int(rows[nearest[int(words[0] % np.uint64(len(nearest)))]])


def checked_count(name: str, value: int | str) -> int | str:
    """Checks and returns a number of factors, at least 1 and perhaps as text, or `"random"`."""
    if isinstance(value, str):
        if value == "random":
            return value
        if not value.isdecimal():
            raise UsageError(
                f"`{name}` must be a whole number or 'random'. Received: {shown(value, str)}."
            )
        value = int(value)
    return int(at_least(name, value, 1))


def check_pairs(dataset: Any, changed_factors: int | str) -> Sequence[int]:
    """Returns the places of the factors that vary in a data set, if pairs can be drawn from it.

    Raises:
        UsageError: If it has no factors, or too few that vary for `changed_factors`.
    """
    if getattr(dataset, "factor_names", None) is None:
        name = getattr(dataset, "name", None)
        what = f"Data set {name!r}" if name else f"This {type(dataset).__name__}"
        raise UsageError(
            f"{what} has no factors, by which pairs of images that share some are drawn. Give its "
            "factors, or pass pairs as an array (n, 2, height, width, channels)."
        )
    sizes = _sizes(dataset)
    places = [place for place, size in enumerate(sizes) if size > 1]
    if len(places) < 2:
        raise UsageError(
            "Pairs differ in some factors and share others, so two factors at least must vary. "
            f"Received: {dataset.description}, in which "
            f"{f'only {dataset.factor_names[places[0]]} varies' if places else 'none varies'}."
        )
    count = checked_count("changed_factors", changed_factors)
    if isinstance(count, int) and count >= len(places):
        raise UsageError(
            f"`changed_factors` must be at most {len(places) - 1}, so that pairs share one of the "
            f"{len(places)} factors that vary in {dataset.description}. Received: {count}."
        )
    return places


def _sizes(dataset: Dataset) -> Sequence[int]:
    """Returns how many values of each factor occur."""
    if dataset.grid is not None:
        return dataset.grid.sizes
    factors = dataset.factors(np.arange(len(dataset)))
    return [len(np.unique(column)) for column in factors.T]
