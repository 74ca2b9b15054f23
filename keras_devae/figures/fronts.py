"""Fronts: how two scores of a method change together as its pressure grows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.figures.arguments import check_mapping, check_text, real_numbers
from keras_devae.figures.canvas import FONT_SIZE, legend_beside, panel_grid, set_title_and_ticks
from keras_devae.figures.panels import GRID, line_look
from keras_devae.figures.scatter_plots import SHAPES

_PANEL_INCHES = (3.0, 2.6)
#: Room for the names beside the panels.
_LEGEND_INCHES = 1.3


def front_curves(
    panels: Mapping[str, Mapping[str, Mapping[str, Array]]], x_name: str, ringed: str | None = None
) -> Figure:
    """Draws every run as a point, and a line through the means of each group's settings.

    Args:
        panels: Title of a panel -> name of a group -> name of a setting -> its runs `(n, 2)`, each
            with its x and y, finite. Lines join the settings in their order. The panels stand two
            in a row, each row with one legend.
        x_name: What x measures. If all x are above 0, their axis is logarithmic.
        ringed: Name of a setting whose means get a black ring; default none.

    Returns:
        The figure, in which a group has the same look in all panels.

    Raises:
        UsageError: If there is nothing to draw, or runs are not as described.
    """
    check_text("x_name", x_name)
    holds = "panels by title, each one of groups of settings, with an array of runs each"
    drawn = {
        title: {
            name: {
                setting: _checked(title, name, setting, runs)
                for setting, runs in check_mapping("panels", settings, holds).items()
            }
            for name, settings in check_mapping("panels", groups, holds).items()
        }
        for title, groups in check_mapping("panels", panels, holds).items()
    }
    every = [runs for g in drawn.values() for settings in g.values() for runs in settings.values()]
    if not every:
        raise UsageError("`panels` must hold the runs of one setting at least. Received: none.")
    names = list(dict.fromkeys(name for groups in drawn.values() for name in groups))
    columns = min(2, len(drawn))
    width, height = _PANEL_INCHES
    inches = (columns * width + _LEGEND_INCHES, -(-len(drawn) // columns) * height)
    figure, all_axes = panel_grid(len(drawn), columns, inches)
    is_logarithmic = min(runs[:, 0].min() for runs in every) > 0
    for place, (axes, (title, groups)) in enumerate(zip(all_axes, drawn.items(), strict=True)):
        for name, settings in groups.items():
            _draw_group(axes, name, settings, names.index(name), ringed)
        _finish(axes, title, x_name, is_logarithmic)
        if place % columns == columns - 1 or place == len(drawn) - 1:
            legend_beside(axes, gap=0.02)
    return figure


def _checked(title, name, setting, runs):
    array = real_numbers(f"panels[{title!r}][{name!r}][{setting!r}]", runs)
    if array.ndim != 2 or array.shape[1:] != (2,) or not len(array) or not np.isfinite(array).all():
        raise UsageError(
            f"`panels[{title!r}][{name!r}][{setting!r}]` must be (runs, 2), with finite numbers. "
            f"Received: {array.tolist()}."
        )
    return array


def _draw_group(axes, name, settings, number, ringed):
    color, style = line_look(number)
    shape = SHAPES[number % len(SHAPES)]
    for runs in settings.values():
        axes.scatter(*runs.T, s=5, color=color, alpha=0.45, linewidths=0, zorder=2)
    means = {setting: runs.mean(axis=0) for setting, runs in settings.items()}
    line = np.array([*means.values()]).reshape(-1, 2)
    axes.plot(
        *line.T, style, marker=shape, color=color, linewidth=1.2, markersize=4, label=name, zorder=3
    )
    if ringed in means:
        axes.scatter(*means[ringed], s=34, marker=shape, color=color, edgecolors="black", zorder=4)


def _finish(axes, title, x_name, is_logarithmic):
    set_title_and_ticks(axes, title)
    axes.set_xlabel(x_name, fontsize=FONT_SIZE)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    if is_logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, place: f"{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(**GRID)
    axes.set_axisbelow(True)
