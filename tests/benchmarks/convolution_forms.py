"""What the forms of the convolutions gain on JAX and PyTorch on a CPU: DeVAE's training step.

    KERAS_BACKEND=jax python tests/benchmarks/convolution_forms.py

Alternates steps of two models, one in the layers' own forms and one in Keras's.
"""

import argparse
import statistics
from unittest import mock

import keras
import numpy as np
from model_steps import seconds

from keras_devae import DeVAE
from keras_devae.layers import convolution


def form(own):
    """Returns a context in which layers use their own forms, or Keras's."""
    return mock.patch.object(convolution, "has_accelerator", lambda: not own)


def compiled(own, images):
    """Returns a model that has taken a step in one form; JAX keeps to it from there on."""
    with form(own):
        model = DeVAE.for_images(images.shape[1:], latent_dim=10, seed=0)
        model.compile(keras.optimizers.Adam(1e-4))
        model.train_on_batch(images)
    return model


def timed(own, model, images, steps):
    """Returns the seconds of a step in one form."""
    with form(own):
        return seconds(model, images, steps)


def main():
    """Prints the ratio of each round, and their median."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 2, (given.batch_size, 64, 64, 1), dtype=np.uint8) * np.uint8(255)
    models = {own: compiled(own, images) for own in (True, False)}
    ratios = []
    for _ in range(given.rounds):
        own, keras_form = (timed(own, models[own], images, given.steps) for own in models)
        ratios.append(keras_form / own)
        print(f"{1 / own:.2f} steps/s against {1 / keras_form:.2f}: {ratios[-1]:.2f} x")
    print(f"median {statistics.median(ratios):.2f} x")


if __name__ == "__main__":
    main()
