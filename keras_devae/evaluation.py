"""Scores of a trained model, layer by layer, each image encoded once."""

import functools
import hashlib

from keras_devae import checks, metrics
from keras_devae.encoding import Encoding, LayerSampler
from keras_devae.version import __version__

#: Images whose reconstructions are measured; each is decoded once a layer.
RECONSTRUCTED_IMAGES = 2000


def evaluate(
    model,
    dataset,
    names=None,
    images=10_000,
    seed=0,
    *,
    layers=None,
    settings="paper",
    repeats=1,
    workers=None,
    encoding=None,
    progress=None,
):
    """Computes metrics of latent layers.

    Args:
        model: A trained model.
        dataset: The data set.
        names: Names of metrics, see `keras_devae.metrics.METRICS`; `("all",)` for all that the
            data set allows, `None` for the default ones.
        images: Number of images, drawn without repetition; all of them if there are fewer.
            Predictors are fitted to these and tested on half as many more.
        seed: Integer seed of everything drawn; default 0.
        layers: Numbers of the latent layers, or `None` (default) for all.
        settings: `"paper"` (default) or `"fast"`, see `keras_devae.metrics.evaluate`.
        repeats: Number of repeats, each on images drawn afresh; default 1.
        workers: Threads for what trains predictors; default one for each CPU.
        encoding: An `Encoding` of this model and data set to use and to add to, or `None`.
        progress: Called with the number of the layer and the name of each metric, or `None`.

    Returns:
        Dictionary that `json.dump` takes: `layers`, a list with one flat dictionary of scores for
        each layer; `details`, likewise; `settings`; with several repeats also `repeats`, their flat
        scores for each layer. The scores of several repeats are means, with `.std`, `.low` and
        `.high` as in `keras_devae.metrics.evaluate`.

    Raises:
        UsageError: If a name, a setting or a layer is wrong, or a metric needs factors that the
            data set lacks.
    """
    names = metrics.resolved_names(names, has_factors=dataset.factor_names is not None)
    metrics.check_settings(settings)
    checks.at_least("repeats", repeats, 1)
    layers = range(model.num_layers) if layers is None else layers
    for layer in layers:
        model.check_layer(layer)
    source = _Source(encoding or Encoding(model, dataset))
    samples = [metrics.draw_sample(len(dataset), images, seed, i) for i in range(repeats)]
    results = {
        layer: metrics.combined(
            [_results(source, layer, names, s, settings, workers, progress) for s in samples]
        )
        for layer in layers
    }
    return _put_together(results, dataset, samples[0], settings, repeats, seed)


def file_hash(path):
    """Returns the SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _results(source, layer, names, sample, settings, workers, progress):
    of_layer = _LayerSource(source, layer, sample.plain[:RECONSTRUCTED_IMAGES])
    step = None if progress is None else functools.partial(progress, layer)
    return {n: metrics.compute(n, of_layer, sample, settings, workers, step) for n in names}


def _put_together(results, dataset, sample, settings, repeats, seed):
    first = next(iter(results.values()))
    scores = {
        "layers": [{"layer": i, **metrics.scores_of(r)} for i, r in results.items()],
        "details": [r["details"] for r in results.values()],
        "settings": {
            "metrics": first["settings"],
            "representation": "mean",
            "images": len(sample.plain),
            "reconstructed_images": min(len(sample.plain), RECONSTRUCTED_IMAGES),
            "preset": settings,
            "repeats": repeats,
            "seed": seed,
            "package_version": __version__,
            "data": dataset.provenance,
        },
    }
    if repeats > 1:
        scores["repeats"] = [r["repeats"] for r in results.values()]
    return scores


class _Source:
    """What the layers share."""

    def __init__(self, encoding):
        self.encoding = encoding

    @functools.cached_property
    def labelled(self):
        return metrics.label_rows(self.encoding.dataset)

    @functools.cached_property
    def index(self):
        return metrics.factor_index(self.labelled.factors)


class _LayerSource:
    """What the metrics of one layer and one repeat are computed from."""

    def __init__(self, source, layer, reconstructed):
        self._source, self._encoding, self._layer = source, source.encoding, layer
        self._reconstructed = reconstructed
        self.factor_names = self._encoding.dataset.factor_names

    @functools.cached_property
    def sampler(self):
        return LayerSampler(self._encoding, self._source.labelled, self._source.index, self._layer)

    @property
    def negative_log_likelihood(self):
        return self._error["reconstruction_error.negative_log_likelihood"]

    def codes_of(self, rows):
        return self._encoding.codes(rows, self._layer)

    def factors_of(self, rows):
        return self._encoding.dataset.factors(rows)

    def posterior_of(self, rows):
        return self._encoding.posterior(rows, self._layer)

    def reconstruction_error(self):
        return self._error

    @functools.cached_property
    def _error(self):
        model = self._encoding.model
        images = self._encoding.dataset.images(self._reconstructed)
        return metrics.reconstruction_error(
            images, model.reconstruct(images, self._layer), likelihood=model.likelihood.name
        )
