"""What latent dimensions and methods learn over training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.figures.arguments import (
    Numbers,
    check_entropies,
    check_labels,
    check_mapping,
    check_steps,
    real_numbers,
)
from keras_devae.figures.canvas import FONT_SIZE, legend_beside
from keras_devae.figures.panels import (
    COLORS,
    draw_line,
    empty_panels,
    finish_panel,
    finish_share_panel,
)

_BACKGROUND = "#BBBBBB"
# Nats below which a latent dimension cannot be told from one without any.
_NAMED_KL = 0.1
_METHOD_STYLES = ("-", "--", "-.", ":")


def information_diffusion(
    steps: Numbers, information: Array, entropies: Numbers, factor_names: Sequence[str]
) -> Figure:
    """Draws how informative every latent dimension is about every factor during training.

    One panel for each factor: a line for each latent dimension, of its mutual information with the
    factor as a share of the factor's entropy. The dimension that holds most at the end is coloured
    and named; the others are grey. The information-diffusion curves of the DeVAE paper (Figure 4).

    Args:
        steps: `(t,)` training steps.
        information: `(t, d, f)` mutual information in nats.
        entropies: `(f,)` entropies of the factors in nats, above 0.
        factor_names: `(f,)` names of the factors.

    Returns:
        The figure.

    Raises:
        UsageError: If the shapes do not fit or there is nothing to draw.
    """
    steps, information = _check_lines(steps, information, 3, "information")
    names = check_labels(factor_names, information.shape[2], "factor_names", "factor")
    entropies = check_entropies(entropies, information.shape[2])
    figure, panels = empty_panels(len(names))
    for factor, (axes, name) in enumerate(zip(panels, names, strict=True)):
        shares = information[:, :, factor] / entropies[factor]
        best = int(shares[-1].argmax())
        _draw_lines(axes, steps, shares, [best])
        finish_share_panel(axes, f"{name}: z{best}")
    return figure


def kl_per_latent(steps: Numbers, kl: Array) -> Figure:
    """Draws the KL divergence of every latent dimension during training.

    Args:
        steps: `(t,)` training steps.
        kl: `(t, d)` KL divergences in nats.

    Returns:
        The figure: the seven dimensions with most at the end are coloured and named, as far as
        they have at least 0.1 nats; the others are grey.

    Raises:
        UsageError: If the shapes do not fit or there is nothing to draw.
    """
    steps, kl = _check_lines(steps, kl, 2, "kl")
    order = [d for d in np.argsort(-kl[-1], kind="stable") if kl[-1, d] >= _NAMED_KL]
    named = [int(d) for d in order[: len(COLORS)]]
    figure, (axes,) = empty_panels(1, (5.0, 3.0))
    _draw_lines(axes, steps, kl, named)
    finish_panel(axes, "KL divergence by latent dimension", "step")
    axes.set_ylabel("nats", fontsize=FONT_SIZE)
    if named:
        legend_beside(axes)
    return figure


def information_curves(
    steps: Numbers, shares: Mapping[str, Sequence[Array]], factor_names: Sequence[str]
) -> Figure:
    """Draws how informative each method is about each factor during training, a panel per factor.

    Args:
        steps: `(t,)` training steps.
        shares: Name of a method -> for each seed `(t, f)` known shares of the entropies.
        factor_names: `(f,)` names of the factors.

    Returns:
        The figure: each method's mean over the seeds, in a band from the lowest to the highest.

    Raises:
        UsageError: If the shapes do not fit or there is nothing to draw.
    """
    steps = check_steps(steps)
    stacked = {
        group: real_numbers(f"shares[{group!r}]", values)
        for group, values in check_mapping("shares", shares, "arrays by group").items()
    }
    if not stacked:
        raise UsageError("`shares` must hold at least one group. Received none.")
    for group, values in stacked.items():
        if values.ndim != 3 or values.shape[1] != len(steps) or not values.size:
            raise UsageError(
                f"`shares[{group!r}]` must be (seeds, {len(steps)} steps, factors). Received: "
                f"shape {values.shape}."
            )
        names = check_labels(factor_names, values.shape[2], "factor_names", "factor")
    figure, panels = empty_panels(len(names))
    for factor, (axes, name) in enumerate(zip(panels, names, strict=True)):
        for number, (group, values) in enumerate(stacked.items()):
            color = COLORS[number % len(COLORS)]
            style = _METHOD_STYLES[number % len(_METHOD_STYLES)]
            of_factor = values[:, :, factor]
            axes.fill_between(
                steps, of_factor.min(0), of_factor.max(0), color=color, alpha=0.15, linewidth=0
            )
            draw_line(axes, steps, of_factor.mean(0), group, color, style)
        finish_share_panel(axes, name, len(stacked) if factor == 0 else 1)
    return figure


def _draw_lines(axes, steps, values, named):
    for d in range(values.shape[1]):
        if d not in named:
            draw_line(axes, steps, values[:, d], None, _BACKGROUND, "-")
    for color, d in zip(COLORS, named, strict=False):
        draw_line(axes, steps, values[:, d], f"z{d}", color, "-")


def _check_lines(steps, values, dimensions, name):
    steps, values = check_steps(steps), real_numbers(name, values)
    if values.ndim != dimensions or not values.size or len(values) != len(steps):
        raise UsageError(
            f"`{name}` must have {dimensions} dimensions and an entry for each of the "
            f"{len(steps)} steps. Received: shape {values.shape}."
        )
    return steps, values
