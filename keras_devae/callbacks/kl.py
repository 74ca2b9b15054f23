"""The KL divergence of every latent dimension, while a model trains."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_devae import checks, figures, metrics
from keras_devae.callbacks.measuring import Folder, MeasuringCallback
from keras_devae.metrics.rows import draw_sample

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Total of nats below which the codes count as carrying nothing.
COLLAPSED_KL = 0.1


class KLCallback(MeasuringCallback):
    """Computes the KL divergence of each latent dimension, and warns of a posterior collapse.

    Args:
        dataset: The data set; it needs no factors.
        every_steps: Steps between measurements; default 1,000.
        images: Images that codes are computed from; default 2,000.
        layer: Number of the latent layer; default 0.
        seed: Seed of the choice of images; default 0. They are the same each time.
        directory: Folder for `kl.csv` and `kl.png`, or `None` (default).
        tensorboard: Folder for TensorBoard event files, or `None` (default).

    Attributes:
        rows: List of dictionaries: `step`, `total` (nats), `active_units` (see
            `keras_devae.metrics.active_dimensions`), and `z0`, `z1`, ... (nats). Where the
            posterior is known by samples only, the total is estimated from fixed draws, and each
            dimension has a lower bound: the divergence of a Gaussian with its mean and variance.

    Warns:
        UserWarning: Once, where the total is below 0.1 nats in two consecutive measurements after
            step 0: many models start with as little.

    Raises:
        UsageError: If a setting is out of range; from `fit`, if the model has no posterior.

    Example:
        >>> data = kd.data.load("dsprites", image_size=32)
        >>> model = kd.BetaVAE.for_images((32, 32, 1), beta=1)
        >>> model.compile("adam")
        >>> kl = kd.callbacks.KLCallback(data, every_steps=10, images=100)
        >>> history = model.fit(data.batches(64, steps=10), callbacks=[kl], verbose=0)
        >>> [row["step"] for row in kl.rows]
        [0, 10]
    """

    name = "kl"

    def __init__(
        self,
        dataset: Any,
        every_steps: int = 1000,
        images: int = 2000,
        layer: int = 0,
        seed: int = 0,
        directory: Folder = None,
        tensorboard: Folder = None,
    ) -> None:
        checks.check_dataset(dataset)
        super().__init__(every_steps, directory, tensorboard)
        self.dataset, self.layer = dataset, layer
        self._rows = draw_sample(len(dataset), images, seed).plain
        self._low = self._warned = False

    def measure(self, model: Any, step: int) -> list[dict[str, Any]]:
        """Returns one row."""
        images = self.dataset.images(self._rows)
        if model.samples_posterior:
            found = model.sampled_posterior(model.encoder_outputs(images))
            posterior, total = (found["mean"], found["log_var"]), found["divergence"].mean()
        else:
            model.check_has_posterior("`KLCallback`")
            posterior = model.posterior(images, self.layer)
            total = metrics.kl_per_dimension(*posterior).sum()
        kl = metrics.kl_per_dimension(*posterior)
        active = metrics.active_dimensions(metrics.signal_per_dimension(*posterior))
        self._warn_of_collapse(total, step)
        return [
            {
                "total": float(total),
                "active_units": int(active.sum()),
                **{f"z{d}": float(value) for d, value in enumerate(kl)},
            }
        ]

    def draw(self) -> Figure:
        """Draws the KL divergence of every dimension by step."""
        names = [name for name in self.rows[0] if name[0] == "z"]
        values = np.array([[row[name] for name in names] for row in self.rows])
        return figures.kl_per_latent([row["step"] for row in self.rows], values)

    def _warn_of_collapse(self, total, step):
        before, self._low = self._low, step > 0 and total < COLLAPSED_KL
        if self._warned or not (before and self._low):
            return
        self._warned = True
        message = (
            f"At step {step} the codes of layer {self.layer} carry {total:.3g} nats in all: the "
            "posterior has collapsed to the prior. Lower the pressure on the KL divergence."
        )
        warnings.warn(message, UserWarning, stacklevel=2)
