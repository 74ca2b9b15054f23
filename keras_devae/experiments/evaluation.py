"""Scores of a trained model, layer by layer, from one encoding of the images."""

import dataclasses
import hashlib
from typing import Any

import numpy as np

from keras_devae import metrics
from keras_devae.version import __version__

#: Images whose reconstructions are measured; each is decoded once a layer.
RECONSTRUCTED_IMAGES = 2000


def evaluate(model, dataset, names, images=10_000, seed=0):
    """Computes metrics of every latent layer.

    Args:
        model: A trained model.
        dataset: The data set.
        names: Names of metrics, see `keras_devae.metrics.METRICS`.
        images: Number of images, drawn without repetition; all of them if there are fewer.
        seed: Integer seed of the draw; default 0.

    Returns:
        Dictionary that `json.dump` takes: `layers`, a list with one flat dictionary of scores for
        each layer; `details`, likewise; `settings`.

    Raises:
        UsageError: If a metric is unknown, or needs factors that the data set lacks.
    """
    metrics.check_names(names, has_factors=dataset.factor_names is not None)
    rows = _draw_rows(len(dataset), images, seed)
    pixels = dataset.images(rows)
    means, log_vars = model.posterior(pixels, layer=None)
    factors = dataset.factors(rows) if dataset.factor_names is not None else None
    categories = model.encode_categories(pixels) if model.num_categories else None
    layers, details = [], []
    for layer in range(model.num_layers):
        results = [
            _COMPUTE[name](
                _Encoded(model, layer, pixels, means[layer], log_vars[layer], categories, factors),
                dataset,
            )
            for name in names
        ]
        layers.append({"layer": layer, **{k: v for r in results for k, v in _scores(r).items()}})
        details.append({n: r["details"] for n, r in zip(names, results, strict=True)})
    settings = {
        "metrics": {n: r["settings"] for n, r in zip(names, results, strict=True)},
        "representation": "mean",
        "images": len(rows),
        "reconstructed_images": min(len(rows), RECONSTRUCTED_IMAGES),
        "seed": seed,
        "package_version": __version__,
        "data": dataset.provenance,
    }
    return {"layers": layers, "details": details, "settings": settings}


def file_hash(path):
    """Returns the SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _draw_rows(size, count, seed):
    if count >= size:
        return np.arange(size)
    return np.random.default_rng(seed).choice(size, count, replace=False)


def _scores(result):
    return {k: v for k, v in result.items() if k not in ("details", "settings")}


@dataclasses.dataclass(frozen=True)
class _Encoded:
    """What the metrics of one layer are computed from."""

    model: Any
    layer: int
    pixels: np.ndarray
    means: np.ndarray
    log_vars: np.ndarray
    categories: np.ndarray | None
    factors: np.ndarray | None

    @property
    def codes(self):
        """The means, and the categorical code as one more column where there is one."""
        if self.categories is None:
            return self.means
        return np.column_stack([self.means, self.categories])


def _mig(encoded, dataset):
    return metrics.mig(encoded.codes, encoded.factors, factor_names=dataset.factor_names)


def _active_variables(encoded, dataset):
    return metrics.active_variables(encoded.means, encoded.log_vars)


def _kl(encoded, dataset):
    return metrics.kl(encoded.means, encoded.log_vars)


def _reconstruction_error(encoded, dataset):
    images = encoded.pixels[:RECONSTRUCTED_IMAGES]
    reconstructions = encoded.model.reconstruct(images, encoded.layer)
    return metrics.reconstruction_error(
        images, reconstructions, likelihood=encoded.model.likelihood.name
    )


_COMPUTE = {
    "mig": _mig,
    "active_variables": _active_variables,
    "kl": _kl,
    "reconstruction_error": _reconstruction_error,
}
