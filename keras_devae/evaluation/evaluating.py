"""Scores of a trained model, layer by layer, each image encoded once."""

import functools

import numpy as np

from keras_devae import checks, metrics
from keras_devae.checks import one_of
from keras_devae.errors import UsageError
from keras_devae.evaluation.encoding import REPRESENTATIONS, Encoding, LayerSampler
from keras_devae.metrics import Score
from keras_devae.metrics.measuring import check_evaluation, combined, compute, given_options
from keras_devae.metrics.metric_warnings import gathered
from keras_devae.metrics.rows import check_factors_vary, draw_sample
from keras_devae.metrics.samplers import factor_index, label_rows
from keras_devae.version import __version__

#: Images whose reconstructions are measured; each is decoded once a layer.
RECONSTRUCTED_IMAGES = 2000


@gathered()
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
    representation="mean",
    workers=None,
    bins=None,
    discretizer=None,
    encoding=None,
    progress=None,
):
    """Computes metrics of latent layers.

    What metrics warn of is said once, at the end, as in `keras_devae.metrics.score_codes`.

    Args:
        model: A trained model.
        dataset: The data set.
        names: Names of metrics, see `keras_devae.metrics.METRICS`; `("all",)` for all that the
            data set allows, `None` for the default ones.
        images: Number of images, drawn without repetition; all of them if there are fewer.
            Predictors are fitted to these and tested on half as many more.
        seed: Integer seed of everything drawn; default 0.
        layers: Numbers of the latent layers, or `None` (default) for all.
        settings: `"paper"` (default) or `"fast"`, see `keras_devae.metrics.score_codes`.
        repeats: Number of repeats, each on images drawn afresh; default 1.
        representation: What the metrics of codes take for an image's code: `"mean"` (default) of
            the posterior, or a `"sample"` of it, which the seed and the rows asked for decide.
        workers: Threads of `keras_devae.metrics.dci`; default see there.
        bins: Number of bins a code of the metrics that put codes into bins; `None` for 20.
        discretizer: Their bins, `"histogram"` or `"quantile"`, see
            `keras_devae.metrics.score_codes`; `None` for `"histogram"`.
        encoding: An `Encoding` of this model and data set to use and to add to, or `None`.
        progress: Called with the number of the layer and the name of each metric, or `None`.

    Returns:
        Dictionary that `json.dump` takes: `layers`, a list with one flat dictionary of scores for
        each layer; `details`, likewise; `settings`; with several repeats also `repeats`, their flat
        scores for each layer. The scores of several repeats are means, with `.std`, `.low` and
        `.high` as in `keras_devae.metrics.score_codes`.

    The category of a model that has one is one more code, by its number, in all metrics of codes;
    the setting `categorical_code` says which. `elbo_decomposition.elbo` is left out for such
    models; for others its reconstruction term is that of one sample of the posterior for each of
    the reconstructed images.

    Raises:
        UsageError: If a name, a setting or a layer is wrong, settings of bins meet no metric that
            has some, or a metric needs factors that the data set lacks.
    """
    chosen = names not in (None, ("all",), ["all"], "all")
    checks.check_model(model)
    checks.check_dataset(dataset)
    names = metrics.resolved_names(names, has_factors=dataset.factor_names is not None)
    check_evaluation(settings, repeats, seed, workers, progress)
    options = given_options(names, bins, discretizer, workers)
    one_of("representation", representation, REPRESENTATIONS)
    checks.at_least("images", images, 2)
    layers = _checked_layers(model, layers)
    names = check_factors_vary(names, dataset, images, seed, repeats, chosen=chosen)
    source = _Source(encoding or Encoding(model, dataset), representation)
    samples = [draw_sample(len(dataset), images, seed, i, repeats) for i in range(repeats)]
    results = {
        layer: combined([_results(source, layer, options, s, settings, progress) for s in samples])
        for layer in layers
    }
    scores = _put_together(results, dataset, samples[0], settings, repeats, seed)
    scores["settings"]["representation"] = representation
    # Which of the codes is the number of a category, whose order means nothing.
    scores["settings"]["categorical_code"] = model.latent_dim if model.num_categories else None
    return scores


def _checked_layers(model, layers):
    """Returns the numbers of the latent layers that are meant."""
    if layers is None:
        return tuple(range(model.num_layers))
    layers = checks.listed("layers", layers, "numbers of latent layers, or None for all")
    if not layers:
        raise UsageError("`layers` must name at least one latent layer. Received: none.")
    for layer in layers:
        checks.at_least("layers", layer, 0)
        model.check_layer(layer)
    return layers


def _results(source, layer, options, sample, settings, progress):
    of_layer = _LayerSource(source, layer, sample)
    step = None if progress is None else functools.partial(progress, layer)
    return {n: compute(n, of_layer, sample, settings, o, step) for n, o in options.items()}


def _put_together(results, dataset, sample, settings, repeats, seed):
    first = next(iter(results.values()))
    scores = {
        "layers": [Score({"layer": i, **r.numbers}) for i, r in results.items()],
        "details": [r.details for r in results.values()],
        "settings": {
            "metrics": first.settings,
            "images": len(sample.plain),
            "reconstructed_images": min(len(sample.plain), RECONSTRUCTED_IMAGES),
            "preset": settings,
            "repeats": repeats,
            "seed": seed,
            "package_version": __version__,
            "data": dataset.provenance,
            "factor_names": dataset.factor_names and list(dataset.factor_names),
            "factor_sizes": _factor_sizes(dataset),
        },
    }
    if repeats > 1:
        scores["repeats"] = [r["repeats"] for r in results.values()]
    return scores


def _factor_sizes(dataset):
    """Returns how many values each factor has, or `None` where the data set does not tell."""
    sizes = getattr(dataset, "factor_sizes", None)
    return sizes and list(sizes)


class _Source:
    """What the layers share."""

    def __init__(self, encoding, representation):
        self.encoding, self.representation = encoding, representation

    @functools.cached_property
    def labelled(self):
        return label_rows(self.encoding.dataset)

    @functools.cached_property
    def index(self):
        return factor_index(self.labelled.factors)


class _LayerSource:
    """What the metrics of one layer and one repeat are computed from."""

    def __init__(self, source, layer, sample):
        self._source, self._encoding, self._layer = source, source.encoding, layer
        self._reconstructed, self._seed = sample.plain[:RECONSTRUCTED_IMAGES], sample.seed
        self._codes_seed = sample.seed if source.representation == "sample" else None
        self.factor_names = self._encoding.dataset.factor_names
        self.factor_sizes = _factor_sizes(self._encoding.dataset)

    @functools.cached_property
    def sampler(self):
        known = self._source.labelled, self._source.index
        return LayerSampler(self._encoding, *known, self._layer, self._codes_seed)

    @functools.cached_property
    def negative_log_likelihood(self):
        """The ELBO's reconstruction term, one sample of the posterior an image.

        `None` for models with a categorical code, whose KL divergence is not in the decomposition.
        """
        model = self._encoding.model
        if model.num_categories:
            return None
        means, log_vars = self._encoding.posterior(self._reconstructed, self._layer)
        noise = np.random.default_rng(self._seed).standard_normal(means.shape)
        codes = means + np.exp(0.5 * log_vars) * noise
        return self._error_of(model.decode(codes, self._layer)).mean()

    def codes_of(self, rows):
        return self._encoding.codes(rows, self._layer, self._codes_seed)

    def factors_of(self, rows):
        return self._encoding.dataset.factors(rows)

    def posterior_of(self, rows):
        return self._encoding.posterior(rows, self._layer)

    @property
    def reconstruction_error(self):
        return self._error_of(self._encoding.model.reconstruct(self._images, self._layer))

    @functools.cached_property
    def _images(self):
        return self._encoding.dataset.images(self._reconstructed)

    def _error_of(self, reconstructions):
        likelihood = self._encoding.model.likelihood
        return metrics.reconstruction_error(
            self._images,
            reconstructions,
            likelihood=likelihood.name,
            sigma=getattr(likelihood, "sigma", None),
        )
