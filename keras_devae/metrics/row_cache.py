"""Values of a table's rows, each computed once: the one cache of codes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from keras_devae.checks import Array


class RowCache:
    """Keeps arrays by row number of a table.

    `stored` has, by name, the values of the rows kept, in the order they were added, and their
    numbers as `"rows"`. It is empty at first.
    """

    def __init__(self, row_count: int):
        self.stored: dict[str, Array] = {}
        self._places = np.full(row_count, -1, np.int64)

    def missing(self, rows: Array, chunk: int) -> list[Array]:
        """Returns the rows that are not kept yet, in order and in chunks, for rows of any shape."""
        wanted = np.zeros(len(self._places), bool)
        wanted[np.ravel(rows)] = True
        new = np.flatnonzero(wanted & (self._places < 0))
        return [new[start : start + chunk] for start in range(0, len(new), chunk)]

    def add(self, parts: Iterable[dict[str, Array]]) -> None:
        """Adds arrays of rows that are not kept yet, among them `"rows"`, their numbers."""
        parts = [self.stored, *parts] if self.stored else list(parts)
        if parts:
            self.stored = {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}
            self._places[self.stored["rows"]] = np.arange(len(self.stored["rows"]))

    def take(self, name: str, rows: Array) -> Array:
        """Returns the values of rows of any shape, `(*rows.shape, ...)`, that are all kept."""
        return self.stored[name][self._places[rows]]
