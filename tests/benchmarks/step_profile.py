"""Where the time of DeVAE's training step goes on TensorFlow, by kind of operation.

    python tests/benchmarks/step_profile.py --channels 1 --batch-size 256

Operations of one step overlap: their times add up to more than the step's. That of the step is
taken before the profiler is switched on.
"""

import argparse
import collections
import statistics
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from keras_devae import DeVAE


def make_step(batch_size, channels):
    """Returns a function that takes a training step on the same images each time."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 2, (batch_size, 64, 64, channels), dtype=np.uint8) * np.uint8(255)
    likelihood = "bernoulli" if channels == 1 else "gaussian"
    model = DeVAE.for_images(images.shape[1:], latent_dim=10, likelihood=likelihood, seed=0)
    model.compile(keras.optimizers.Adam(1e-4))
    model.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors((tf.constant(images),)).repeat())
    return lambda: float(model.train_function(batches)["loss"])


def operations(folder):
    """Yields layer or part, kind and seconds of each operation that the profiler saw."""
    file = next(Path(folder).glob("**/*.xplane.pb"))
    space = xplane_pb2.XSpace.FromString(file.read_bytes())
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            name = plane.event_metadata[event.metadata_id].name
            path, colon, kind = name.rpartition(":")
            if colon and path.startswith("StatefulPartitionedCall/"):
                yield path.removeprefix("StatefulPartitionedCall/"), kind, event.duration_ps / 1e12


def main():
    """Prints the step, then kinds of operations, then the longest single ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--steps", type=int, default=10)
    given = parser.parse_args()
    step = make_step(given.batch_size, given.channels)
    for _ in range(3):
        step()
    times = []
    for _ in range(given.steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for _ in range(given.steps):
            step()
        tf.profiler.experimental.stop()
        found = list(operations(folder))
    print(f"step {1000 * statistics.median(times):.1f} ms")
    for title, key in (
        ("by kind", lambda path, kind: "Adam" if path.startswith("adam/") else kind),
        ("the longest", lambda path, kind: f"{path} ({kind})"),
    ):
        sums = collections.Counter()
        for path, kind, seconds in found:
            sums[key(path, kind)] += 1000 * seconds / given.steps
        print(f"\n{title}, ms of {sum(sums.values()):.1f} in all")
        for name, milliseconds in sums.most_common(20):
            print(f"{milliseconds:8.2f}  {name}")


if __name__ == "__main__":
    main()
