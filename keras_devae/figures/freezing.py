"""The pressure at which a model lets each factor through."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from keras_devae.checks import Array, listed, positive
from keras_devae.errors import UsageError
from keras_devae.figures.arguments import Numbers, check_labels, real_numbers
from keras_devae.figures.canvas import FONT_SIZE, legend_beside, panel_grid, set_title_and_ticks
from keras_devae.figures.panels import GRID, line_look


def freezing_curves(
    betas: Numbers,
    shares: Array,
    factor_names: Sequence[str],
    points: Sequence[float | None],
    suggested: Sequence[float] = (),
) -> Figure:
    """Draws the information about each factor against the pressure, strongest on the left.

    Args:
        betas: `(t,)` pressures, above 0.
        shares: `(t, f)` information about each factor as a share of its entropy.
        factor_names: `(f,)` names of the factors.
        points: `(f,)` freezing points, marked on the curves; `None` where there is none.
        suggested: Pressures to mark by vertical lines; default none.

    Returns:
        The figure.

    Raises:
        UsageError: If the shapes do not fit or there is nothing to draw.
    """
    betas, shares = real_numbers("betas", betas), real_numbers("shares", shares)
    if betas.ndim != 1 or shares.ndim != 2 or len(shares) != len(betas) or not shares.size:
        raise UsageError(
            "`betas` must be (pressures,) and `shares` (pressures, factors). Received: shapes "
            f"{betas.shape} and {shares.shape}."
        )
    names = check_labels(factor_names, shares.shape[1], "factor_names", "factor")
    check_labels(points, shares.shape[1], "points", "factor")
    points = [None if point is None else positive("points", point) for point in points]
    suggested = listed("suggested", suggested, "numbers")
    figure, (axes,) = panel_grid(1, 1, (5.6, 3.2))
    for beta in suggested:
        positive("suggested", beta)
        axes.axvline(beta, color="#999999", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    for number, (name, point) in enumerate(zip(names, points, strict=True)):
        _draw_factor(axes, betas, shares[:, number], name, point, number)
    _finish(axes, betas, suggested)
    return figure


def _draw_factor(axes, betas, shares, name, point, number):
    color, style = line_look(number)
    axes.plot(betas, shares, style, color=color, label=name, linewidth=1.3)
    if point is not None:
        falling = np.argsort(np.log(betas))
        share = np.interp(np.log(point), np.log(betas)[falling], shares[falling])
        axes.plot([point], [share], "o", color=color, markersize=4.5, markeredgecolor="white")


def _finish(axes, betas, suggested):
    axes.set_xscale("log")
    axes.set_xlim(betas.max() * 1.05, betas.min() / 1.05)
    axes.set_ylim(-0.02, 1.02)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda beta, place: f"{beta:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("beta, falling", fontsize=FONT_SIZE)
    axes.set_ylabel("information, share of entropy", fontsize=FONT_SIZE)
    set_title_and_ticks(axes, "Information freezing points", pad=14)
    axes.grid(**GRID)
    legend_beside(axes)
    for beta in suggested:
        axes.annotate(
            f"{beta:g}",
            (beta, 1),
            xycoords=axes.get_xaxis_transform(),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=FONT_SIZE - 1,
            color="#666666",
        )
