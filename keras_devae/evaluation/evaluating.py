"""Scores of a trained model, layer by layer, each image encoded once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_devae import checks, metrics
from keras_devae.checks import Array, one_of
from keras_devae.errors import UsageError
from keras_devae.evaluation.encoding import REPRESENTATIONS, Encoding, LayerSampler
from keras_devae.evaluation.function_encoder import BATCH, FunctionEncoder
from keras_devae.evaluation.known_codes import encoding_of
from keras_devae.metrics import Score
from keras_devae.metrics.labelled import LabelledCodes
from keras_devae.metrics.measuring import (
    check_evaluation,
    combined,
    compute,
    given_options,
    with_estimator,
)
from keras_devae.metrics.metric_warnings import gathered
from keras_devae.metrics.row_index import FactorIndex, factor_index
from keras_devae.metrics.rows import Sample, check_factors_vary, draw_sample
from keras_devae.metrics.samplers import label_rows
from keras_devae.version import __version__

if TYPE_CHECKING:
    from keras_devae.data import Dataset
    from keras_devae.models import VAE

#: Images whose reconstructions are measured; each is decoded once per layer.
RECONSTRUCTED_IMAGES = 2000


@gathered()
def evaluate(
    model: VAE | FunctionEncoder | Callable[[Array], Any] | Array,
    dataset: Dataset,
    names: Iterable[str] | None = None,
    images: int = 10_000,
    seed: int = 0,
    *,
    layers: Iterable[int] | None = None,
    settings: str = "paper",
    repeats: int = 1,
    representation: str = "mean",
    workers: int | None = None,
    bins: int | None = None,
    discretizer: str | None = None,
    estimator: str | None = None,
    encoding: Encoding | None = None,
    progress: Callable[[int, str], None] | None = None,
) -> dict[str, Any]:
    """Computes metrics of a model's latent layers.

    Each warning is issued once, at the end, as in `keras_devae.metrics.score_codes`.

    Args:
        model: A trained model; or any function from a uint8 batch of images to codes, see
            `keras_devae.evaluation.FunctionEncoder`, which has no reconstructions and may have no
            posterior: metrics of these are refused by name, and left out of `("all",)`; or codes
            from elsewhere, see `keras_devae.evaluation.KnownCodes`.
        dataset: The data set.
        names: Names of metrics, see `keras_devae.metrics.METRICS`; `("all",)` for all that the data
            set allows, `None` for the default ones.
        images: Number of images, drawn without repetition; all of them if there are fewer.
            Predictors are fitted to these and tested on half as many more.
        seed: Integer seed of everything drawn; default 0.
        layers: Numbers of the latent layers, or `None` (default) for all.
        settings: As for `keras_devae.metrics.score_codes`.
        workers: As for `keras_devae.metrics.score_codes`.
        bins: As for `keras_devae.metrics.score_codes`.
        discretizer: As for `keras_devae.metrics.score_codes`.
        estimator: As for `keras_devae.metrics.score_codes`.
        repeats: Number of repeats, each on images drawn afresh; default 1.
        representation: What counts as an image's code: the `"mean"` of the posterior (default), or
            a `"sample"` of it, which depends on the seed and the rows asked for.
        encoding: An `Encoding` of this model and data set to use and to add to, or `None`.
        progress: Called with the number of the layer and the name of each metric, or `None`.

    Returns:
        Dictionary that `json.dump` takes: `layers`, a list with the flat scores of each layer, a
        `keras_devae.metrics.Score`; `details`, likewise; `settings`; with several repeats also
        `repeats`, their flat scores for each layer. The scores of several repeats are means, with
        `.std`, `.low` and `.high` as in `keras_devae.metrics.score_codes`. Of a function,
        `settings["encoder"]` has the name, and versions of the packages in use.

    Factors that the data set declares continuous are scored as `score_codes` scores them, by what
    was measured where a metric allows it, else by the data set's bins.

    In all metrics of codes, the number of the category of a model that has one is one more code;
    the setting `categorical_code` says which. `elbo_decomposition.elbo` is left out for such
    models; for others its reconstruction term uses one sample of the posterior per image.

    Where the posterior is known by samples only (`FlowVAE`, `LadderVAE`), the divergence in `kl`
    and the bound is the mean over fixed draws of each image; metrics that need its density are
    refused by name, and left out of `("all",)`.

    Raises:
        UsageError: If a name, a setting or a layer is wrong, `bins`, `discretizer` or `estimator`
            is given and no metric takes it, or a metric needs factors that the data set lacks.
    """
    chosen = names not in (None, ("all",), ["all"], "all")
    checks.check_dataset(dataset)
    check_evaluation(settings, repeats, seed, workers, progress)
    checks.at_least("images", images, 2)
    one_of("representation", representation, REPRESENTATIONS)
    samples = [draw_sample(len(dataset), images, seed, i, repeats) for i in range(repeats)]
    encoding = encoding or encoding_of(model, dataset)
    present = _present(encoding, samples[0], representation)
    model = encoding.model
    names = metrics.resolved_names(names, has_factors=dataset.factor_names is not None, **present)
    options = given_options(names, bins, discretizer, workers)
    options = with_estimator(options, estimator, bool(_continuous_names(dataset)))
    layers = _checked_layers(model, layers)
    names = check_factors_vary(names, dataset, images, seed, repeats, chosen=chosen)
    if not names:
        raise UsageError(
            "There is nothing to score: the images have no factors that vary, and the encoder "
            "returns no `z_log_var`."
        )
    source = _Source(encoding, representation)
    results = {}
    for layer in layers:
        step = None if progress is None else functools.partial(progress, layer)
        drawn = [(_LayerSource(source, layer, sample), sample, settings) for sample in samples]
        results[layer] = combined(
            [{n: compute(n, *of, options[n], step) for n in names} for of in drawn]
        )
    scores = _put_together(results, dataset, samples[0], settings, repeats, seed)
    scores["settings"]["representation"] = representation
    # Which of the codes is the number of a category, whose order means nothing.
    scores["settings"]["categorical_code"] = model.latent_dim if model.num_categories else None
    if isinstance(model, FunctionEncoder):
        scores["settings"]["encoder"] = model.describe()
    return scores


def _present(encoding: Encoding, sample: Sample, representation: str) -> dict[str, bool]:
    """Returns whether there are a posterior and reconstructions; asks a function's first batch."""
    encoder = encoding.model
    is_function = isinstance(encoder, FunctionEncoder)
    if is_function:
        encoding.prepare(sample.plain[:BATCH])
    has_samples = encoder.has_posterior or encoder.samples_posterior
    if representation == "sample" and not has_samples:
        raise UsageError("Codes without `z_log_var` have no samples of the posterior.")
    decodes = not is_function and encoder.decodes(encoder.image_shape)
    return {
        "has_posterior": encoder.has_posterior,
        "samples_posterior": encoder.samples_posterior,
        "has_images": decodes,
    }


def _checked_layers(model: VAE, layers: Iterable[int] | None) -> tuple[int, ...]:
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


def _put_together(
    results: dict[int, Score],
    dataset: Dataset,
    sample: Sample,
    settings: str,
    repeats: int,
    seed: int,
) -> dict[str, Any]:
    first = next(iter(results.values()))
    scores: dict[str, Any] = {
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


def _continuous_names(dataset: Dataset) -> tuple[str, ...]:
    """Returns the names of the continuous factors, none if the data set does not say."""
    return tuple(getattr(dataset, "continuous_factors", ()))


def _factor_sizes(dataset: Dataset) -> list[int] | None:
    """Returns how many values each factor has, or `None` if the data set does not say."""
    sizes = getattr(dataset, "factor_sizes", None)
    return sizes and list(sizes)


class _Source:
    """The data shared by all layers."""

    def __init__(self, encoding: Encoding, representation: str):
        self.encoding, self.representation = encoding, representation

    @functools.cached_property
    def labelled(self) -> LabelledCodes:
        """The factors of all rows, with row numbers in place of codes."""
        return label_rows(self.encoding.dataset)

    @functools.cached_property
    def index(self) -> FactorIndex:
        """Finds rows that share the value of a factor."""
        return factor_index(self.labelled.factors)


class _LayerSource:
    """The data for the metrics of one layer and one repeat."""

    def __init__(self, source: _Source, layer: int, sample: Sample):
        self._source, self._encoding, self._layer = source, source.encoding, layer
        self._reconstructed, self._seed = sample.plain[:RECONSTRUCTED_IMAGES], sample.seed
        self._codes_seed = sample.seed if source.representation == "sample" else None
        self.factor_names = self._encoding.dataset.factor_names
        self.factor_sizes = _factor_sizes(self._encoding.dataset)
        self.continuous_factors = _continuous_names(self._encoding.dataset)

    @functools.cached_property
    def sampler(self) -> LayerSampler:
        """A `Sampler` over the whole data set."""
        known = self._source.labelled, self._source.index
        return LayerSampler(self._encoding, *known, self._layer, self._codes_seed)

    @functools.cached_property
    def negative_log_likelihood(self) -> float | None:
        """The ELBO's reconstruction term, with one sample of the posterior per image.

        `None` for models with a categorical code, whose KL divergence is not in the decomposition.
        """
        model = self._encoding.model
        if model.num_categories or isinstance(model, FunctionEncoder):
            return None
        if model.samples_posterior:
            codes = self._encoding.codes(self._reconstructed, self._layer, self._seed)
        else:
            means, log_vars = self._encoding.posterior(self._reconstructed, self._layer)
            noise = np.random.default_rng(self._seed).standard_normal(means.shape)
            codes = means + np.exp(0.5 * log_vars) * noise
        return self._error_of(model.decode(codes, self._layer)).mean()

    def codes_of(self, rows: Array) -> Array:
        """Returns the codes `(n, d)` of rows."""
        return self._encoding.codes(rows, self._layer, self._codes_seed)

    def factors_of(self, rows: Array) -> Array:
        """Returns the factors `(n, f)` of rows, with bins of continuous ones."""
        return self._encoding.dataset.factors(rows)

    def measured_of(self, rows: Array) -> dict[str, Array]:
        """Returns the measured values `(n,)` of continuous factors by name."""
        dataset = self._encoding.dataset
        values = dataset.factor_values(rows)
        columns = dict(zip(dataset.factor_names or (), values.T, strict=True))
        return {name: columns[name] for name in self.continuous_factors}

    def posterior_of(self, rows: Array) -> tuple[Array, Array]:
        """Returns the means and log-variances `(n, d)` of rows."""
        return self._encoding.posterior(rows, self._layer)

    def divergences_of(self, rows: Array) -> Array | None:
        """Returns the KL divergences `(n,)` of rows where these are estimated, else `None`."""
        return self._encoding.divergences(rows)

    def reconstruction_error(self) -> Score:
        """Returns the result of `keras_devae.metrics.reconstruction_error`."""
        return self._error_of(self._encoding.model.reconstruct(self._images, self._layer))

    @functools.cached_property
    def _images(self) -> Array:
        return self._encoding.dataset.images(self._reconstructed)

    def _error_of(self, reconstructions: Array) -> Score:
        likelihood = self._encoding.model.likelihood
        return metrics.reconstruction_error(
            self._images,
            reconstructions,
            likelihood=likelihood.name,
            sigma=getattr(likelihood, "sigma", None),
        )
