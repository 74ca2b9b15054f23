"""beta-VAE trained by this package beside the trainers of pythae and of disent.

Each trains in its own way on the same images in memory, progress shown as it does by itself. pythae
gets this package's network; disent has disentanglement_lib's, which is nearly the same. They
take turns, each in a process of its own.

    python tests/benchmarks/other_trainers.py --torch-python ENVIRONMENT/bin/python

The interpreter given must have PyTorch, pythae and disent; this package it does not need.
"""

import argparse
import sys
import tempfile
import time

import numpy as np
from taking_turns import compare, serve

LATENT_DIM = 10
BETA = 4.0


def images_of(batch_size, steps):
    """Returns random binary images for some steps, uint8 `(n, 64, 64, 1)`."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, (batch_size * steps, 64, 64, 1), dtype=np.uint8) * np.uint8(255)


def pixels_of(images):
    """Returns images as PyTorch takes them: float32 `(n, 1, 64, 64)`."""
    import torch

    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().float() / 255


def keras_trainer(batch_size):
    """Returns a function that takes some steps in this package's `fit`, and their seconds."""
    import keras

    import keras_devae as kd

    model = kd.BetaVAE.for_images((64, 64, 1), latent_dim=LATENT_DIM, beta=BETA)
    model.compile(keras.optimizers.Adam(1e-4))

    def seconds_of(steps):
        data = kd.data.from_arrays(images_of(batch_size, steps))
        start = time.perf_counter()
        model.fit(data.batches(batch_size))
        return time.perf_counter() - start

    return seconds_of


def pythae_trainer(batch_size):
    """Returns the same for pythae's `BaseTrainer`."""
    from pythae.data.datasets import BaseDataset
    from pythae.models import BetaVAE, BetaVAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig
    from torch import nn

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            layers = []
            for before, after in ((1, 32), (32, 32), (32, 64), (64, 64)):
                layers += [nn.Conv2d(before, after, 4, 2, 1), nn.ReLU()]
            self.trunk = nn.Sequential(*layers, nn.Conv2d(64, 256, 4), nn.ReLU(), nn.Flatten())
            self.mean, self.log_var = nn.Linear(256, LATENT_DIM), nn.Linear(256, LATENT_DIM)

        def forward(self, x):
            h = self.trunk(x)
            return ModelOutput(embedding=self.mean(h), log_covariance=self.log_var(h))

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            layers = []
            for before, after in ((64, 64), (64, 32), (32, 32), (32, 1)):
                layers += [nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1)]
            start = [nn.Linear(LATENT_DIM, 256), nn.ReLU(), nn.Unflatten(1, (256, 1, 1))]
            first = nn.ConvTranspose2d(256, 64, 4)
            self.layers = nn.Sequential(*start, first, *layers, nn.Sigmoid())

        def forward(self, z):
            return ModelOutput(reconstruction=self.layers(z))

    config = BetaVAEConfig(
        input_dim=(1, 64, 64), latent_dim=LATENT_DIM, reconstruction_loss="bce", beta=BETA
    )
    model = BetaVAE(config, Encoder(), Decoder())

    def seconds_of(steps):
        pixels = pixels_of(images_of(batch_size, steps))
        with tempfile.TemporaryDirectory() as folder:
            settings = BaseTrainerConfig(
                output_dir=folder,
                num_epochs=1,
                per_device_train_batch_size=batch_size,
                learning_rate=1e-4,
                no_cuda=True,
            )
            trainer = BaseTrainer(model, BaseDataset(pixels, pixels[:, 0, 0, 0]), None, settings)
            trainer.prepare_training()
            start = time.perf_counter()
            trainer.train_step(1)
            return time.perf_counter() - start

    return seconds_of


def disent_trainer(batch_size):
    """Returns the same for disent's framework, which Lightning's `Trainer` trains."""
    import lightning
    from disent.frameworks.vae import BetaVae
    from disent.model import AutoEncoder
    from disent.model.ae import DecoderConv64, EncoderConv64
    from torch.utils.data import DataLoader, Dataset

    shape = {"x_shape": (1, 64, 64), "z_size": LATENT_DIM}
    framework = BetaVae(
        AutoEncoder(EncoderConv64(**shape, z_multiplier=2), DecoderConv64(**shape)),
        BetaVae.cfg(
            optimizer="adam",
            optimizer_kwargs={"lr": 1e-4},
            recon_loss="bce",
            loss_reduction="mean_sum",
            beta=BETA,
        ),
    )

    class Images(Dataset):
        def __init__(self, pixels):
            self.pixels = pixels

        def __len__(self):
            return len(self.pixels)

        def __getitem__(self, index):
            return {"x_targ": (self.pixels[index],)}

    class Stopwatch(lightning.pytorch.Callback):
        def on_train_epoch_start(self, trainer, module):
            self.start = time.perf_counter()

        def on_train_epoch_end(self, trainer, module):
            self.seconds = time.perf_counter() - self.start

    def seconds_of(steps):
        watch = Stopwatch()
        pixels = pixels_of(images_of(batch_size, steps))
        trainer = lightning.pytorch.Trainer(
            max_epochs=1,
            accelerator="cpu",
            callbacks=[watch],
            logger=False,
            enable_checkpointing=False,
        )
        trainer.fit(framework, DataLoader(Images(pixels), batch_size, shuffle=True))
        return watch.seconds

    return seconds_of


SIDES = {"keras": keras_trainer, "pythae": pythae_trainer, "disent": disent_trainer}


def main():
    """Prints the ratios of each round, and their medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch-python", default=sys.executable)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", choices=list(SIDES), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(SIDES[given.serve](given.batch_size))
        return
    commands = {
        side: [
            sys.executable if side == "keras" else given.torch_python,
            __file__,
            *("--serve", side, "--batch-size", str(given.batch_size)),
        ]
        for side in SIDES
    }
    compare(commands, given.rounds, given.steps)


if __name__ == "__main__":
    main()
