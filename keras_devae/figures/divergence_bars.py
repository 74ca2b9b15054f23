"""KL divergence by latent dimension."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.figures.arguments import check_labels, check_text, real_numbers
from keras_devae.figures.canvas import FONT_SIZE, legend_beside, panel_grid, set_title_and_ticks
from keras_devae.figures.panels import COLORS

_BAR_INCHES = 0.13
_GROUP_WIDTH = 0.8
#: Letters of a title that fit into an inch.
_LETTERS_PER_INCH = 12
#: Opacity of the bar of an inactive dimension.
PALE = 0.35
#: Letters in a name from which on names stand upright.
_LONG_NAME = 4


def kl_bars(
    kl: Array,
    latent_names: Sequence[str] | None = None,
    layer_names: Sequence[str] | None = None,
    active: Array | None = None,
    title: str | None = None,
) -> Figure:
    """Draws the KL divergence of every latent dimension from the prior as a bar.

    Args:
        kl: `(d,)`, or `(K, d)` for K layers, in nats; in the order they are to be drawn.
        latent_names: Names of the `d` dimensions; default `z0`, `z1`, ...
        layer_names: Names of the layers; default `layer 0`, ... where there are several.
        active: Booleans of the shape of `kl`: bars of inactive dimensions are pale; default none.
        title: Text above the bars; default `"KL divergence by latent dimension"`.

    Returns:
        The figure: the bars of a dimension stand side by side, a colour for each layer, hatched
        where the colours run out.

    Raises:
        UsageError: If the shapes do not fit, or there is nothing to draw.
    """
    values: Array = np.atleast_2d(real_numbers("kl", kl))
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise UsageError(
            "`kl` must be finite numbers, (latent dimensions,) or (layers, latent dimensions). "
            f"Received: shape {np.shape(kl)}."
        )
    is_active = np.ones(values.shape, bool)
    if active is not None:
        is_active = np.atleast_2d(real_numbers("active", active)).astype(bool)
    if is_active.shape != values.shape:
        raise UsageError(
            f"`active` must have the shape of `kl`, {np.shape(kl)}. Received: {is_active.shape}."
        )
    title = "KL divergence by latent dimension" if title is None else check_text("title", title)
    count, dimensions = values.shape
    latents = check_labels(latent_names, dimensions, "latent_names", "latent dimension", "z{}")
    layers = check_labels(layer_names, count, "layer_names", "layer", "layer {}")
    inches = min(7.0, max(3.0, dimensions * max(0.3, (count + 1) * _BAR_INCHES) + 0.7))
    figure, (axes,) = panel_grid(1, 1, (inches, 2.6))
    for layer, name in enumerate(layers):
        _draw_layer(axes, layer, name, values, is_active[layer])
    _finish(axes, latents, title, round(inches * _LETTERS_PER_INCH))
    if not is_active.all():
        axes.set_xlabel("pale: not active", fontsize=FONT_SIZE - 1)
    if count > 1:
        legend_beside(axes)
        legend: Any = axes.get_legend()
        for handle in legend.legend_handles:
            handle.set_alpha(None)
    return figure


def _draw_layer(axes, layer, name, values, is_active):
    count, dimensions = values.shape
    width = _GROUP_WIDTH / count
    places = np.arange(dimensions) + (layer - (count - 1) / 2) * width
    # A hatch has the colour of the edge, which is not drawn itself.
    look = {"color": COLORS[layer % len(COLORS)], "edgecolor": "white", "linewidth": 0}
    hatch = "/" * 3 * (layer // len(COLORS))
    drawn = axes.bar(places, values[layer], width, label=name, hatch=hatch, **look)
    for number in np.flatnonzero(~is_active):
        drawn[number].set_alpha(PALE)


def _finish(axes, latents, title, letters):
    upright = {"rotation": 90} if max(map(len, latents)) >= _LONG_NAME else {}
    axes.set_xticks(np.arange(len(latents)), latents, **upright)
    axes.set_xlim(-0.6, len(latents) - 0.4)
    axes.set_ylabel("nats", fontsize=FONT_SIZE)
    # The name of a data set may be a long path, and the layout makes room for the whole title.
    set_title_and_ticks(axes, textwrap.fill(title, letters))
    axes.tick_params(axis="x", length=0)
