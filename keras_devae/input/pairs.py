"""Batches of pairs of images for Keras's training loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_devae.checks import Array
from keras_devae.input.batches import Batches

if TYPE_CHECKING:
    from keras_devae.data import Dataset


class Pairs(Batches):
    """Batches of pairs of uint8 images of a data set, in an order that depends only on the seed.

    The first images of the pairs go through the data set as in `Batches`, so batch t is
    always the same, and a run that was interrupted after t steps continues with `start_step=t`.
    `dataset.pairs` makes them with partners that share factors.

    Args:
        dataset: A `keras_devae.data.Dataset`.
        partners: Called as `partners(rows, position)` with row numbers int64 `(n,)` and the
            position of the first in training, from 0; returns the row numbers `(n,)` of the second
            images.
        **options: Arguments of `Batches`. `batch_size` counts pairs, and resident batches are row
            numbers `(batch_size, 2)`.

    Example:
        >>> data = kd.data.load("shapes3d", image_size=32, source="rendered")
        >>> batches = Pairs(data, lambda rows, position: rows[::-1], batch_size=4, shuffle=False)
        >>> batches.indices(0)[0]
        array([0, 3])
        >>> batches[0][0].shape
        (4, 2, 32, 32, 3)
    """

    def __init__(
        self, dataset: Dataset, partners: Callable[[Array, int], Array], **options: Any
    ) -> None:
        super().__init__(dataset, **options)
        self.partners = partners

    def indices(self, step: int) -> Array:
        """Returns the rows of the pairs of a step, int64 `(batch_size, 2)`, see `Batches`."""
        rows = super().indices(step)
        return np.stack([rows, self.partners(rows, step * self.batch_size)], axis=1)

    def of_rows(self, rows: Array) -> Array:
        """Returns the pairs of rows `(n, 2)`.

        Returns:
            Uint8 images `(n, 2, height, width, channels)`; the rows, int32, if images are resident.
        """
        return _paired(super().of_rows(rows.reshape(-1)))

    def images(self, index: int) -> Array:
        """Returns the pairs of a batch of this epoch, even if batches are resident.

        Args:
            index: Number of the batch within the epoch, from 0.

        Returns:
            Uint8 array `(batch_size, 2, height, width, channels)`.
        """
        return _paired(self.dataset.images(self._rows_of(index).reshape(-1)))


def _paired(values: Array) -> Array:
    return values.reshape(-1, 2, *values.shape[1:])
