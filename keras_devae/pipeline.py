"""Batches of a data set, as Keras's training loop takes them."""

import keras
import numpy as np

from keras_devae.checks import at_least


class Batches(keras.utils.PyDataset):
    """Batches of uint8 images of a data set, in an order that follows from the seed alone.

    Shuffled batches walk through one permutation of the data set after another, without end: batch
    t is the same whatever was asked for before it. A run that was interrupted after t steps goes on
    with `start_step=t`. Unshuffled batches walk through the rows in order, once an epoch.

    Args:
        dataset: A `keras_devae.data.Dataset`.
        batch_size: Images a batch; default 64.
        steps: Batches an epoch; default one pass over the data set. Each epoch goes on where the
            one before it ended.
        seed: Integer seed of the order; default 0.
        start_step: Number of batches to skip at the start; default 0.
        shuffle: Whether to shuffle; default true.
        **kwargs: `workers`, `use_multiprocessing`, `max_queue_size` of `keras.utils.PyDataset`.

    Raises:
        UsageError: If `batch_size` or `steps` is below 1, or `start_step` below 0.
    """

    def __init__(
        self, dataset, batch_size=64, steps=None, seed=0, start_step=0, shuffle=True, **kwargs
    ):
        super().__init__(**kwargs)
        self.dataset = dataset
        self.batch_size = at_least("batch_size", batch_size, 1)
        self.shuffle = shuffle
        self.seed = seed
        self.start_step = at_least("start_step", start_step, 0)
        self._epoch = 0
        self._within_epoch = False
        self._batches_of_a_pass = -(-len(dataset) // batch_size)
        self._steps = self._batches_of_a_pass if steps is None else at_least("steps", steps, 1)
        self._permutations = {}

    def __len__(self):
        return self._steps

    def __getitem__(self, index):
        step = self.start_step + self._epoch * self._steps + index
        return (self.dataset.images(self.indices(step)),)

    def on_epoch_begin(self):
        """Notes the beginning of an epoch; one that was broken off counts as ended."""
        self.on_epoch_end()
        self._within_epoch = True

    def on_epoch_end(self):
        """Moves on to the batches of the next epoch.

        Keras also calls this before the first epoch, and fetches batches in other threads while it
        calls `on_epoch_begin`; here they are at rest.
        """
        self._epoch += self._within_epoch
        self._within_epoch = False

    def indices(self, step):
        """Returns the rows of the batch of a step.

        Args:
            step: Number of the batch since the beginning of training, from 0.

        Returns:
            Int64 array `(batch_size,)`; shorter only for the last batch of an unshuffled pass.
        """
        size = len(self.dataset)
        if not self.shuffle:
            first = step % self._batches_of_a_pass * self.batch_size
            return np.arange(first, min(first + self.batch_size, size))
        positions = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        passes = positions // size
        return np.concatenate(
            [self._permutation(p)[positions[passes == p] % size] for p in np.unique(passes)]
        )

    def _permutation(self, number):
        """Returns the permutation of one pass; the last two are kept."""
        known = self._permutations  # Another worker may put a new dictionary in its place.
        if number not in known:
            generator = np.random.default_rng([self.seed, number])
            order = generator.permutation(np.arange(len(self.dataset), dtype=np.int32))
            known = {number: order, **{k: v for k, v in known.items() if k == number - 1}}
            self._permutations = known
        return known[number]
