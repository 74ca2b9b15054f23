"""Metrics while a model trains."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from keras_devae import checks
from keras_devae.callbacks.measuring import Folder, MeasuringCallback
from keras_devae.evaluation import evaluate
from keras_devae.metrics import check_names, check_settings, possible_metrics
from keras_devae.metrics.metric_warnings import FewSamplesWarning


class MetricsCallback(MeasuringCallback):
    """Computes metrics every `every_steps` steps.

    Args:
        dataset: The data set, e.g. from `keras_devae.data.load`.
        metrics: Names of metrics, keys of `keras_devae.metrics.METRICS`; default `("mig",)`.
        every_steps: Steps between measurements; default 1,000.
        images: Images that codes are computed from; default 10,000.
        layers: Numbers of the latent layers; default `(0,)`; `None` for all.
        settings: `"fast"` (default) or `"paper"`, see `keras_devae.metrics.score_codes`.
        seed: Seed of everything drawn; default 0. The images are the same each time.
        directory: Folder for `metrics.csv`, or `None` (default).
        tensorboard: Folder for TensorBoard event files, or `None` (default).
        validation_dataset: Images held out from training, or `None` (default). They are scored by
            the metrics that they allow: if they have no factors, without these.

    Attributes:
        rows: List of dictionaries: `step`, `layer` and the scores, e.g. `mig.score`; scores of the
            validation data set begin with `val_`, e.g. `val_mig.score`.

    Raises:
        UsageError: If a name or a setting is wrong, or a metric lacks the factors that it needs.

    Example:
        >>> data = kd.data.load("dsprites", image_size=32)
        >>> model = kd.BetaVAE.for_images((32, 32, 1), beta=1)
        >>> model.compile(keras.optimizers.Adam(1e-3))
        >>> scores = kd.callbacks.MetricsCallback(data, ["mig"], every_steps=5, images=2000)
        >>> history = model.fit(data.batches(64, steps=10), callbacks=[scores], verbose=0)
        >>> [row["step"] for row in scores.rows]
        [0, 5, 10]
        >>> scores.rows[-1]["mig.score"] >= 0
        True
    """

    name = "metrics"

    def __init__(
        self,
        dataset: Any,
        metrics: str | Sequence[str] = ("mig",),
        every_steps: int = 1000,
        images: int = 10_000,
        layers: Sequence[int] | None = (0,),
        settings: str = "fast",
        seed: int = 0,
        directory: Folder = None,
        tensorboard: Folder = None,
        validation_dataset: Any = None,
    ) -> None:
        names = (metrics,) if isinstance(metrics, str) else checks.texts("metrics", metrics)
        checks.check_dataset(dataset)
        check_names(names, has_factors=dataset.factor_names is not None)
        check_settings(settings)
        checks.at_least("images", images, 2)
        checks.at_least("seed", seed, 0)
        if layers is not None:
            layers = checks.listed("layers", layers, "numbers of latent layers, or None for all")
        super().__init__(every_steps, directory, tensorboard)
        self.dataset, self.metrics, self.images = dataset, names, images
        self.validation_dataset = validation_dataset
        self._allowed: tuple[str, ...] = ()
        if validation_dataset is not None:
            checks.check_dataset(validation_dataset)
            possible = possible_metrics(has_factors=validation_dataset.factor_names is not None)
            self._allowed = tuple(name for name in names if name in possible)
        self.layers, self.settings, self.seed = layers, settings, seed

    def measure(self, model: Any, step: int) -> list[dict[str, Any]]:
        """Returns a row of scores for each layer."""
        with warnings.catch_warnings():
            if self.rows:
                # The first measurement warned, and the images are the same each time.
                warnings.simplefilter("ignore", FewSamplesWarning)
            rows = self._scores(model, self.dataset, self.metrics)
            if not self._allowed:
                return rows
            held_out = self._scores(model, self.validation_dataset, self._allowed)
        return [
            {**row, **{f"val_{name}": value for name, value in other.items() if name != "layer"}}
            for row, other in zip(rows, held_out, strict=True)
        ]

    def _scores(self, model, dataset, names):
        how = {"layers": self.layers, "settings": self.settings}
        return evaluate(model, dataset, names, self.images, self.seed, **how)["layers"]
