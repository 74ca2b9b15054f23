"""What each latent dimension of a trained model holds."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_devae import checks, metrics
from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.evaluation.encoding import REPRESENTATIONS, Encoding
from keras_devae.evaluation.function_encoder import FunctionEncoder
from keras_devae.evaluation.known_codes import encoding_of
from keras_devae.evaluation.measured_latents import Latents, beyond_chance
from keras_devae.metrics.labelled import check_labelled
from keras_devae.metrics.rows import draw_sample

if TYPE_CHECKING:
    from keras_devae.data import Dataset
    from keras_devae.models import VAE


def measure_latents(
    model: VAE | FunctionEncoder | Callable[[Array], Any] | Array,
    dataset: Dataset,
    layer: int | None = 0,
    images: int = 5000,
    seed: int = 0,
    encoding: Encoding | None = None,
    representation: str = "mean",
) -> Any:
    """Measures what the latent dimensions of a layer hold.

    Args:
        model: A trained model; or, as for `keras_devae.evaluation.evaluate`, a function of images,
            or codes from elsewhere.
        dataset: The data set, with or without factors.
        layer: Number of the latent layer, default 0; or `None` for all of them.
        images: Images that are encoded, each once; default 5,000, or all if there are fewer.
        seed: Integer seed of their choice; default 0.
        encoding: An `Encoding` of the data set, so that nothing is encoded twice, or `None`.
        representation: What information is measured of: the `"mean"` of the posterior (default), as
            in the mutual information gap, or a `"sample"` of it, with the same noise in all layers.
            A layer that scales the one before holds the same information in its means, and less in
            its samples.

    Returns:
        A `Latents`, or for `layer=None` a list with one for each layer, with arrays `(d,)` of
        numbers of the dimensions and `(d, f)` of what each tells about each factor. Information is
        counted in 20 equal-width bins, as in the mutual information gap; continuous factors count
        by their bins, as in `dataset.factors`. The information of the most probable category is
        the same in all layers.

    Raises:
        UsageError: If there is no such layer or representation, or `images` is below 2.
    """
    checks.one_of("representation", representation, REPRESENTATIONS)
    checks.check_dataset(dataset)
    _check_encoding(encoding)
    if not hasattr(model, "posterior"):
        encoding = encoding or encoding_of(model, dataset)
    encoder: Any = model if encoding is None else encoding.model
    if layer is not None:
        encoder.check_layer(layer)
    rows = draw_sample(len(dataset), images, seed).plain
    by_samples = getattr(encoder, "samples_posterior", False)
    if by_samples and encoding is None:
        encoding = Encoding(encoder, dataset)
    means, log_vars = _posterior(encoder, dataset, rows, encoding)
    has_posterior = getattr(encoder, "has_posterior", True) or by_samples
    if representation == "sample" and not has_posterior:
        raise UsageError("Codes without `z_log_var` have no samples of the posterior.")
    factors, names = varying_factors(dataset, rows)
    category = _category_shares(encoder, dataset, rows, factors, encoding) if names else None
    layers = range(len(means)) if layer is None else [layer]
    samples: list[Any] = [None] * len(means)
    if representation == "sample" and by_samples and encoding is not None:
        samples = [encoding.codes(rows, 0, seed)]
    elif representation == "sample":
        noise = _noise(means, seed)
        samples = [_sampled(*posterior, noise) for posterior in zip(means, log_vars, strict=True)]
    divergences = None if encoding is None else encoding.divergences(rows)
    kl = None if divergences is None else float(divergences.mean())
    known = factors, names, category, has_posterior, kl
    measured = [_measured(i, (means[i], log_vars[i]), samples[i], *known) for i in layers]
    return measured if layer is None else measured[0]


def measure_to_name(model: VAE, dataset: Dataset, *args: Any, **options: Any) -> Any:
    """Measures latents as `measure_latents` does, where factors only serve as their names.

    Does not warn about constant factors, because they would not name anything.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", metrics.MetricWarning)
        return measure_latents(model, dataset, *args, **options)


def information_of_layers(
    model: VAE,
    dataset: Dataset,
    images: int = 5000,
    seed: int = 0,
    encoding: Encoding | None = None,
) -> tuple[Array, Array, tuple[str, ...]]:
    """Measures what each latent layer passes on of each factor (Figure 11 of the DeVAE paper).

    It uses samples of the posterior, with the same noise in all layers. With means, information
    would not change from layer to layer, because scaling moves no value to another bin.

    Args:
        model: A trained model.
        dataset: A data set with factors.
        images: As for `measure_latents`.
        seed: Integer seed of their choice and of the noise; default 0.
        encoding: As for `measure_latents`.

    Returns:
        Tuple of the mutual information `(K, d, f)` in nats, counted in 20 equal-width bins, the
        entropies `(f,)` of the factors in nats, and their names. Unlike `Latents.shares` it is not
        adjusted for chance.

    Raises:
        UsageError: If the data set has no factor that varies, or `images` is below 2.
    """
    checks.check_model(model)
    if not hasattr(model, "posterior"):
        raise UsageError(
            "Only models of this package have several layers. Received: a value of type "
            f"{type(model).__name__}; see `measure_latents` for any encoder."
        )
    _check_encoding(encoding)
    checks.check_dataset(dataset)
    rows = draw_sample(len(dataset), images, seed).plain
    labelled = check_labelled(rows[:, None], dataset.factors(rows), dataset.factor_names)
    if model.samples_posterior:
        codes = [(encoding or Encoding(model, dataset)).codes(rows, 0, seed)]
    else:
        means, log_vars = _posterior(model, dataset, rows, encoding)
        noise = _noise(means, seed) if model.has_posterior else np.zeros(means.shape[1:])
        codes = [_sampled(*posterior, noise) for posterior in zip(means, log_vars, strict=True)]
    information = [metrics.mutual_information_matrix(z, labelled.factors) for z in codes]
    return np.stack(information), metrics.entropy(labelled.factors), labelled.names


def varying_factors(dataset: Dataset, rows: Array) -> tuple[Array, tuple[str, ...]]:
    """Returns the factors of some rows that vary, `(n, f)`, and their names; warns of others."""
    factors = None if dataset.factor_names is None else dataset.factors(rows)
    if factors is None or (factors == factors[0]).all():
        return np.zeros((len(rows), 0), np.int64), ()
    labelled = check_labelled(rows[:, None], factors, dataset.factor_names)
    return labelled.factors, tuple(labelled.names)


def _check_encoding(encoding: object) -> None:
    if not (encoding is None or isinstance(encoding, Encoding)):
        raise UsageError(
            "`encoding` must be a keras_devae.evaluation.encoding.Encoding. Received: "
            f"{checks.shown(encoding)}."
        )


def _posterior(
    model: VAE, dataset: Dataset, rows: Array, encoding: Encoding | None
) -> tuple[Array, Array]:
    """Returns means and log-variances of all layers, `(K, n, d)`."""
    if encoding is None:
        return model.layer_posterior(*model.encoder_posterior(dataset.images(rows)), None)
    return encoding.posterior(rows, None)


def _noise(means: Array, seed: int) -> Array:
    """Returns the noise of all layers' samples, `(n, d)`."""
    return np.random.default_rng(seed).standard_normal(means.shape[1:], dtype=np.float32)


def _sampled(mean: Array, log_var: Array, noise: Array) -> Array:
    return mean + np.exp(0.5 * log_var) * noise


def _category_shares(
    model: VAE, dataset: Dataset, rows: Array, factors: Array, encoding: Encoding | None
) -> Array | None:
    """Returns the shares of the factors' entropies in the categorical code, `(f,)`, if any."""
    if not model.num_categories:
        return None
    if encoding is None:
        categories = model.encode_categories(dataset.images(rows))
    else:
        categories = encoding.codes(rows, 0)[:, -1]
    codes = np.asarray(categories, np.int64)[:, None]
    counted = _information_and_chance(codes, factors, "identity")
    return beyond_chance(*counted, metrics.entropy(factors))[0]


def _information_and_chance(
    codes: Array, factors: Array, discretizer: str = "histogram"
) -> tuple[Array, Array]:
    """Returns the information `(d, f)` of codes on the factors, and on other images' factors."""
    others = factors[np.random.default_rng(0).permutation(len(factors))]
    information, chance = (
        metrics.mutual_information_matrix(codes, known, discretizer=discretizer)
        for known in (factors, others)
    )
    return information, chance


def _measured(
    layer: int,
    posterior: tuple[Array, Array],
    samples: Array | None,
    factors: Array,
    names: tuple[str, ...],
    category_shares: Array | None,
    has_posterior: bool,
    estimated_kl: float | None,
) -> Latents:
    """Makes the `Latents` of a layer; information is of means where there are no samples."""
    means = posterior[0]
    information = chance = np.zeros((means.shape[1], 0))
    if names:
        codes = means if samples is None else samples
        information, chance = _information_and_chance(codes, factors)
    low, high = np.quantile(means, (0.025, 0.975), axis=0)
    if has_posterior:
        kl, signal = (
            metrics.kl_per_dimension(*posterior),
            metrics.signal_per_dimension(*posterior),
        )
    else:
        kl = np.full(means.shape[1], np.nan)
        signal = np.where((means == means[0]).all(axis=0), 0.0, np.inf)
    return Latents(
        layer=layer,
        kl=kl,
        signal=signal,
        low=low,
        high=high,
        information=information,
        chance=chance,
        entropies=metrics.entropy(factors) if names else np.zeros(0),
        factor_names=names,
        category_shares=category_shares,
        representation="mean" if samples is None else "sample",
        estimated_kl=estimated_kl,
    )
