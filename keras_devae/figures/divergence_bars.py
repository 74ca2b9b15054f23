"""KL divergence by latent dimension."""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from keras_devae.errors import UsageError
from keras_devae.figures.arguments import check_labels, check_text, real_numbers
from keras_devae.figures.canvas import FONT_SIZE, TITLE_SIZE, legend_beside, new_figure
from keras_devae.figures.panels import COLORS

BAR_INCHES = 0.13
GROUP_WIDTH = 0.8
#: Letters of a title that fit into an inch.
LETTERS_PER_INCH = 12
#: Opacity of a bar of a dimension that is not active.
PALE = 0.35
#: Letters in a name from which on names stand upright.
LONG_NAME = 4


def kl_bars(
    kl: np.ndarray,
    latent_names: Sequence[str] | None = None,
    layer_names: Sequence[str] | None = None,
    active: np.ndarray | None = None,
    title: str | None = None,
) -> Figure:
    """Draws the KL divergence of every latent dimension from the prior as a bar.

    Args:
        kl: `(d,)`, or `(K, d)` for K layers, in nats; in the order they are to be drawn.
        latent_names: Names of the `d` dimensions; default `z0`, `z1`, ...
        layer_names: Names of the layers; default `layer 0`, ... where there are several.
        active: Booleans of the shape of `kl`: the bars of dimensions that are not active are pale.
            Default: none is pale.
        title: Text above the bars; default `"KL divergence by latent dimension"`.

    Returns:
        The figure: the bars of a dimension stand side by side, a colour for each layer, hatched
        where the colours run out.

    Raises:
        UsageError: If the shapes do not fit, or there is nothing to draw.
    """
    values = np.atleast_2d(real_numbers("kl", kl))
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise UsageError(
            "`kl` must be finite numbers, (latent dimensions,) or (layers, latent dimensions). "
            f"Received: shape {np.shape(kl)}."
        )
    if active is not None:
        active = np.atleast_2d(real_numbers("active", active)).astype(bool)
    active = np.ones(values.shape, bool) if active is None else active
    if active.shape != values.shape:
        raise UsageError(
            f"`active` must have the shape of `kl`, {np.shape(kl)}. Received: {active.shape}."
        )
    check_text("title", title, optional=True)
    count, dimensions = values.shape
    latents = [f"z{d}" for d in range(dimensions)] if latent_names is None else latent_names
    latents = check_labels(latents, dimensions, "latent_names", "latent dimension")
    layers = [f"layer {i}" for i in range(count)] if layer_names is None else layer_names
    layers = check_labels(layers, count, "layer_names", "layer")
    figure, axes = _axes_for(count, dimensions)
    for layer, (name, heights) in enumerate(zip(layers, values, strict=True)):
        width = GROUP_WIDTH / count
        places = np.arange(dimensions) + (layer - (count - 1) / 2) * width
        # A hatch has the colour of the edge, which is not drawn itself.
        look = {"color": COLORS[layer % len(COLORS)], "edgecolor": "white", "linewidth": 0}
        hatch = "/" * 3 * (layer // len(COLORS))
        drawn = axes.bar(places, heights, width, label=name, hatch=hatch, **look)
        for number in np.flatnonzero(~active[layer]):
            drawn[number].set_alpha(PALE)
    _finish(axes, latents, title or "KL divergence by latent dimension")
    if not active.all():
        axes.set_xlabel("pale: not active", fontsize=FONT_SIZE - 1)
    if count > 1:
        legend_beside(axes)
        for handle in axes.get_legend().legend_handles:
            handle.set_alpha(None)
    return figure


def _axes_for(count, dimensions):
    figure = new_figure()
    figure.set_layout_engine("constrained")
    width = dimensions * max(0.3, (count + 1) * BAR_INCHES)
    figure.set_size_inches(min(7.0, max(3.0, width + 0.7)), 2.6)
    return figure, figure.subplots()


def _finish(axes, latents, title):
    upright = {"rotation": 90} if max(map(len, latents)) >= LONG_NAME else {}
    axes.set_xticks(np.arange(len(latents)), latents, **upright)
    axes.set_xlim(-0.6, len(latents) - 0.4)
    axes.set_ylabel("nats", fontsize=FONT_SIZE)
    # A name of data may be a long path, and the layout makes room for the whole title.
    room = round(axes.figure.get_size_inches()[0] * LETTERS_PER_INCH)
    axes.set_title(textwrap.fill(title, room), fontsize=TITLE_SIZE, loc="left")
    axes.tick_params(labelsize=FONT_SIZE - 1, length=2)
    axes.tick_params(axis="x", length=0)
    axes.spines[["top", "right"]].set_visible(False)
