"""How much of a bare Keras loop's speed `keras-devae train` keeps.

Alternates the two in one process over the same network, batch and backend:

- bare: `keras.Model.fit` on one array in memory, no callbacks but the stopwatch;
- train: what the command runs, with drawn images, loss guard, history, checkpoints and progress.

    python tests/benchmarks/train_overhead.py --dataset shapes3d --batch-size 64
"""

import argparse
import statistics
import tempfile
import time
from unittest import mock

import keras
import numpy as np

from keras_devae.models.fitting import carried_out
from keras_devae.runs import RunConfig, RunDirectory, training
from keras_devae.runs.compute import completed_config
from keras_devae.runs.config.run_config import load_dataset


class Stopwatch(keras.callbacks.Callback):
    """Times the steps after the first, which compiles."""

    def on_train_batch_end(self, batch, logs=None):
        """Starts after the first step and stops at every later one."""
        self.steps = getattr(self, "steps", -1) + 1
        if self.steps == 0:
            self.start = time.perf_counter()
        self.rate = self.steps / max(time.perf_counter() - self.start, 1e-9)


def completed(dataset, batch_size, steps):
    """Returns the completed `RunConfig` of a run on drawn images, and its data set."""
    config = RunConfig(
        dataset=dataset,
        source="rendered",
        batch_size=batch_size,
        steps=steps,
        checkpoint_every=steps // 2,
    )
    dataset = load_dataset(config)
    return completed_config(config.resolved(dataset), dataset), dataset


def bare(config, dataset, images):
    """Returns the steps per second of Keras's own loop on an array."""
    model = training.build_model(config, dataset)
    watch = Stopwatch()
    keras.Model.fit(
        model, images, batch_size=config.training.batch_size, epochs=1, verbose=0, callbacks=[watch]
    )
    return watch.rate


def train(config, dataset):
    """Returns the steps per second of the command's training, checkpoints included."""
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        run = RunDirectory.create(f"{folder}/run")
        report = training.ProgressReport

        def with_watch(*arguments, **options):
            progress = report(*arguments, **options)
            progress_end = progress.on_train_batch_end

            def both(batch, logs=None):
                progress_end(batch, logs)
                watch.on_train_batch_end(batch, logs)

            progress.on_train_batch_end = both
            return progress

        with mock.patch.object(training, "ProgressReport", with_watch):
            carried_out(
                training.train_in_parts(training.build_model(config, dataset), config, run, dataset)
            )
    return watch.rate


def main():
    """Prints the rates of every round and the median of their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="shapes3d")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    config, dataset = completed(given.dataset, given.batch_size, given.steps)
    images = dataset.images(np.arange(given.steps * given.batch_size) * 7 % len(dataset))
    ratios = []
    for number in range(given.rounds):
        rates = bare(config, dataset, images), train(config, dataset)
        ratios.append(rates[1] / rates[0])
        print(f"round {number}: bare {rates[0]:.2f}, train {rates[1]:.2f}, {ratios[-1]:.3f}")
    print(
        f"{config.compute.backend}, {given.dataset}, batch {given.batch_size}: train keeps "
        f"{statistics.median(ratios):.3f} of the bare loop (median of {given.rounds})"
    )


if __name__ == "__main__":
    main()
