"""What `TransposedConvolution` gains on JAX on a CPU: DeVAE's training step in both forms.

    KERAS_BACKEND=jax python tests/benchmarks/jax_convolutions.py

Alternates steps of two models that were compiled with the layer's own form and with Keras's.
"""

import argparse
import statistics
from unittest import mock

import keras
import numpy as np
from model_steps import seconds

from keras_devae import DeVAE
from keras_devae.layers import transposed_convolution


def compiled(by_phases, images):
    """Returns a model whose step was compiled with one form."""
    name = "jax" if by_phases else None
    choice = mock.patch.object(transposed_convolution, "backend_on_cpu", lambda: name)
    with choice:
        model = DeVAE.for_images(images.shape[1:], latent_dim=10, seed=0)
        model.compile(keras.optimizers.Adam(1e-4))
        model.train_on_batch(images)
    return model


def main():
    """Prints the ratio of each round, and their median."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 2, (given.batch_size, 64, 64, 1), dtype=np.uint8) * np.uint8(255)
    models = [compiled(by_phases, images) for by_phases in (True, False)]
    ratios = []
    for _ in range(given.rounds):
        own, keras_form = (seconds(model, images, given.steps) for model in models)
        ratios.append(keras_form / own)
        print(f"{1 / own:.2f} steps/s against {1 / keras_form:.2f}: {ratios[-1]:.2f} x")
    print(f"median {statistics.median(ratios):.2f} x")


if __name__ == "__main__":
    main()
