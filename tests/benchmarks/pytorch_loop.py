"""DeVAE's training step on this package beside a hand-written PyTorch loop.

Network, loss, optimizer, batch and layer draw are the same. PyTorch runs channels
last, its fastest setting. Each side is a process of its own with the same number of threads (JAX
does not heed it and takes all cores) and this package's settings of glibc's allocator, without
which either asks the kernel for its memory at every step. It takes a few steps when it is asked to;
the two take turns, and the median of the rounds' ratios is printed.
`--allocator default` leaves both with glibc's own settings.

    python tests/benchmarks/pytorch_loop.py --torch-python ENVIRONMENT/bin/python
    python tests/benchmarks/pytorch_loop.py --beside jax=ENVIRONMENT/bin/python

The interpreter of `--torch-python` must have PyTorch; this package it does not need. `--beside`
adds this package on another backend, with an interpreter that has both.
"""

import argparse
import os
import sys
import time

from taking_turns import compare, serve

LATENT_DIM = 10
BETAS = (1.0, 10.0, 40.0)


def images_of(batch_size, channels):
    """Returns random binary images, uint8 `(batch_size, 64, 64, channels)`."""
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.integers(0, 2, (batch_size, 64, 64, channels), dtype=np.uint8) * np.uint8(255)


def keras_step(images):
    """Returns a function that takes a step as `fit` does."""
    import keras

    from keras_devae import DeVAE

    likelihood = "bernoulli" if images.shape[-1] == 1 else "gaussian"
    model = DeVAE.for_images(images.shape[1:], LATENT_DIM, likelihood=likelihood, betas=BETAS)
    model.compile(keras.optimizers.Adam(1e-4))
    return lambda: float(model.train_on_batch(images)[0])


def torch_step(images):
    """Returns a function that takes a step of the loop that one would write by hand."""
    import torch
    from torch import nn

    channels = images.shape[-1]
    encoder = nn.Sequential(
        *(
            part
            for before, after in ((channels, 32), (32, 32), (32, 64), (64, 64))
            for part in (nn.Conv2d(before, after, 4, 2, 1), nn.ReLU())
        ),
        nn.Conv2d(64, 256, 4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(256, 2 * LATENT_DIM),
    )
    decoder = nn.Sequential(
        nn.Linear(2 * LATENT_DIM, 256),
        nn.ReLU(),
        nn.Unflatten(1, (256, 1, 1)),
        nn.ConvTranspose2d(256, 64, 4),
        *(
            part
            for before, after in ((64, 64), (64, 32), (32, 32), (32, channels))
            for part in (nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1))
        ),
    )
    scales = nn.ParameterList(torch.zeros(len(BETAS) - 1, LATENT_DIM) for _ in range(2))
    vectors = nn.ParameterList([torch.randn(len(BETAS), LATENT_DIM)])
    parts = [part.to(memory_format=torch.channels_last) for part in (encoder, decoder)]
    weights = [weight for part in (*parts, scales, vectors) for weight in part.parameters()]
    optimizer = torch.optim.Adam(weights, 1e-4)
    stored = torch.from_numpy(images).permute(0, 3, 1, 2)

    def reconstruction(decoded, pixels):
        if channels == 1:
            return nn.functional.binary_cross_entropy_with_logits(decoded, pixels, reduction="sum")
        return nn.functional.mse_loss(decoded.sigmoid(), pixels, reduction="sum")

    def step():
        pixels = (stored.float() / 255).contiguous(memory_format=torch.channels_last)
        layer = int(torch.randint(len(BETAS), ()))
        mean, log_var = encoder(pixels).chunk(2, 1)
        mean = mean * scales[0][:layer].sum(0).exp()
        log_var = log_var.clamp(-20, 20) + 2 * scales[1][:layer].sum(0)
        z = mean + (log_var / 2).exp() * torch.randn_like(mean)
        decoded = decoder(torch.cat([z, vectors[0][layer].expand_as(z)], 1))
        kl = 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(1).mean()
        loss = reconstruction(decoded, pixels) / len(images) + BETAS[layer] * kl
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def timed(step):
    """Returns a function that takes some steps and returns the seconds they took."""

    def seconds_of(steps):
        start = time.perf_counter()
        for _ in range(steps):
            step()
        return time.perf_counter() - start

    return seconds_of


def _environment(threads, allocator):
    """Returns the environment variables by which both sides get their threads and allocator."""
    from keras_devae.process.allocator import MALLOC_SETTINGS

    limits = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"), str(threads))
    if allocator == "default":
        # Even empty, this variable keeps the package from setting anything.
        return {**limits, "GLIBC_TUNABLES": ""}
    return limits | {name: str(value) for name, (_, value) in MALLOC_SETTINGS.items()}


def main():
    """Prints the ratio of each round, and their median."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch-python", default=sys.executable)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2, help="Of each side.")
    parser.add_argument("--allocator", choices=["package", "default"], default="package")
    parser.add_argument(
        "--beside", action="append", default=[], metavar="BACKEND=PYTHON", help="Repeatable."
    )
    parser.add_argument("--serve", choices=["keras", "torch"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        make = {"keras": keras_step, "torch": torch_step}[given.serve]
        serve(timed(make(images_of(given.batch_size, given.channels))))
        return
    shape = ["--batch-size", str(given.batch_size), "--channels", str(given.channels)]
    keras_sides = {os.environ.get("KERAS_BACKEND", "tensorflow"): sys.executable}
    keras_sides |= dict(pair.split("=", 1) for pair in given.beside)
    commands = {
        f"keras_devae on {backend}": [
            *("env", f"KERAS_BACKEND={backend}", python, __file__, "--serve", "keras", *shape)
        ]
        for backend, python in keras_sides.items()
    }
    commands["the PyTorch loop"] = [given.torch_python, __file__, "--serve", "torch", *shape]
    environment = _environment(given.threads, given.allocator)
    compare(commands, given.rounds, given.steps, environment)


if __name__ == "__main__":
    main()
