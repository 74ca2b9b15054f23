"""How informative latent dimensions are about the factors, and their KL divergences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_devae import checks, figures
from keras_devae.checks import Array
from keras_devae.data.titles import title_of
from keras_devae.errors import UsageError
from keras_devae.evaluation.encoding import Encoding
from keras_devae.evaluation.latents import measure_latents, measure_to_name
from keras_devae.evaluation.measured_latents import Latents
from keras_devae.figures.of_models.drawn_latents import (
    active_or_strongest,
    common_name,
    join_nonempty,
    name_of,
    strongest,
    strongest_of_layers,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_IMAGES = 5000
#: Points in a panel.
_POINTS = 1000
_MOST_LATENTS, _MOST_BARS = 15, 24


def information_map_figure(
    model: Any, dataset: Any, layer: int | None = None, seed: int = 0, representation: str = "mean"
) -> Figure:
    """Draws the mutual information of the active latent dimensions with each factor.

    It is `keras_devae.evaluation.Latents.shares`. At most 15 rows are drawn, ordered by KL
    divergence: the largest that the dimension has in a layer drawn. Where no dimension is active,
    they are the strongest.

    Args:
        model: A trained model.
        dataset: A data set with factors.
        layer: Number of one layer, or `None` (default) for a panel for each.
        seed: Seed of the choice of 5,000 images; default 0.
        representation: `"mean"` (default) or `"sample"`: what of the posterior is measured, see
            `keras_devae.evaluation.latents.measure_latents`.

    Returns:
        The figure, whose title names what is measured.

    Raises:
        UsageError: If no factor varies, or there is no such layer or representation.
    """
    layers = _layers_with_factors(model, dataset, layer, seed, representation)
    latents = strongest_of_layers(layers)
    dimensions, left_out = active_or_strongest(latents, _MOST_LATENTS)
    most = "" if len(layers) == 1 or not latents.has_posterior else "max "
    labels = [f"z{d}  {most}{latents.remark_of(d)}" for d in dimensions]
    what = f"{name_of(model)} on {title_of(dataset.name)}, information of {latents.measured}"
    return map_of(layers, dimensions, labels, join_nonempty(what, left_out))


def map_of(
    layers: Sequence[Latents],
    dimensions: Sequence[int] | Array,
    labels: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draws how informative latent dimensions are about each factor, one panel per layer.

    The layers must be measured with factors; `labels` are written beside the dimensions.
    """
    first = layers[0]
    return figures.information_map(
        np.stack([latents.shares[dimensions] * first.entropies for latents in layers]),
        first.entropies,
        first.factor_names,
        latent_names=[f"z{d}" for d in dimensions] if labels is None else labels,
        layer_names=[f"layer {latents.layer}" for latents in layers],
        title=title,
    )


def information_over_layers_figure(
    model: Any, dataset: Any, seed: int = 0, representation: str = "mean"
) -> Figure:
    """Draws how informative the best active latent dimension of each layer is about each factor.

    Layers that only scale the one before, as DeVAE's do, are equally informative in their means.
    What their noise leaves of it is the information of samples (Figure 11 of the DeVAE paper).

    Args:
        model: A trained model.
        dataset: A data set with factors.
        seed: Seed of the choice of 5,000 images; default 0.
        representation: As for `information_map_figure`.

    Returns:
        The figure, whose title names what is measured.

    Raises:
        UsageError: If the data set has no factor that varies, or there is no such representation.
    """
    return over_layers_of(_layers_with_factors(model, dataset, None, seed, representation))


def over_layers_of(layers: Sequence[Latents]) -> Figure:
    """Draws `Latents.best_shares` of each layer, measured with factors."""
    first = layers[0]
    return figures.information_over_layers(
        np.stack([latents.best_shares[None] * first.entropies for latents in layers]),
        first.entropies,
        first.factor_names,
        title=f"Information of {first.measured}",
    )


def factor_scatter_figure(model: Any, dataset: Any, layer: int = 0, seed: int = 0) -> Figure:
    """Draws each factor against the active latent dimension that is most informative about it.

    Args:
        model: A trained model.
        dataset: A data set with factors.
        layer: Number of the latent layer; default 0.
        seed: Seed of the choice of 1,000 images, and of 5,000 to measure information; default 0.

    Returns:
        The figure; behind the name of each dimension is the share of the factor's entropy that its
        posterior mean holds. Where no dimension is active, all are compared.

    Raises:
        UsageError: If the data set has no factor that varies, or there is no such layer.
    """
    checks.check_model(model)
    model.check_layer(layer)
    (latents,) = _layers_with_factors(model, dataset, layer, seed)
    rows = np.random.default_rng(seed).integers(len(dataset), size=min(len(dataset), _POINTS))
    known = latents.active if len(latents.active) else latents.order
    best = known[latents.shares[known].argmax(axis=0)]
    shares = latents.shares[best, np.arange(len(best))]
    return against_factors(
        model.encode(dataset.images(rows), layer)[:, best],
        dataset,
        rows,
        [f"z{d} ({share:.0%})" for d, share in zip(best, shares, strict=True)],
        latents.factor_names,
    )


def against_factors(
    codes: Array, dataset: Any, rows: Array, latents: Sequence[str], names: Sequence[str]
) -> Figure:
    """Draws codes `(n, m)` of rows against the factors they are paired with, in their own terms."""
    known = list(dataset.factor_names)
    columns = [known.index(name) for name in names]
    factors = dataset.factors(rows)[:, columns].astype(np.float64)
    measured = [place for place, name in enumerate(names) if name in dataset.continuous_factors]
    factors[:, measured] = dataset.factor_values(rows)[:, [columns[place] for place in measured]]
    return figures.factor_scatter(
        codes,
        factors,
        latents,
        names,
        dataset.factor_labels,
        dataset.nominal_factors,
        dataset.continuous_factors,
    )


def kl_figure(model: Any, dataset: Any, layer: int | None = None, seed: int = 0) -> Figure:
    """Draws the KL divergence of each latent dimension from the prior, active ones first.

    Args:
        model: A trained model.
        dataset: The data set, with or without factors.
        layer: Number of one layer, or `None` (default) for bars of all layers: dimensions that are
            active in any of them first, each by its largest KL divergence.
        seed: Seed of the choice of 5,000 images; default 0.

    Returns:
        The figure with 24 dimensions at most, pale where they are not active, and the factors they
        hold, where these are the same in all layers.

    Raises:
        UsageError: If there is no such layer, or the model has no posterior.
    """
    measured = measure_to_name(model, dataset, layer, _IMAGES, seed)
    layers = measured if layer is None else [measured]
    if not layers[0].has_posterior:
        raise UsageError(f"The codes of {name_of(model)} have no posterior, whose KL is drawn.")
    dimensions, left_out = strongest(strongest_of_layers(layers), _MOST_BARS)
    title = f"{type(model).__name__} on {title_of(dataset.name)}: KL divergence by latent dimension"
    return figures.kl_bars(
        np.stack([latents.kl[dimensions] for latents in layers]),
        latent_names=[common_name(layers, d) for d in dimensions],
        layer_names=[f"layer {latents.layer}" for latents in layers],
        active=np.stack([latents.is_active[dimensions] for latents in layers]),
        title=join_nonempty(title, left_out),
    )


def _layers_with_factors(model, dataset, layer, seed, representation="mean"):
    """Returns the latents of one layer, or of all, as a list; at least one factor must vary."""
    checks.check_dataset(dataset)
    encoding = Encoding(model, dataset)
    measured = measure_latents(model, dataset, layer, _IMAGES, seed, encoding, representation)
    layers = measured if layer is None else [measured]
    if not layers[0].factor_names:
        raise UsageError(
            f"A latent is drawn against a factor that varies, and the data set {dataset.name!r} "
            "has none."
        )
    return layers
