"""What latent dimensions hold over training: one line for each of them."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from keras_devae.checks import shown
from keras_devae.errors import UsageError
from keras_devae.figures.arguments import check_labels, real_numbers, steps_of
from keras_devae.figures.canvas import FONT_SIZE, legend_beside
from keras_devae.figures.panels import COLORS, draw_line, empty_panels, finish_panel

BACKGROUND = "#BBBBBB"
# Nats below which a latent dimension is told apart from none in no picture.
NAMED_KL = 0.1


def information_diffusion(
    steps: Sequence[int],
    information: np.ndarray,
    entropies: np.ndarray,
    factor_names: Sequence[str],
) -> Figure:
    """Draws how much every latent dimension tells of every factor as training goes on.

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
    entropies = real_numbers("entropies", entropies)
    if entropies.shape != information.shape[2:] or not (entropies > 0).all():
        raise UsageError(
            f"`entropies` must be {information.shape[2]} numbers above 0, one for each factor. "
            f"Received: {shown(entropies.tolist())}."
        )
    figure, panels = empty_panels(len(names))
    for factor, (axes, name) in enumerate(zip(panels, names, strict=True)):
        shares = information[:, :, factor] / entropies[factor]
        best = int(shares[-1].argmax())
        _draw_lines(axes, steps, shares, [best])
        finish_panel(axes, f"{name}: z{best}", "step", 1)
        axes.set_ylim(-0.02, 1.02)
        axes.set_ylabel("share of entropy", fontsize=FONT_SIZE)
    return figure


def kl_per_latent(steps: Sequence[int], kl: np.ndarray) -> Figure:
    """Draws the KL divergence of every latent dimension as training goes on.

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
    order = [d for d in np.argsort(-kl[-1], kind="stable") if kl[-1, d] >= NAMED_KL]
    named = [int(d) for d in order[: len(COLORS)]]
    figure, (axes,) = empty_panels(1)
    figure.set_size_inches(5.0, 3.0)
    _draw_lines(axes, steps, kl, named)
    finish_panel(axes, "KL divergence by latent dimension", "step", 1)
    axes.set_ylabel("nats", fontsize=FONT_SIZE)
    if named:
        legend_beside(axes)
    return figure


def _draw_lines(axes, steps, values, named):
    for d in range(values.shape[1]):
        if d not in named:
            draw_line(axes, steps, values[:, d], None, BACKGROUND, "-")
    for color, d in zip(COLORS, named, strict=False):
        draw_line(axes, steps, values[:, d], f"z{d}", color, "-")


def _check_lines(steps, values, dimensions, name):
    steps, values = steps_of(steps), real_numbers(name, values)
    if values.ndim != dimensions or not values.size or len(values) != len(steps):
        raise UsageError(
            f"`{name}` must have {dimensions} dimensions and an entry for each of the "
            f"{len(steps)} steps. Received: shape {values.shape}."
        )
    return steps, values
