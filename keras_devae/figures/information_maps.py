"""How much each latent dimension tells of each factor: maps, and their course over the layers."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from keras_devae.checks import shown
from keras_devae.errors import UsageError
from keras_devae.figures.arguments import check_labels, check_text, real_numbers
from keras_devae.figures.canvas import FONT_SIZE, TITLE_SIZE, legend_beside, new_figure
from keras_devae.figures.panels import COLORS, draw_line, empty_panels, finish_panel

CELL_INCHES = (0.34, 0.22)
# Two columns of a journal, less the names and the scale.
WIDTH_INCHES = 5.6
# Around the cells of a panel: the names of the factors below, and its title.
BESIDE_INCHES, BELOW_INCHES, ABOVE_INCHES = 0.15, 0.75, 0.3
SCALE_INCHES, NAMES_INCHES = 0.7, 1.0
#: Share from which a cell is so dark that its number is written in white.
DARK = 0.55
#: Share from which a cell has a number.
TOLD = 0.05
LINES = ("-", "--", ":")
MARKERS = "os^Dv<>"


def information_map(
    information: np.ndarray,
    entropies: np.ndarray,
    factor_names: Sequence[str],
    latent_names: Sequence[str] | None = None,
    layer_names: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draws the mutual information of latent dimensions with factors as a table of shaded cells.

    A row for each latent dimension, a column for each factor, a panel for each layer. The shade,
    which has one scale in all panels, and the number say the share of the factor's entropy; below
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
        UsageError: If the shapes do not fit, there is nothing to draw, or an entropy is not above
            0.
    """
    shares = _shares(information, entropies)
    count, rows, columns = shares.shape
    factors = check_labels(factor_names, columns, "factor_names", "factor")
    latents = [f"z{d}" for d in range(rows)] if latent_names is None else latent_names
    latents = check_labels(latents, rows, "latent_names", "latent dimension")
    titles = _layer_names(layer_names, count)
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
    if check_text("title", title, optional=True) is not None:
        figure.suptitle(title, fontsize=TITLE_SIZE, x=0.01, ha="left")
    return figure


def information_over_layers(
    information: np.ndarray,
    entropies: np.ndarray,
    factor_names: Sequence[str],
    layer_names: Sequence[str] | None = None,
    title: str = "Information by factor",
) -> Figure:
    """Draws how much is left of each factor from layer to layer (Figure 11 of the DeVAE paper).

    A line for each factor: the share of its entropy that the latent dimension tells which, in that
    layer, tells most of it. A sum over dimensions would count twice what two of them share.

    Args:
        information: `(K, d, f)` mutual information in nats.
        entropies: `(f,)` entropies of the factors in nats, above 0.
        factor_names: Names of the `f` factors.
        layer_names: Names of the layers; default `0`, `1`, ...
        title: Text above the lines; default `"Information by factor"`.

    Returns:
        The figure.

    Raises:
        UsageError: If the shapes do not fit, there is nothing to draw, or an entropy is not above
            0.
    """
    if np.ndim(information) != 3:
        raise UsageError(
            "`information` must be (layers, latent dimensions, factors). Received: shape "
            f"{np.shape(information)}."
        )
    best = _shares(information, entropies).max(axis=1)
    factors = check_labels(factor_names, best.shape[1], "factor_names", "factor")
    names = range(len(best)) if layer_names is None else layer_names
    names = check_labels(names, len(best), "layer_names", "layer")
    figure, (axes,) = empty_panels(1)
    figure.set_size_inches(4.6, 2.8)
    layers = np.arange(len(best))
    for number, (name, values) in enumerate(zip(factors, best.T, strict=True)):
        color, style = COLORS[number % len(COLORS)], LINES[number // len(COLORS) % len(LINES)]
        draw_line(axes, layers, values, name, color, style)
        axes.lines[-1].set(marker=MARKERS[number % len(MARKERS)], markersize=4, clip_on=False)
    finish_panel(axes, check_text("title", title), "latent layer", 1)
    axes.set_xticks(layers, names)
    axes.set_ylim(0, 1.0)
    axes.set_ylabel("share of entropy, best latent", fontsize=FONT_SIZE)
    legend_beside(axes, gap=0.02)
    return figure


def _shares(information, entropies):
    """Checks the arrays; returns the information as shares of entropy, `(K, d, f)`."""
    information = real_numbers("information", information)
    entropies = real_numbers("entropies", entropies)
    if information.ndim not in (2, 3) or not information.size:
        raise UsageError(
            "`information` must be (latent dimensions, factors), or (layers, latent dimensions, "
            f"factors), and not empty. Received: shape {information.shape}."
        )
    if entropies.shape != information.shape[-1:] or not (entropies > 0).all():
        raise UsageError(
            f"`entropies` must be {information.shape[-1]} numbers above 0, one for each factor. "
            f"Received: {shown(entropies.tolist())}; leave out factors that do not vary."
        )
    return information.reshape(-1, *information.shape[-2:]) / entropies


def _layer_names(names, count):
    if names is None:
        names = [f"layer {i}" for i in range(count)] if count > 1 else [""]
    return check_labels(names, count, "layer_names", "layer")


def _map_panels(count, rows, columns):
    """Makes the panels, as many side by side as a page is wide."""
    width = min(CELL_INCHES[0], max(0.26, WIDTH_INCHES / columns)) * columns + BESIDE_INCHES
    across = max(1, min(count, int(WIDTH_INCHES / width)))
    down = -(-count // across)
    height = rows * CELL_INCHES[1] + BELOW_INCHES + ABOVE_INCHES
    figure = new_figure()
    figure.set_layout_engine("constrained")
    figure.set_size_inches(NAMES_INCHES + across * width + SCALE_INCHES, down * height + 0.3)
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for unused in panels[count:]:
        unused.remove()
    return figure, panels[:count]


def _draw_cells(axes, shares):
    # Shapes, not pixels: sharp in a vector format at any size.
    places = (np.arange(size + 1) - 0.5 for size in shares.shape[::-1])
    drawn = axes.pcolormesh(
        *places, shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=0.8
    )
    for row, column in np.argwhere(shares >= TOLD):
        share = shares[row, column]
        number = axes.text(
            column,
            row,
            f"{share:.2f}",
            ha="center",
            va="center_baseline",
            fontsize=FONT_SIZE - 2,
            color="white" if share >= DARK else "black",
        )
        # It stays within its cell, and measuring it takes longer than drawing it.
        number.set_in_layout(False)
    axes.invert_yaxis()
    axes.tick_params(length=0, labelsize=FONT_SIZE)
    axes.spines[:].set_visible(False)
    return drawn


def _add_scale(figure, panels, drawn):
    scale = figure.colorbar(drawn, ax=list(panels), fraction=0.05, pad=0.02, aspect=16)
    scale.set_label("share of entropy", fontsize=FONT_SIZE)
    scale.ax.tick_params(labelsize=FONT_SIZE - 1, length=2)
    scale.outline.set_visible(False)
    # Matplotlib makes pixels of a scale with many shades, and leaves white seams without edges.
    scale.solids.set_rasterized(False)
    scale.solids.set_edgecolor("face")
