"""Trains on images of your own: any NumPy array, with or without factors.

It draws crosses, prints how well their row and column are told apart, and writes `crosses.npz`.
"""

import argparse

import keras_devae as kd  # before Keras: it sets TensorFlow up for this processor

# isort: split
import keras
import numpy as np


def crosses(count=4000, size=32, seed=0):
    """Returns white crosses at 16 x 16 places, and their two factors."""
    factors = np.random.default_rng(seed).integers(0, 16, (count, 2))
    rows = np.arange(size)
    near_row = np.abs(rows - 8 - factors[:, :1]) < 2
    near_column = np.abs(rows - 8 - factors[:, 1:]) < 2
    images = near_row[:, :, None] | near_column[:, None, :]
    return images[..., None].astype(np.uint8) * 255, factors


def main(epochs=20):
    """Trains a beta-VAE on the crosses and returns its mutual information gap."""
    images, factors = crosses()

    # Arrays go straight into `fit`; uint8 stays uint8 and is scaled inside the model.
    model = kd.BetaVAE.for_images(images.shape[1:], latent_dim=4, beta=15.0, seed=0)
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    model.fit(images, batch_size=64, epochs=epochs, validation_split=0.1)

    # As a data set, they can be used wherever the built-in ones can. On the command line:
    # keras-devae train --dataset npz:crosses.npz
    data = kd.data.from_arrays(images, factors, factor_names=("row", "column"))
    np.savez("crosses.npz", images=images, factors=factors, factor_names=data.factor_names)

    scores = kd.metrics.mig(model.encode(images), factors, factor_names=data.factor_names)
    gaps = scores["details"]["per_factor"]
    print("MIG:", ", ".join(f"{name} {gap:.3f}" for name, gap in gaps.items()))
    return scores["mig.score"]


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()  # answers --help
    main()
