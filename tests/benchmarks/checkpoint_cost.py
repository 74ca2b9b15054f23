"""What a checkpoint costs: how long training waits for it, and how long it takes in all.

For DeVAE and FactorVAE of 64x64x1 images, after a few steps of training:

- at once: the model saved by Keras under a temporary name, flushed to the disk and renamed;
- waits: the state copied to the host, and handed to the thread that looks at it and writes it;
- written: from then until the file has its name.

On a machine that does other work too, the time of the processor that training's own thread uses
tells more than the clock; it stands in brackets.

    KERAS_BACKEND=jax python tests/benchmarks/checkpoint_cost.py --folder .
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

import keras_devae as kd
from keras_devae.runs.checkpoints import CheckpointWriter, save_model


def trained(name):
    """Returns a model after two steps, with something in its optimizer."""
    model = getattr(kd, name).for_images((64, 64, 1), latent_dim=10, seed=0)
    model.compile(keras.optimizers.Adam(1e-4))
    images = np.random.default_rng(0).integers(0, 2, (16, 64, 64, 1), dtype=np.uint8) * 255
    model.fit(images, batch_size=8, verbose=0)
    return model


def timed(function):
    """Returns how long a call takes, and what it uses of the processor in this thread, in ms."""
    clocks = time.perf_counter, time.thread_time
    start = [clock() for clock in clocks]
    function()
    return [1000 * (clock() - begun) for clock, begun in zip(clocks, start, strict=True)]


def measure(model, folder, rounds):
    """Returns the rows of each round: at once, waits, each by both clocks; written."""
    file = Path(folder) / "start.keras"
    save_model(model, file)
    writer, results = CheckpointWriter(file), []

    def hand_over():
        writer.write(model, 0, Path(folder) / "next.keras", lambda: None, lambda: None)

    # The first time, the thread loads its model.
    hand_over()
    writer.wait()
    for _ in range(rounds):
        at_once = timed(lambda: save_model(model, file))
        results.append((*at_once, *timed(hand_over), timed(writer.wait)[0]))
    writer.close()
    return results, file.stat().st_size


def main():
    """Prints the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--folder", help="Where to write; default the system's temporary folder.")
    given = parser.parse_args()
    for name in ("DeVAE", "FactorVAE"):
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            rounds, size = measure(trained(name), folder, given.rounds)
        medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
        print(
            f"{keras.backend.backend()}, {name}, {size / 1e6:.0f} MB:",
            "at once {:.0f} ms [{:.0f}]; waits {:.1f} ms [{:.1f}]".format(*medians[:4]),
            f"and the file is there {medians[4]:.0f} ms later (medians of {given.rounds})",
            flush=True,
        )


if __name__ == "__main__":
    main()
