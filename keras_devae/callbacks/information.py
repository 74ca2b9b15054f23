"""Which latent dimension holds which factor, while a model trains."""

import numpy as np

from keras_devae import checks, figures, metrics
from keras_devae.callbacks.measuring import MeasuringCallback, check_has_factors, how_to_mend
from keras_devae.evaluation.information_file import read_information_file
from keras_devae.files import is_there, replacing
from keras_devae.metrics.arguments import check_bins
from keras_devae.metrics.labelled import check_labelled
from keras_devae.metrics.metric_warnings import gathered
from keras_devae.metrics.rows import draw_sample


class InformationCallback(MeasuringCallback):
    """Computes the mutual information of every latent dimension with every factor.

    Over training these are the information-diffusion curves of the DeVAE paper (Figure 4).

    Args:
        dataset: A data set with factors.
        every_steps: Steps between measurements; default 1,000.
        images: Images that codes are computed from; default 5,000.
        layer: Number of the latent layer; default 0.
        bins: Bins of the histogram of each code; default 20.
        seed: Integer seed of the choice of images; default 0. They are the same each time.
        directory: Folder for `information.csv`, `information.png` and `information.npz` (`steps`
            `(t,)`, `information` `(t, d, f)` and `entropies` `(f,)` in nats, `factor_names`); or
            `None` (default).
        tensorboard: Folder for TensorBoard event files, or `None` (default).

    Attributes:
        rows: List of dictionaries: `step`, and for each factor the information in nats that its
            best latent dimension has, under the factor's name, and `<factor>.latent`, its number.
        information: Float64 array `(t, d, f)`, in nats.

    Raises:
        UsageError: If the data set has no factors, or a setting is out of range.
    """

    name = "information"

    def __init__(
        self,
        dataset,
        every_steps=1000,
        images=5000,
        layer=0,
        bins=20,
        seed=0,
        directory=None,
        tensorboard=None,
    ):
        check_has_factors(dataset, "InformationCallback")
        checks.at_least("images", images, 2)
        check_bins(bins)
        super().__init__(every_steps, directory, tensorboard)
        self.dataset, self.layer, self.bins = dataset, layer, bins
        self._rows = draw_sample(len(dataset), images, seed).plain
        factors = dataset.factors(self._rows)
        labelled = check_labelled(self._rows[:, None], factors, dataset.factor_names)
        self._factors, self.factor_names = labelled.factors, list(labelled.names)
        self.entropies = metrics.entropy(self._factors)
        self._matrices = {}

    @property
    def information(self):
        """The matrices measured so far, `(t, d, f)`."""
        return np.stack([self._matrices[step] for step in self._steps])

    @property
    def _steps(self):
        return sorted(self._matrices)

    def on_train_begin(self, logs=None):
        """Goes on with the matrices of a run that goes on."""
        self._matrices = self._read_matrices()
        super().on_train_begin(logs)
        kept = {row["step"] for row in self.rows}
        self._matrices = {step: m for step, m in self._matrices.items() if step in kept}

    def measure(self, model, step):
        """Returns one row."""
        with gathered():
            matrix = self.matrix(model)
        self._matrices[step] = matrix
        row = {}
        for name, column in zip(self.factor_names, matrix.T, strict=True):
            row[name] = float(column.max())
            row[f"{name}.latent"] = int(column.argmax())
        return [row]

    def matrix(self, model):
        """Returns the information that posterior means have, `(d, f)` in nats."""
        codes = model.encode(self.dataset.images(self._rows), self.layer)
        return metrics.mutual_information_matrix(codes, self._factors, bins=self.bins)

    def draw(self):
        """Draws the curves."""
        return figures.information_diffusion(
            self._steps, self.information, self.entropies, self.factor_names
        )

    def write(self):
        """Writes the matrices too."""
        super().write()
        with replacing(self._file) as temporary, open(temporary, "wb") as stream:
            np.savez(
                stream,
                steps=np.array(self._steps),
                information=self.information,
                entropies=self.entropies,
                factor_names=np.array(self.factor_names),
            )

    @property
    def _file(self):
        return self.directory / f"{self.name}.npz"

    def _read_matrices(self):
        if self.directory is None:
            return self._matrices
        if not is_there(self._file):
            return {}
        steps, information, *_ = read_information_file(self._file, how_to_mend(self._file))
        return dict(zip(steps.tolist(), information, strict=True))


class SampledInformationCallback(InformationCallback):
    """As `InformationCallback`, for samples of the posterior in place of its means.

    Means are free of noise: those of a dimension that the pressure keeps near the prior tell much
    that its samples, which the decoder sees, do not.

    A histogram of finitely many samples shows some information about any factor. That of the same
    samples about shuffled factors is subtracted, so that a collapsed dimension has about none; what
    remains is not below 0.

    Its files are `sampled-information.csv`, `.png` and `.npz`.
    """

    name = "sampled-information"

    def __init__(self, dataset, *args, seed=0, **kwargs):
        super().__init__(dataset, *args, seed=seed, **kwargs)
        self._seed = seed
        self._shuffled = np.random.default_rng(seed).permutation(self._factors)

    def matrix(self, model):
        """Returns that of samples, `(d, f)` in nats, drawn with the same noise every time."""
        images = self.dataset.images(self._rows)
        codes = model.encode(images, self.layer, sample=True, seed=self._seed)
        shown, by_chance = (
            metrics.mutual_information_matrix(codes, factors, bins=self.bins)
            for factors in (self._factors, self._shuffled)
        )
        return np.maximum(shown - by_chance, 0)
