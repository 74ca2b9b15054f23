"""How informative latent dimensions are about factors: maps, and curves over the layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.figures.arguments import (
    Numbers,
    check_entropies,
    check_labels,
    check_text,
    real_numbers,
)
from keras_devae.figures.canvas import FONT_SIZE, TITLE_SIZE, legend_beside, panel_grid
from keras_devae.figures.panels import COLORS, draw_line, empty_panels, finish_panel

_CELL_INCHES = (0.34, 0.22)
# Two columns of a journal, less the names and the scale.
_WIDTH_INCHES = 5.6
# Around the cells of a panel: the names of the factors below, and its title.
_BESIDE_INCHES, _BELOW_INCHES, _ABOVE_INCHES = 0.15, 0.75, 0.3
_SCALE_INCHES, _NAMES_INCHES = 0.7, 1.0
#: Share from which a cell is so dark that its number is written in white.
_DARK = 0.55
#: Share from which a cell has a number.
_NUMBERED = 0.05
_LINES = ("-", "--", ":")
_MARKERS = "os^Dv<>"


def information_map(
    information: Array,
    entropies: Numbers,
    factor_names: Sequence[str],
    latent_names: Sequence[str] | None = None,
    layer_names: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draws the mutual information of latent dimensions with factors as a table of shaded cells.

    A row for each latent dimension, a column for each factor, a panel for each layer. The shade,
    on the same scale in all panels, and the number are the share of the factor's entropy; below
    0.05 there is no number.

    Args:
        information: `(d, f)`, or `(K, d, f)` for K layers, in nats.
        entropies: `(f,)` entropies of the factors in nats, above 0.
        factor_names: Names of the `f` factors.
        latent_names: Names of the `d` dimensions; default `z0`, `z1`, ...
        layer_names: Titles of the panels; default `layer 0`, ... where there are several.
        title: Text above the figure.

    Returns:
        The figure.

    Raises:
        UsageError: If the shapes do not fit, nothing is to be drawn, or an entropy is not above 0.
    """
    shares = _shares(information, entropies)
    count, rows, columns = shares.shape
    factors = check_labels(factor_names, columns, "factor_names", "factor")
    latents = check_labels(latent_names, rows, "latent_names", "latent dimension", "z{}")
    default = "layer {}" if count > 1 else ""
    titles = check_labels(layer_names, count, "layer_names", "layer", default)
    figure, panels = _map_panels(count, rows, columns)
    for number, (axes, panel_title) in enumerate(zip(panels, titles, strict=True)):
        drawn = _draw_cells(axes, shares[number])
        axes.set_title(panel_title, fontsize=FONT_SIZE, loc="left")
        axes.set_xticks(
            np.arange(columns), factors, rotation=45, ha="right", rotation_mode="anchor"
        )
        first = axes.get_subplotspec().is_first_col()
        axes.set_yticks(np.arange(rows), latents if first else [])
    _add_scale(figure, panels, drawn)
    if title is not None:
        figure.suptitle(check_text("title", title), fontsize=TITLE_SIZE, x=0.01, ha="left")
    return figure


def information_over_layers(
    information: Array,
    entropies: Numbers,
    factor_names: Sequence[str],
    layer_names: Sequence[str] | None = None,
    title: str = "Information by factor",
) -> Figure:
    """Draws how much is left of each factor from layer to layer (Figure 11 of the DeVAE paper).

    A line for each factor: the share of its entropy that the most informative latent dimension of
    that layer holds. A sum over dimensions would count twice what two of them share.

    Args:
        information: `(K, d, f)` mutual information in nats.
        entropies: `(f,)` entropies of the factors in nats, above 0.
        factor_names: Names of the `f` factors.
        layer_names: Names of the layers; default `0`, `1`, ...
        title: Text above the lines; default `"Information by factor"`.

    Returns:
        The figure.

    Raises:
        UsageError: If the shapes do not fit, nothing is to be drawn, or an entropy is not above 0.
    """
    if np.ndim(information) != 3:
        raise UsageError(
            "`information` must be (layers, latent dimensions, factors). Received: shape "
            f"{np.shape(information)}."
        )
    best = _shares(information, entropies).max(axis=1)
    factors = check_labels(factor_names, best.shape[1], "factor_names", "factor")
    names = check_labels(layer_names, len(best), "layer_names", "layer", "{}")
    figure, (axes,) = empty_panels(1, (4.6, 2.8))
    layers = np.arange(len(best))
    for number, (name, values) in enumerate(zip(factors, best.T, strict=True)):
        color, style = COLORS[number % len(COLORS)], _LINES[number // len(COLORS) % len(_LINES)]
        draw_line(axes, layers, values, name, color, style)
        axes.lines[-1].set(marker=_MARKERS[number % len(_MARKERS)], markersize=4, clip_on=False)
    finish_panel(axes, check_text("title", title), "latent layer")
    axes.set_xticks(layers, names)
    axes.set_ylim(0, 1.0)
    axes.set_ylabel("share of entropy, best latent", fontsize=FONT_SIZE)
    legend_beside(axes, gap=0.02)
    return figure


def _shares(information, entropies):
    """Checks the arrays; returns the information as shares of entropy, `(K, d, f)`."""
    information = real_numbers("information", information)
    if information.ndim not in (2, 3) or not information.size:
        raise UsageError(
            "`information` must be (latent dimensions, factors), or (layers, latent dimensions, "
            f"factors), and not empty. Received: shape {information.shape}."
        )
    entropies = check_entropies(entropies, information.shape[-1])
    return information.reshape(-1, *information.shape[-2:]) / entropies


def _map_panels(count, rows, columns):
    """Makes the panels, as many side by side as a page is wide."""
    width = min(_CELL_INCHES[0], max(0.26, _WIDTH_INCHES / columns)) * columns + _BESIDE_INCHES
    across = max(1, min(count, int(_WIDTH_INCHES / width)))
    down = -(-count // across)
    height = rows * _CELL_INCHES[1] + _BELOW_INCHES + _ABOVE_INCHES
    inches = (_NAMES_INCHES + across * width + _SCALE_INCHES, down * height + 0.3)
    return panel_grid(count, across, inches)


def _draw_cells(axes, shares):
    # Shapes, not pixels: sharp in a vector format at any size.
    places = (np.arange(size + 1) - 0.5 for size in shares.shape[::-1])
    drawn = axes.pcolormesh(
        *places, shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=0.8
    )
    for row, column in np.argwhere(shares >= _NUMBERED):
        share = shares[row, column]
        number = axes.text(
            column,
            row,
            f"{share:.2f}",
            ha="center",
            va="center_baseline",
            fontsize=FONT_SIZE - 2,
            color="white" if share >= _DARK else "black",
        )
        # It stays within its cell, and measuring it takes longer than drawing it.
        number.set_in_layout(False)
    axes.invert_yaxis()
    axes.tick_params(length=0, labelsize=FONT_SIZE)
    axes.spines[:].set_visible(False)
    return drawn


def _add_scale(figure, panels, drawn):
    scale = figure.colorbar(drawn, ax=panels, fraction=0.05, pad=0.02, aspect=16)
    scale.set_label("share of entropy", fontsize=FONT_SIZE)
    scale.ax.tick_params(labelsize=FONT_SIZE - 1, length=2)
    scale.outline.set_visible(False)
    # Matplotlib makes pixels of a scale with many shades, and leaves white seams without edges.
    scale.solids.set_rasterized(False)
    scale.solids.set_edgecolor("face")
