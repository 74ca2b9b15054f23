"""How fast images are read, what that takes of memory, and how long training waits for them.

    python tests/benchmarks/data_speed.py store 3dshapes.h5 --data-dir FOLDER
    python tests/benchmarks/data_speed.py memory shapes3d --data-dir FOLDER
    python tests/benchmarks/data_speed.py waiting shapes3d --data-dir FOLDER

`store` alternates random batches of 256 images of the prepared set with the same ones by h5py's
index from the gzip file that it was prepared from. `memory` opens a set and reads 1,000 shuffled
batches of 256. `waiting` trains in blocks of 20 steps, on shuffled batches of 256 and on one batch
again and again, in turn: what the first take more, data take.
"""

import argparse
import os
import statistics
import time

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

#: Steps of training in a block.
BLOCK = 20


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
    from keras_devae.input.shuffling import EndlessOrder

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


def waiting(name, data_dir, blocks, image_size):
    """Prints the seconds a step on data and on one batch, and the share that data take."""
    import keras

    from keras_devae import DeVAE
    from keras_devae.data import load

    dataset = load(name, data_dir=data_dir, image_size=image_size)
    model = DeVAE.for_images(dataset.image_shape, latent_dim=10, seed=0)
    model.compile(keras.optimizers.Adam(1e-4))
    batches = dataset.batches(256)
    one_batch = batches[0]
    times = []

    class Alternating(keras.utils.PyDataset):
        def __len__(self):
            return 2 * blocks * BLOCK

        def __getitem__(self, index):
            return one_batch if index // BLOCK % 2 else batches[index]

    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: times.append(time.perf_counter())
    )
    model.fit(Alternating(), shuffle=False, verbose=0, callbacks=[note])
    # The first steps of a block may still be on batches that were read ahead in the one before.
    steps = np.diff(times, prepend=np.nan).reshape(blocks, 2, BLOCK)[:, :, BLOCK // 2 :]
    on_data, on_one = np.median(steps, axis=(0, 2))
    shares = 1 - np.median(steps[:, 1], axis=1) / np.median(steps[:, 0], axis=1)
    print(dataset.description)
    print(f"median step: {on_data * 1e3:.0f} ms on data, {on_one * 1e3:.0f} ms on one batch")
    low, middle, high = np.percentile(shares, [25, 50, 75])
    print(f"share that data take: median {middle:.1%}, quartiles {low:.1%} and {high:.1%}")


def main():
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("store", "memory", "waiting"))
    parser.add_argument("source", help="The gzip file, or the name of a data set.")
    parser.add_argument("--data-dir")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--batches", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if given.what == "store":
        store(given.source, given.data_dir, given.rounds)
    elif given.what == "memory":
        memory(given.source, given.data_dir, given.batches)
    else:
        waiting(given.source, given.data_dir, given.rounds, given.image_size)


if __name__ == "__main__":
    main()
