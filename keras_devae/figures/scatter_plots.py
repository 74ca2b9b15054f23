"""Points: latent dimensions against factors, and scores of runs against each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.figures.arguments import Numbers, check_labels, check_text, real_numbers
from keras_devae.figures.canvas import FONT_SIZE, legend_beside
from keras_devae.figures.panels import COLORS, empty_panels, finish_panel

# Their number has no common divisor with that of the colours: 56 groups differ.
_SHAPES = "osD^vP*X"


def factor_scatter(
    codes: Array, factors: Array, latent_names: Sequence[str], factor_names: Sequence[str]
) -> Figure:
    """Draws latent dimensions against the factors that they are paired with.

    A panel for each pair: a point for each image, and a line through the mean code of each value.

    Args:
        codes: `(n, m)` codes, a column for each pair.
        factors: `(n, m)` factor values, a column for each pair.
        latent_names: Names of the `m` dimensions, e.g. `"z3"`.
        factor_names: Names of the `m` factors.

    Returns:
        The figure.

    Raises:
        UsageError: If the arrays are not matrices of one shape, or there is nothing to draw.
    """
    codes, factors = real_numbers("codes", codes), real_numbers("factors", factors)
    if codes.ndim != 2 or codes.shape != factors.shape or not codes.size:
        raise UsageError(
            "`codes` and `factors` must be (images, pairs), both the same and not empty. Received: "
            f"{codes.shape} and {factors.shape}."
        )
    latents = check_labels(latent_names, codes.shape[1], "latent_names", "pair")
    names = check_labels(factor_names, codes.shape[1], "factor_names", "pair")
    figure, panels = empty_panels(len(names))
    pairs = zip(panels, codes.T, factors.T, latents, names, strict=True)
    for axes, code, factor, latent, name in pairs:
        axes.scatter(factor, code, s=4, color=COLORS[0], alpha=0.25, linewidths=0)
        values = np.unique(factor)
        means = [code[factor == value].mean() for value in values]
        axes.plot(values, means, "o-", color=COLORS[1], linewidth=1.2, markersize=2.5)
        finish_panel(axes, f"{name}: {latent}", name)
        axes.set_ylabel(latent, fontsize=FONT_SIZE)
        axes.set_axisbelow(True)
    return figure


def score_scatter(
    x: Numbers, y: Numbers, groups: Sequence[str], x_name: str, y_name: str
) -> Figure:
    """Draws one score of runs against another.

    Args:
        x: `(n,)` finite numbers.
        y: `(n,)` finite numbers.
        groups: `(n,)` names; points of a group have one colour and one shape.
        x_name: What x measures.
        y_name: What y measures.

    Returns:
        The figure, with the groups in the order in which they come first.

    Raises:
        UsageError: If the sequences differ in length, are empty, or hold an infinity or a NaN.
    """
    x, y = real_numbers("x", x), real_numbers("y", y)
    if x.ndim != 1 or x.shape != y.shape or not x.size:
        raise UsageError(
            "`x`, `y` and `groups` must be sequences of one length, at least 1. Received: "
            f"shapes {x.shape} and {y.shape} of the first two."
        )
    names = check_labels(groups, len(x), "groups", "point")
    check_text("x_name", x_name)
    check_text("y_name", y_name)
    if not np.isfinite([x, y]).all():
        raise UsageError("`x` and `y` must be finite. Received: a NaN or an infinity.")
    figure, (axes,) = empty_panels(1, (4.8, 2.8))
    for number, name in enumerate(dict.fromkeys(names)):
        points = [i for i, group in enumerate(names) if group == name]
        axes.scatter(
            x[points],
            y[points],
            s=24,
            color=COLORS[number % len(COLORS)],
            marker=_SHAPES[number % len(_SHAPES)],
            linewidths=0,
            alpha=0.85,
            label=name,
        )
    finish_panel(axes, f"{y_name} by {x_name}", x_name)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.set_ylabel(y_name, fontsize=FONT_SIZE)
    axes.set_axisbelow(True)
    legend_beside(axes, gap=0.02)
    return figure
