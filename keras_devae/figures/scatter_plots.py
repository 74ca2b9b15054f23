"""Points: latent dimensions against factors, and scores of runs against each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.figures.arguments import Numbers, check_labels, check_text, real_numbers
from keras_devae.figures.canvas import FONT_SIZE, legend_beside
from keras_devae.figures.panels import COLORS, empty_panels, finish_panel

#: Shapes of points. Eight shapes and seven colours, each in turn, tell 56 groups apart.
SHAPES = "osD^vP*X"
# Parts of a continuous factor's range.
_PARTS = 20
# Labels beside an axis, and letters of them that stand beside each other.
_MOST_CLASSES, _MOST_LABELS, _ROOM = 12, 5, 30


def factor_scatter(
    codes: Array,
    factors: Array,
    latent_names: Sequence[str],
    factor_names: Sequence[str],
    factor_labels: Mapping[str, Sequence[str]] | None = None,
    nominal_factors: Collection[str] = (),
    continuous_factors: Collection[str] = (),
) -> Figure:
    """Draws latent dimensions against the factors that they are paired with.

    A panel for each pair: a point for each image, and the mean code of each value. A line joins the
    means unless the values have no order; of a continuous factor, they are means over 20 parts of
    its range.

    Args:
        codes: `(n, m)` codes, a column for each pair.
        factors: `(n, m)` factor values, a column for each pair.
        latent_names: Names of the `m` dimensions, e.g. `"z3"`.
        factor_names: Names of the `m` factors.
        factor_labels: By factor, the text of each of its values 0, 1, 2 ..., which stands beside
            its axis. Default: none, the values themselves.
        nominal_factors: Names of the factors whose values have no order. Default: none.
        continuous_factors: Names of the factors that are measured quantities. Default: none.

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
        line = "o" if name in nominal_factors else "o-"
        means = _means(factor, code, name in continuous_factors)
        axes.plot(*means, line, color=COLORS[1], linewidth=1.2, markersize=2.5)
        finish_panel(axes, f"{name}: {latent}", name)
        if name in continuous_factors:
            # Between whole numbers, too.
            axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
        elif factor_labels and name in factor_labels:
            _label_values(axes, factor_labels[name], name in nominal_factors)
        axes.set_ylabel(latent, fontsize=FONT_SIZE)
        axes.set_axisbelow(True)
    return figure


def _means(factor, code, is_continuous):
    """Returns the values of a factor, or the means in 20 parts of its range, with mean codes."""
    groups = factor
    if is_continuous:
        edges = np.linspace(factor.min(), factor.max(), _PARTS + 1)[1:-1]
        groups = np.searchsorted(edges, factor, side="right")
    found = [groups == group for group in np.unique(groups)]
    return [factor[rows].mean() for rows in found], [code[rows].mean() for rows in found]


def _label_values(axes, labels, is_nominal):
    """Writes labels below the values: of classes all, if they have room, else some of them."""
    most = _MOST_CLASSES if is_nominal else _MOST_LABELS
    step = -(-len(labels) // most)
    places = range(0, len(labels), step)
    written = [labels[place] for place in places]
    slanted = max(map(len, written)) * len(written) > _ROOM
    turned = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    axes.set_xticks(places, written, **turned)


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
            marker=SHAPES[number % len(SHAPES)],
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
