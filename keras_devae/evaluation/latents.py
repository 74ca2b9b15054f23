"""What each latent dimension of a trained model holds."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_devae import checks, metrics
from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.evaluation.encoding import REPRESENTATIONS, Encoding
from keras_devae.metrics.labelled import check_labelled
from keras_devae.metrics.rows import draw_sample

if TYPE_CHECKING:
    from keras_devae.data import Dataset
    from keras_devae.models import VAE

#: Share of a factor's entropy from which a latent dimension is said to hold the factor.
HELD_SHARE = 0.1
#: Share of an idle dimension's KL divergence that may be signal.
IDLE_SHARE = 0.1
#: The categorical code among the holders of factors.
CATEGORY = "category"


@dataclasses.dataclass(frozen=True)
class Latents:
    """What the latent dimensions of a layer hold, measured on a data set.

    Attributes:
        layer: Number of the latent layer.
        kl: `(d,)` mean KL divergence of each dimension from the prior, in nats; that of a
            categorical code is not among them.
        signal: `(d,)` what each dimension passes on of the images, in nats, which decides whether
            it is active, see `keras_devae.metrics.signal_per_dimension`.
        low: `(d,)` 2.5 % quantile of the posterior means.
        high: `(d,)` 97.5 % quantile of the posterior means.
        information: `(d, f)` mutual information with each factor in nats; `(d, 0)` without factors.
        chance: `(d, f)` what of it a count of so few images finds where there is none, in nats.
        entropies: `(f,)` entropies of the factors in nats, above 0.
        factor_names: Names of the `f` factors that vary.
        category_shares: `(f,)` `shares` of the categorical code, `None` for a model without one.
        representation: `"mean"` or `"sample"` of the posterior, which information is measured of.
    """

    layer: int
    kl: Array
    signal: Array
    low: Array
    high: Array
    information: Array
    chance: Array
    entropies: Array
    factor_names: tuple[str, ...]
    category_shares: Array | None = None
    representation: str = "mean"

    @functools.cached_property
    def is_active(self) -> Array:
        """Which dimensions are active, `(d,)`, see `keras_devae.metrics.active_dimensions`."""
        return metrics.active_dimensions(self.signal)

    @property
    def order(self) -> Array:
        """Numbers of the dimensions, `(d,)`: the active ones first, each by falling KL."""
        return np.lexsort((-self.kl, ~self.is_active))

    @property
    def active(self) -> Array:
        """Numbers of the active dimensions, in the same order."""
        return self.order[: self.is_active.sum()]

    @property
    def idle(self) -> Array:
        """Numbers of the dimensions that differ from the prior in the same way for all images.

        Their KL divergence is as high as an active one's, but little of it distinguishes images.
        """
        costly = ~self.is_active & (self.kl >= metrics.ACTIVE_NATS)
        return np.flatnonzero(costly & (self.signal < IDLE_SHARE * self.kl))

    @functools.cached_property
    def shares(self) -> Array:
        """Mutual information as a share of each factor's entropy, `(d, f)`, in `[0, 1]`.

        It is adjusted for chance, as Vinh et al. (2010, Information Theoretic Measures for
        Clusterings Comparison) adjust theirs: what chance finds is subtracted from both. Counts
        find some information in noise, and much where images are few and values many.
        """
        return _beyond_chance(self.information, self.chance, self.entropies)

    @property
    def best_shares(self) -> Array:
        """Largest share of each factor's entropy in a dimension, `(f,)`.

        Of means, only active dimensions count: noise hides what the means of others hold. Samples
        have that noise in them.
        """
        counts = self.is_active[:, None] | (self.representation == "sample")
        return np.where(counts, self.shares, 0.0).max(axis=0)

    def share_of(self, holder: int | str, factor: str) -> float:
        """Returns the share, from 0 to 1, of a factor's entropy in a dimension or `"category"`."""
        shares: Any = self.category_shares if holder == CATEGORY else self.shares[holder]
        return float(shares[self.factor_names.index(factor)])

    def factor_of(self, dimension: int) -> str | None:
        """Returns the name of the factor that a dimension holds, or `None`.

        It is the factor with the largest share of its entropy in the dimension, if that share is at
        least `HELD_SHARE`; an inactive dimension holds none.
        """
        if not self.factor_names or not self.is_active[dimension]:
            return None
        shares = self.shares[dimension]
        best = int(shares.argmax())
        return self.factor_names[best] if shares[best] >= HELD_SHARE else None

    def name_of(self, dimension: int) -> str:
        """Returns the dimension's number with the factor that it holds, e.g. `"z3 scale"`."""
        factor = self.factor_of(dimension)
        return f"z{dimension}" if factor is None else f"z{dimension} {factor}"

    def holders(self, with_category: bool = False) -> dict[str, list[int | str]]:
        """Returns the numbers of the latent dimensions that hold each factor, by falling share.

        With the category, the categorical code, `"category"`, is among them if it has at least
        `HELD_SHARE` of the factor's entropy, see `share_of`; default without.
        """
        found: dict[str, list[int | str]] = {name: [] for name in self.factor_names}
        for dimension in self.order:
            factor = self.factor_of(dimension)
            if factor is not None:
                found[factor].append(int(dimension))
        for factor, holders in found.items():
            has_category = with_category and self.category_shares is not None
            if has_category and self.share_of(CATEGORY, factor) >= HELD_SHARE:
                holders.append(CATEGORY)
            holders.sort(key=functools.partial(self.share_of, factor=factor), reverse=True)
        return found


def measure_latents(
    model: VAE,
    dataset: Dataset,
    layer: int | None = 0,
    images: int = 5000,
    seed: int = 0,
    encoding: Encoding | None = None,
    representation: str = "mean",
) -> Any:
    """Measures what the latent dimensions of a layer hold.

    Args:
        model: A trained model.
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
        A `Latents`, or for `layer=None` a list with one for each layer. Information is counted in
        20 equal-width bins, as in the mutual information gap; continuous factors count by their
        bins, as in `dataset.factors`. The information of the most probable category is
        the same in all layers.

    Raises:
        UsageError: If there is no such layer or representation, or `images` is below 2.
    """
    checks.one_of("representation", representation, REPRESENTATIONS)
    checks.check_model(model)
    checks.check_dataset(dataset)
    if layer is not None:
        model.check_layer(layer)
    rows = draw_sample(len(dataset), images, seed).plain
    means, log_vars = _posterior(model, dataset, rows, encoding)
    factors, names = varying_factors(dataset, rows)
    category = _category_shares(model, dataset, rows, factors, encoding) if names else None
    layers = range(len(means)) if layer is None else [layer]
    noise = _noise(means, seed) if representation == "sample" else None
    known = noise, factors, names, category
    measured = [_measured(i, (means[i], log_vars[i]), *known) for i in layers]
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
    checks.check_dataset(dataset)
    rows = draw_sample(len(dataset), images, seed).plain
    labelled = check_labelled(rows[:, None], dataset.factors(rows), dataset.factor_names)
    means, log_vars = _posterior(model, dataset, rows, encoding)
    noise = _noise(means, seed)
    information = [
        metrics.mutual_information_matrix(_sampled(*posterior, noise), labelled.factors)
        for posterior in zip(means, log_vars, strict=True)
    ]
    return np.stack(information), metrics.entropy(labelled.factors), labelled.names


def varying_factors(dataset: Dataset, rows: Array) -> tuple[Array, tuple[str, ...]]:
    """Returns the factors of some rows that vary, `(n, f)`, and their names; warns of others."""
    factors = None if dataset.factor_names is None else dataset.factors(rows)
    if factors is None or (factors == factors[0]).all():
        return np.zeros((len(rows), 0), np.int64), ()
    labelled = check_labelled(rows[:, None], factors, dataset.factor_names)
    return labelled.factors, tuple(labelled.names)


def _posterior(
    model: VAE, dataset: Dataset, rows: Array, encoding: Encoding | None
) -> tuple[Array, Array]:
    """Returns means and log-variances of all layers, `(K, n, d)`."""
    if not hasattr(model, "posterior"):
        raise UsageError(
            "Latents are measured of a model of this package. Received: a value of type "
            f"{type(model).__name__}; score the codes of a function with "
            "`keras_devae.evaluation.evaluate`."
        )
    if not (encoding is None or isinstance(encoding, Encoding)):
        raise UsageError(
            "`encoding` must be a keras_devae.evaluation.encoding.Encoding. Received: "
            f"{checks.shown(encoding)}."
        )
    if encoding is None:
        return model.posterior(dataset.images(rows), None)
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
    return _beyond_chance(*counted, metrics.entropy(factors))[0]


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


def _beyond_chance(information: Array, chance: Array, entropies: Array) -> Array:
    """Returns information as a share of entropy, from 0 for what chance finds, see `shares`."""
    room = entropies - chance
    found = np.maximum(information - chance, 0)
    return np.divide(found, room, out=np.zeros_like(found), where=room > 0)


def _measured(
    layer: int,
    posterior: tuple[Array, Array],
    noise: Array | None,
    factors: Array,
    names: tuple[str, ...],
    category_shares: Array | None,
) -> Latents:
    """Makes the `Latents` of a layer; information is of means where there is no noise."""
    means = posterior[0]
    information = chance = np.zeros((means.shape[1], 0))
    if names:
        codes = means if noise is None else _sampled(*posterior, noise)
        information, chance = _information_and_chance(codes, factors)
    low, high = np.quantile(means, (0.025, 0.975), axis=0)
    return Latents(
        layer=layer,
        kl=metrics.kl_per_dimension(*posterior),
        signal=metrics.signal_per_dimension(*posterior),
        low=low,
        high=high,
        information=information,
        chance=chance,
        entropies=metrics.entropy(factors) if names else np.zeros(0),
        factor_names=names,
        category_shares=category_shares,
        representation="mean" if noise is None else "sample",
    )
