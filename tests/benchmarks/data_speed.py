"""How fast images are read, what that takes of memory, and how long training waits for them.

    python tests/benchmarks/data_speed.py store 3dshapes.h5 --data-dir FOLDER
    python tests/benchmarks/data_speed.py memory shapes3d --data-dir FOLDER
    python tests/benchmarks/data_speed.py waiting shapes3d --data-dir FOLDER

`store` alternates random batches of 256 images of the prepared set with the same ones by h5py's
index from the gzip file that it was prepared from. `memory` opens a set and reads 1,000 shuffled
batches of 256. `waiting` alternates training on shuffled batches of 256 with training on one batch
again and again: what the first takes more, data take.
"""

import argparse
import os
import statistics
import time

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def store(file, data_dir, rounds):
    """Prints the milliseconds a batch of both readers and their ratio."""
    import h5py

    from keras_devae.data import load, prepare

    prepare("shapes3d", file, data_dir)
    dataset = load("shapes3d", data_dir=data_dir)
    print(dataset.description)
    rng = np.random.default_rng(0)
    ratios = []
    with h5py.File(file, "r") as source:
        images = source["images"]
        print(f"h5py: chunks {images.chunks}, {images.compression}")
        for _ in range(rounds):
            rows = np.sort(rng.choice(len(dataset), 256, replace=False))
            start = time.perf_counter()
            expected = images[rows]
            by_h5py = time.perf_counter() - start
            batches = [rng.permutation(rows), *rng.integers(0, len(dataset), (19, 256))]
            start = time.perf_counter()
            read = [dataset.images(batch) for batch in batches]
            by_store = (time.perf_counter() - start) / len(batches)
            np.testing.assert_array_equal(read[0], expected[np.searchsorted(rows, batches[0])])
            ratios.append(by_h5py / by_store)
            print(f"h5py {by_h5py * 1e3:.0f} ms, store {by_store * 1e3:.2f} ms: {ratios[-1]:.0f} x")
    print(f"median {statistics.median(ratios):.0f} x")


def memory(name, data_dir, batches):
    """Prints the resident memory before, and at most during, reading batches."""
    from keras_devae.data import load
    from keras_devae.shuffling import EndlessOrder

    before = _status("VmRSS")
    dataset = load(name, data_dir=data_dir)
    order = EndlessOrder(len(dataset), seed=0)
    start = time.perf_counter()
    for step in range(batches):
        dataset.images(order(np.arange(step * 256, (step + 1) * 256)))
    seconds = time.perf_counter() - start
    print(dataset.description)
    print(f"{batches} batches, {batches * 256 / seconds:,.0f} images/s")
    print(f"resident: {before} MB before, {_status('VmHWM')} MB at most")


def _status(field):
    """Returns a figure of this process in MB; `ru_maxrss` would begin with the parent's peak."""
    with open("/proc/self/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith(field))
    return int(line.split()[1]) // 1024


def waiting(name, data_dir, steps, rounds, image_size):
    """Prints the steps per second on data and on one batch, and the share that data take."""
    import keras

    from keras_devae import DeVAE
    from keras_devae.data import load

    dataset = load(name, data_dir=data_dir, image_size=image_size)
    model = DeVAE.for_images(dataset.image_shape, latent_dim=10, seed=0)
    model.compile(keras.optimizers.Adam(1e-4))
    batches = dataset.batches(256, steps=steps)

    class OneBatch(keras.utils.PyDataset):
        images = (dataset.images(range(256)),)

        def __len__(self):
            return steps

        def __getitem__(self, index):
            return self.images

    def rate(source):
        start = time.perf_counter()
        model.fit(source, verbose=0)
        return steps / (time.perf_counter() - start)

    print(dataset.description)
    model.fit(OneBatch(), verbose=0)
    shares = []
    for _ in range(rounds):
        on_data, on_one = rate(batches), rate(OneBatch())
        shares.append(1 - on_data / on_one)
        print(f"{on_data:.2f} steps/s on data, {on_one:.2f} on one batch: {shares[-1]:.1%}")
    print(f"median share {statistics.median(shares):.1%}")


def main():
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("store", "memory", "waiting"))
    parser.add_argument("source", help="The gzip file, or the name of a data set.")
    parser.add_argument("--data-dir")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--batches", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if given.what == "store":
        store(given.source, given.data_dir, given.rounds)
    elif given.what == "memory":
        memory(given.source, given.data_dir, given.batches)
    else:
        waiting(given.source, given.data_dir, given.steps, given.rounds, given.image_size)


if __name__ == "__main__":
    main()
