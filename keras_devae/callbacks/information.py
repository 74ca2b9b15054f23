"""Which latent dimension holds which factor, while a model trains."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_devae import checks, figures, metrics
from keras_devae.callbacks.measuring import (
    Folder,
    MeasuringCallback,
    check_has_factors,
    how_to_repair,
)
from keras_devae.checks import Array
from keras_devae.evaluation.array_files import read_information_file
from keras_devae.files import is_there, replacing
from keras_devae.metrics.arguments import check_bins
from keras_devae.metrics.labelled import check_labelled
from keras_devae.metrics.metric_warnings import gathered
from keras_devae.metrics.rows import draw_sample

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class InformationCallback(MeasuringCallback):
    """Computes the mutual information of every latent dimension with every factor.

    Over training these are the information-diffusion curves of the DeVAE paper (Figure 4).

    Args:
        dataset: A data set with factors.
        every_steps: Steps between measurements; default 1,000.
        images: Images that codes are computed from; default 5,000.
        layer: Number of the latent layer; default 0.
        bins: Bins of the histogram of each code; default 20.
        seed: Seed of the choice of images; default 0. They are the same each time.
        directory: Folder for `information.csv`, `information.png` and `information.npz` (`steps`
            `(t,)`, `information` `(t, d, f)` and `entropies` `(f,)` in nats, `factor_names`); or
            `None` (default).
        tensorboard: Folder for TensorBoard event files, or `None` (default).

    Attributes:
        rows: List of dictionaries: `step`, and for each factor the information in nats of its best
            latent dimension, under the factor's name, and `<factor>.latent`, that dimension.
        information: Float64 array `(t, d, f)`, in nats.

    Raises:
        UsageError: If the data set has no factors, or a setting is out of range.

    Example:
        >>> data = kd.data.load("dsprites", image_size=32)
        >>> model = kd.BetaVAE.for_images((32, 32, 1), beta=1)
        >>> model.compile("adam")
        >>> information = kd.callbacks.InformationCallback(data, every_steps=5, images=2000)
        >>> history = model.fit(data.batches(64, steps=10), callbacks=[information], verbose=0)
        >>> information.information.shape  # measurements, latent dimensions, factors
        (3, 10, 5)
    """

    name = "information"

    def __init__(
        self,
        dataset: Any,
        every_steps: int = 1000,
        images: int = 5000,
        layer: int = 0,
        bins: int = 20,
        seed: int = 0,
        directory: Folder = None,
        tensorboard: Folder = None,
    ) -> None:
        check_has_factors(dataset, "InformationCallback")
        checks.at_least("images", images, 2)
        check_bins(bins)
        super().__init__(every_steps, directory, tensorboard)
        self.dataset, self.layer, self.bins, self.seed = dataset, layer, bins, seed
        self._rows = draw_sample(len(dataset), images, seed).plain
        factors = dataset.factors(self._rows)
        labelled = check_labelled(self._rows[:, None], factors, dataset.factor_names)
        self._factors, self.factor_names = labelled.factors, list(labelled.names)
        self.entropies = metrics.entropy(self._factors)
        self._matrices: dict[int, Array] = {}

    @property
    def information(self) -> Array:
        """The matrices measured so far, `(t, d, f)`."""
        return np.stack([self._matrices[step] for step in self._steps])

    @property
    def _steps(self):
        return sorted(self._matrices)

    def on_train_begin(self, logs: Any = None) -> None:
        """Keeps the matrices of a run that resumes."""
        self._matrices = self._read_matrices()
        super().on_train_begin(logs)
        kept = {row["step"] for row in self.rows}
        self._matrices = {step: m for step, m in self._matrices.items() if step in kept}

    def measure(self, model: Any, step: int) -> list[dict[str, Any]]:
        """Returns one row."""
        with gathered():
            matrix = self.matrix(model)
        self._matrices[step] = matrix
        row = {}
        for name, column in zip(self.factor_names, matrix.T, strict=True):
            row[name] = float(column.max())
            row[f"{name}.latent"] = int(column.argmax())
        return [row]

    def matrix(self, model: Any) -> Array:
        """Returns the mutual information of posterior means with factors, `(d, f)` in nats."""
        codes = model.encode(self.dataset.images(self._rows), self.layer)
        return metrics.mutual_information_matrix(codes, self._factors, bins=self.bins)

    def draw(self) -> Figure:
        """Draws the curves."""
        return figures.information_diffusion(
            self._steps, self.information, self.entropies, self.factor_names
        )

    def write(self, directory: Path) -> None:
        """Writes the table and the matrices."""
        super().write(directory)
        with replacing(directory / self._file) as temporary, open(temporary, "wb") as stream:
            np.savez(
                stream,
                steps=np.array(self._steps),
                information=self.information,
                entropies=self.entropies,
                factor_names=np.array(self.factor_names),
            )

    @property
    def _file(self) -> str:
        return f"{self.name}.npz"

    def _read_matrices(self):
        if self.directory is None:
            return self._matrices
        file = self.directory / self._file
        if not is_there(file):
            return {}
        steps, information, *_ = read_information_file(file, how_to_repair(file))
        return dict(zip(steps.tolist(), information, strict=True))


class SampledInformationCallback(InformationCallback):
    """Computes the information of samples of the posterior, in place of its means.

    It takes the arguments of `InformationCallback`. Means are free of noise: where the pressure
    keeps a dimension near the prior, its means are far more informative than its samples, which
    are what the decoder sees.

    A histogram of finitely many samples shows some information about any factor. The information
    about shuffled factors is therefore subtracted, so that a collapsed dimension has about none;
    the difference is clipped at 0.

    Its files are `sampled-information.csv`, `.png` and `.npz`.

    Example:
        >>> data = kd.data.load("dsprites", image_size=32)
        >>> sampled = kd.callbacks.SampledInformationCallback(data, every_steps=5, images=2000)
    """

    name = "sampled-information"

    @functools.cached_property
    def _shuffled(self):
        return np.random.default_rng(self.seed).permutation(self._factors)

    def matrix(self, model: Any) -> Array:
        """Returns the mutual information of samples with factors, `(d, f)` in nats."""
        images = self.dataset.images(self._rows)
        # The noise is the same in every measurement.
        codes = model.encode(images, self.layer, sample=True, seed=self.seed)
        shown, by_chance = (
            metrics.mutual_information_matrix(codes, factors, bins=self.bins)
            for factors in (self._factors, self._shuffled)
        )
        return np.maximum(shown - by_chance, 0)
