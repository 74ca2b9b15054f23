"""How much the memory of a long training grows, with everything on that a run can have on.

Trains a very small DeVAE on images of 16x16 with a checkpoint every 500 steps and `--track
mig,information,kl,traversal` every 1,000, as `keras-devae train` does, and reads the resident
memory of the process (VmRSS) every 1,000 steps.

    KERAS_BACKEND=torch python tests/benchmarks/memory_growth.py
"""

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np

from keras_devae import DeVAE
from keras_devae.models.fitting import carried_out
from keras_devae.networks import mlp_decoder, mlp_encoder
from keras_devae.runs import RunConfig, RunDirectory, training
from keras_devae.runs.compute import completed_config
from keras_devae.runs.config.run_config import load_dataset
from keras_devae.runs.recorder import RunRecorder


def resident_megabytes():
    """Returns the resident memory of this process."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1000


def write_squares(file):
    """Writes 144 images of a square at 12x12 places, with their factors."""
    places = np.indices((12, 12)).reshape(2, -1).T
    images = np.zeros((len(places), 16, 16), np.uint8)
    for image, (row, column) in zip(images, places, strict=True):
        image[row : row + 5, column : column + 5] = 255
    np.savez(file, images=images, factors=places)


def small_model():
    """Returns a DeVAE that takes no time."""
    encoder = mlp_encoder((16, 16, 1), 3, units=(32,), seed=1)
    model = DeVAE(encoder, mlp_decoder(6, (16, 16, 1), (32,), seed=2), seed=0)
    model.compile(keras.optimizers.Adam(1e-3))
    return model


def main():
    """Prints the memory by step, and how much it grew after step 1,000."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--every", type=int, default=1000)
    given = parser.parse_args()
    measured = {}
    count = RunRecorder.on_train_batch_end

    def watch(self, batch, logs=None):
        count(self, batch, logs)
        if self.step % given.every == 0:
            measured[self.step] = resident_megabytes()
            print(f"step {self.step}: {measured[self.step]:.1f} MB", flush=True)

    RunRecorder.on_train_batch_end = watch
    with tempfile.TemporaryDirectory() as folder:
        write_squares(f"{folder}/squares.npz")
        config = RunConfig(
            dataset=f"npz:{folder}/squares.npz",
            latent_dim=3,
            batch_size=8,
            steps=given.steps,
            track=("mig", "information", "kl", "traversal"),
            track_every=given.every,
            evaluation_images=144,
        )
        dataset = load_dataset(config)
        config = completed_config(config.resolved(dataset), dataset)
        run = RunDirectory.create(f"{folder}/run")
        carried_out(training.train_in_parts(small_model(), config, run, dataset, progress=False))
    grown = max(measured.values()) - measured[given.every]
    print(f"{keras.backend.backend()}: grown by {grown:.1f} MB after step {given.every}")


if __name__ == "__main__":
    main()
