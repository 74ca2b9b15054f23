"""Batches of a data set for Keras's training loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_devae.checks import Array, at_least, flag
from keras_devae.errors import UsageError, unknown_name
from keras_devae.input.shuffling import EndlessOrder

if TYPE_CHECKING:
    from keras_devae.data import Dataset


class Batches(keras.utils.PyDataset):
    """Batches of uint8 images of a data set, in an order that depends only on the seed.

    Shuffled batches go through an endless series of permutations of the data set. Batch t is always
    the same, whatever was requested before, on any backend and with any number of workers. A run
    that was interrupted after t steps continues with `start_step=t`. Unshuffled batches go through
    the rows in order, once per epoch.

    Rows that the data set reads together (its attribute `chunk_rows`) stay near each other, see
    `keras_devae.input.shuffling`.

    Args:
        dataset: A `keras_devae.data.Dataset`.
        batch_size: Number of images per batch; default 64.
        steps: Number of batches per epoch; default one pass over the data set. Each epoch continues
            where the previous one ended.
        seed: Whole number of at least 0, the seed of the order; default 0.
        start_step: Number of batches to skip at the start; default 0.
        shuffle: Whether to shuffle; default true.
        resident: Whether the batches are row numbers, int32 `(batch_size,)`. `fit` and `evaluate`
            of this package's models look these up among the images, which they keep on the device
            and which must fit there. The result of training is the same. Default false.
        **kwargs: `workers`, `use_multiprocessing`, `max_queue_size` of `keras.utils.PyDataset`.

    Raises:
        UsageError: If `batch_size` or `steps` is below 1, or `start_step` or `seed` below 0.

    Example:
        >>> images = np.zeros((100, 32, 32, 1), np.uint8)
        >>> images[::2] = 255
        >>> batches = Batches(kd.data.from_arrays(images), batch_size=16, steps=10)
        >>> len(batches), batches[0][0].shape
        (10, (16, 32, 32, 1))
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 64,
        steps: int | None = None,
        seed: int = 0,
        start_step: int = 0,
        shuffle: bool = True,
        resident: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**_checked_options(kwargs))
        if not (hasattr(dataset, "images") and hasattr(dataset, "__len__")):
            raise UsageError(
                "`dataset` must be a data set, e.g. from `keras_devae.data.load`. Received: a "
                f"value of type {type(dataset).__name__}."
            )
        self.dataset = dataset
        self.batch_size = at_least("batch_size", batch_size, 1)
        self.shuffle = flag("shuffle", shuffle)
        self.seed = at_least("seed", seed, 0)
        self.start_step = at_least("start_step", start_step, 0)
        self.resident = flag("resident", resident)
        self._epoch = 0
        self._within_epoch = False
        self._batches_of_a_pass = -(-len(dataset) // batch_size)
        self._steps = self._batches_of_a_pass if steps is None else at_least("steps", steps, 1)
        self._order = EndlessOrder(len(dataset), self.seed, getattr(dataset, "chunk_rows", 1))

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> tuple[Array]:
        return (self.of_rows(self._rows_of(index)),)

    def of_rows(self, rows: Array) -> Array:
        """Returns a batch of the data set's rows, int64 `(n,)`.

        Returns:
            Uint8 images `(n, height, width, channels)`; the rows, int32, if images are resident.
        """
        return rows.astype(np.int32) if self.resident else self.dataset.images(rows)

    def images(self, index: int) -> Array:
        """Returns the images of a batch of this epoch, even if batches are resident.

        Args:
            index: Number of the batch within the epoch, from 0.

        Returns:
            Uint8 array `(batch_size, height, width, channels)`.
        """
        return self.dataset.images(self._rows_of(index))

    def _rows_of(self, index: int) -> Array:
        return self.indices(self.next_step + index)

    @property
    def next_step(self) -> int:
        """Number of the first batch of this epoch, counted from the beginning of training."""
        return self.start_step + self._epoch * self._steps

    def on_epoch_begin(self) -> None:
        """Begins an epoch; an interrupted one counts as ended."""
        self.on_epoch_end()
        self._within_epoch = True

    def on_epoch_end(self) -> None:
        """Moves on to the batches of the next epoch.

        Keras also calls this before the first epoch. Its threads fetch batches during
        `on_epoch_begin`, and are idle during this call.
        """
        self._epoch += self._within_epoch
        self._within_epoch = False

    def indices(self, step: int) -> Array:
        """Returns the rows of the batch of a step.

        Args:
            step: Number of the batch, counted from the beginning of training, from 0.

        Returns:
            Int64 array `(batch_size,)`; only the last batch of an unshuffled pass may be shorter.
        """
        if not self.shuffle:
            first = step % self._batches_of_a_pass * self.batch_size
            return np.arange(first, min(first + self.batch_size, len(self.dataset)), dtype=np.int64)
        first = step * self.batch_size
        return self._order(np.arange(first, first + self.batch_size, dtype=np.int64))


def _checked_options(options: dict[str, Any]) -> dict[str, Any]:
    """Checks and returns options of `keras.utils.PyDataset`."""
    checks = {
        "workers": lambda name, value: at_least(name, value, 0),
        "use_multiprocessing": flag,
        "max_queue_size": lambda name, value: at_least(name, value, 1),
    }
    for name, value in options.items():
        if name not in checks:
            raise unknown_name("option of batches", name, checks)
        checks[name](name, value)
    return options
