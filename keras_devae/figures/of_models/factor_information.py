"""What latent dimensions tell of the factors, and how much they tell at all."""

import numpy as np

from keras_devae import checks, figures
from keras_devae.errors import UsageError
from keras_devae.evaluation.encoding import Encoding
from keras_devae.evaluation.latents import measure_latents, measure_to_name
from keras_devae.figures.of_models.drawn_latents import (
    active_or_strongest,
    common_name,
    over_layers,
    strongest,
    titled,
)

_IMAGES = 5000
#: Points in a panel.
_POINTS = 1000
_MOST_LATENTS, _MOST_BARS = 15, 24


def information_map_figure(model, dataset, layer=None, seed=0, representation="mean"):
    """Draws the mutual information of the active latent dimensions with each factor.

    It is `keras_devae.evaluation.Latents.shares`. Rows are ordered by KL divergence, the largest
    that the dimension has in a layer drawn, and are 15 at most; where none is active, they are the
    strongest.

    Args:
        model: A trained model.
        dataset: A data set with factors.
        layer: Number of one layer, or `None` (default) for a panel for each.
        seed: Integer seed of the choice of 5,000 images.
        representation: `"mean"` (default) or `"sample"`: what of the posterior the information is
            of, see `keras_devae.evaluation.latents.measure_latents`.

    Returns:
        A `matplotlib.figure.Figure`, which says of what the information is.

    Raises:
        UsageError: If the data set has no factor that varies, or there is no such layer or
            representation.
    """
    measured = _of_factors(model, dataset, layer, seed, representation)
    latents = over_layers(measured)
    dimensions, left_out = active_or_strongest(latents, _MOST_LATENTS)
    most = "KL" if len(measured) == 1 else "max KL"
    labels = [f"z{d}  {most} {latents.kl[d]:.2f}" for d in dimensions]
    what = f"{type(model).__name__} on {dataset.name}, information of posterior {representation}s"
    return map_of(measured, dimensions, labels, titled(what, left_out))


def map_of(measured, dimensions, labels=None, title=None):
    """Draws what latent dimensions tell of each factor, a panel a layer.

    Args:
        measured: List of `keras_devae.evaluation.Latents`, one for each layer, with factors.
        dimensions: Numbers of the dimensions drawn.
        labels: What is written beside them; default `z3`, ...
        title: Text above the figure, or `None` (default).

    Returns:
        A `matplotlib.figure.Figure`.
    """
    first = measured[0]
    return figures.information_map(
        np.stack([one.shares[dimensions] * first.entropies for one in measured]),
        first.entropies,
        first.factor_names,
        latent_names=[f"z{d}" for d in dimensions] if labels is None else labels,
        layer_names=[f"layer {one.layer}" for one in measured],
        title=title,
    )


def information_over_layers_figure(model, dataset, seed=0, representation="mean"):
    """Draws how much the best active latent dimension of each layer tells of each factor.

    Layers that only scale the one before, as DeVAE's do, tell the same in their means. What their
    noise leaves of it is the information of samples (Figure 11 of the DeVAE paper).

    Args:
        model: A trained model.
        dataset: A data set with factors.
        seed: Integer seed of the choice of 5,000 images.
        representation: As for `information_map_figure`.

    Returns:
        A `matplotlib.figure.Figure`, which says of what the information is.

    Raises:
        UsageError: If the data set has no factor that varies, or there is no such representation.
    """
    return over_layers_of(_of_factors(model, dataset, None, seed, representation))


def over_layers_of(measured):
    """Draws what the best latent dimension of each layer tells, see `Latents.best_shares`.

    Args:
        measured: List of `keras_devae.evaluation.Latents`, one for each layer, with factors.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    first = measured[0]
    return figures.information_over_layers(
        np.stack([one.best_shares[None] * first.entropies for one in measured]),
        first.entropies,
        first.factor_names,
        title=f"Information of posterior {first.representation}s",
    )


def factor_scatter_figure(model, dataset, layer=0, seed=0):
    """Draws each factor against the active latent dimension that tells the largest share of it.

    Args:
        model: A trained model.
        dataset: A data set with factors.
        layer: Number of the latent layer; default 0.
        seed: Integer seed of the choice of 1,000 images, and of 5,000 to measure information.

    Returns:
        A `matplotlib.figure.Figure`; behind each dimension is the share of the factor's entropy
        that its posterior mean tells. Where no dimension is active, all are compared.

    Raises:
        UsageError: If the data set has no factor that varies, or there is no such layer.
    """
    checks.check_model(model)
    model.check_layer(layer)
    (latents,) = _of_factors(model, dataset, layer, seed)
    varying = [dataset.factor_names.index(name) for name in latents.factor_names]
    rows = np.random.default_rng(seed).integers(len(dataset), size=min(len(dataset), _POINTS))
    known = latents.active if len(latents.active) else latents.order
    best = known[latents.shares[known].argmax(axis=0)]
    told = latents.shares[best, np.arange(len(best))]
    return figures.factor_scatter(
        model.encode(dataset.images(rows), layer)[:, best],
        dataset.factors(rows)[:, varying],
        [f"z{d} ({share:.0%})" for d, share in zip(best, told, strict=True)],
        latents.factor_names,
    )


def kl_figure(model, dataset, layer=None, seed=0):
    """Draws the KL divergence of each latent dimension from the prior, active ones first.

    Args:
        model: A trained model.
        dataset: The data set, with or without factors.
        layer: Number of one layer, or `None` (default) for bars of all of them, ordered by the
            largest of each dimension among those active in any layer, and then the others.
        seed: Integer seed of the choice of 5,000 images.

    Returns:
        A `matplotlib.figure.Figure` with 24 dimensions at most, pale where they are not active,
        and the factors they hold, where that is the same in all layers.

    Raises:
        UsageError: If there is no such layer.
    """
    measured = measure_to_name(model, dataset, layer, _IMAGES, seed)
    measured = measured if layer is None else [measured]
    dimensions, left_out = strongest(over_layers(measured), _MOST_BARS)
    title = f"{type(model).__name__} on {dataset.name}: KL divergence by latent dimension"
    return figures.kl_bars(
        np.stack([latents.kl[dimensions] for latents in measured]),
        latent_names=[common_name(measured, d) for d in dimensions],
        layer_names=[f"layer {latents.layer}" for latents in measured],
        active=np.stack([latents.is_active[dimensions] for latents in measured]),
        title=titled(title, left_out),
    )


def _of_factors(model, dataset, layer, seed, representation="mean"):
    """Returns the latents of a layer, or of all, as a list; there must be factors that vary."""
    checks.check_dataset(dataset)
    encoding = Encoding(model, dataset)
    measured = measure_latents(model, dataset, layer, _IMAGES, seed, encoding, representation)
    measured = measured if layer is None else [measured]
    if not measured[0].factor_names:
        raise UsageError(
            f"A latent is drawn against a factor that varies, and the data set {dataset.name!r} "
            "has none."
        )
    return measured
