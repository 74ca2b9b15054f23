"""How long a training step of each model takes, as a multiple of the plain VAE's.

All models are compiled in one process, on the same images; then rounds of a few steps alternate, so
that each model's round has one of the plain VAE beside it. The median of the ratios is printed.

    python tests/benchmarks/model_steps.py --image-size 64 --batch-size 64
"""

import argparse
import statistics
import time

import keras
import numpy as np

from keras_devae.models import MODELS

#: CascadeVAE is timed before its matching stages, which decode each image once a category more.
OPTIONS = {"beta_tc_vae": {"dataset_size": 737_280}}


def compiled(name, image_shape, images):
    """Builds a model and takes the steps that compile it."""
    model = MODELS[name].for_images(image_shape, seed=0, **OPTIONS.get(name, {}))
    model.compile(keras.optimizers.Adam(1e-4))
    for _ in range(2):
        model.train_on_batch(images)
    return model


def seconds(model, images, steps):
    """Returns the time of one step, averaged over a few."""
    start = time.perf_counter()
    for _ in range(steps):
        model.train_on_batch(images)
    return (time.perf_counter() - start) / steps


def main():
    """Prints a line for every model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--models", nargs="*")
    given = parser.parse_args()
    shape = (given.image_size, given.image_size, given.channels)
    rng = np.random.default_rng(0)
    images = 255 * rng.integers(0, 2, (given.batch_size, *shape), dtype=np.uint8)
    names = given.models or [name for name in MODELS if name not in ("pca", "ica")]
    plain = compiled("vae", shape, images)
    print(f"{keras.backend.backend()}, {shape}, batch {given.batch_size}")
    for name in names:
        # The same number of images, an even one, as pairs.
        pairs = MODELS[name].declaration.takes_pairs
        taken = images.reshape(-1, 2, *shape) if pairs else images
        model = compiled(name, shape, taken)
        ratios = []
        for _ in range(given.rounds):
            base = seconds(plain, images, given.steps)
            ratios.append(seconds(model, taken, given.steps) / base)
        print(f"{name:<16} {statistics.median(ratios):.2f}", flush=True)


if __name__ == "__main__":
    main()
