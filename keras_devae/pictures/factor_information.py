"""What latent dimensions tell of the factors, and how much they tell at all."""

import numpy as np

from keras_devae import figures
from keras_devae.encoding import Encoding
from keras_devae.errors import UsageError
from keras_devae.latents import (
    ACTIVE_KL,
    information_of_layers,
    measure_latents,
    measure_to_name,
)
from keras_devae.pictures.selection import (
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


def information_map_figure(model, dataset, layer=None, seed=0):
    """Draws the mutual information of the active latent dimensions with each factor.

    The information is that of samples of the posterior, see
    `keras_devae.latents.information_of_layers`. Rows are ordered by KL divergence, the largest that
    the dimension has in a layer drawn, and are 15 at most; where none is active, they are the
    strongest.

    Args:
        model: A trained model.
        dataset: A data set with factors.
        layer: Number of one layer, or `None` (default) for a panel for each.
        seed: Integer seed of the choice of 5,000 images.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        UsageError: If the data set has no factor that varies, or there is no such layer.
    """
    if layer is not None:
        model.check_layer(layer)
    encoding = Encoding(model, dataset)
    information, entropies, factors = information_of_layers(model, dataset, _IMAGES, seed, encoding)
    measured = measure_to_name(model, dataset, None, _IMAGES, seed, encoding)
    layers = range(model.num_layers) if layer is None else [layer]
    latents = over_layers([measured[i] for i in layers])
    dimensions, left_out = active_or_strongest(latents, _MOST_LATENTS)
    most = "KL" if len(layers) == 1 else "max KL"
    return figures.information_map(
        information[layers][:, dimensions],
        entropies,
        factors,
        latent_names=[f"z{d}  {most} {latents.kl[d]:.2f}" for d in dimensions],
        layer_names=[f"layer {i}" for i in layers],
        title=titled(f"{type(model).__name__} on {dataset.name}", left_out),
    )


def information_over_layers_figure(model, dataset, seed=0):
    """Draws how much of each factor the latent layers pass on, see `information_of_layers`.

    Args:
        model: A trained model.
        dataset: A data set with factors.
        seed: Integer seed of the choice of 5,000 images.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        UsageError: If the data set has no factor that varies.
    """
    information, entropies, factors = information_of_layers(model, dataset, _IMAGES, seed)
    return figures.information_over_layers(information, entropies, factors)


def factor_scatter_figure(model, dataset, layer=0, seed=0):
    """Draws each factor against the latent dimension that tells the largest share of it.

    Args:
        model: A trained model.
        dataset: A data set with factors.
        layer: Number of the latent layer; default 0.
        seed: Integer seed of the choice of 1,000 images, and of 5,000 to measure information.

    Returns:
        A `matplotlib.figure.Figure`; behind each dimension is the share of the factor's entropy
        that its posterior mean tells.

    Raises:
        UsageError: If the data set has no factor that varies, or there is no such layer.
    """
    latents = measure_latents(model, dataset, layer, _IMAGES, seed)
    if not latents.factor_names:
        raise UsageError(
            f"A latent is drawn against a factor that varies, and the data set {dataset.name!r} "
            "has none."
        )
    varying = [dataset.factor_names.index(name) for name in latents.factor_names]
    rows = np.random.default_rng(seed).integers(len(dataset), size=min(len(dataset), _POINTS))
    best = latents.shares.argmax(axis=0)
    told = latents.shares.max(axis=0)
    return figures.factor_scatter(
        model.encode(dataset.images(rows), layer)[:, best],
        dataset.factors(rows)[:, varying],
        [f"z{d} ({share:.0%})" for d, share in zip(best, told, strict=True)],
        latents.factor_names,
    )


def kl_figure(model, dataset, layer=None, seed=0):
    """Draws the KL divergence of each latent dimension from the prior, the largest first.

    Args:
        model: A trained model.
        dataset: The data set, with or without factors.
        layer: Number of one layer, or `None` (default) for bars of all of them, ordered by the
            largest of each dimension.
        seed: Integer seed of the choice of 5,000 images.

    Returns:
        A `matplotlib.figure.Figure` with 24 dimensions at most, and the factors they hold, where
        that is the same in all layers.

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
        threshold=ACTIVE_KL,
        title=titled(title, left_out),
    )
