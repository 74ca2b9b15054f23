"""Distributions of scores by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_devae.checks import flag
from keras_devae.errors import UsageError
from keras_devae.figures.arguments import check_mapping, real_numbers
from keras_devae.figures.canvas import panel_grid, set_title_and_ticks
from keras_devae.figures.panels import COLORS, GRID, columns_of

_BOX_WIDTH = 0.55
#: Two columns of a journal.
_PAGE_INCHES = 7.2
# How far the outermost points stand from the middle of their box.
_SPREAD = 0.16
#: Letters in all names of a panel from which on they stand upright.
_LONG_NAMES = 18


def box_plots(
    values: Mapping[str, Mapping[str, Sequence[float]]],
    horizontal: bool = False,
    references: Mapping[str, Mapping[str, float]] | None = None,
) -> Figure:
    """Draws the numbers of each group as a box with all of them over it.

    A box reaches from the lower to the upper quartile, with a line at the median; its whiskers
    reach to the outermost number within 1.5 times that distance. All numbers are drawn as points.

    Args:
        values: Title of a panel to a mapping of the name of a group to its finite numbers.
        horizontal: Lays the boxes on their side, with room for long names; default false.
        references: Title of a panel to a mapping of the name of a group to a number to compare it
            with, drawn as a white diamond; or `None` (default).

    Returns:
        The figure. A group has the same colour and place in all panels, and leaves its place empty
        where it has no numbers.

    Raises:
        UsageError: If there is nothing to draw, or a number is not finite.
    """
    panels_of = "panels by title, each one of numbers by group"
    values = {
        title: _checked(title, check_mapping("values", groups, panels_of))
        for title, groups in check_mapping("values", values, panels_of).items()
    }
    flag("horizontal", horizontal)
    references = {} if references is None else references
    for panel in (references, *check_mapping("references", references, panels_of).values()):
        check_mapping("references", panel, panels_of)
    groups = list(dict.fromkeys(name for panel in values.values() for name in panel))
    if not groups:
        raise UsageError(
            "`values` must hold a panel with a group. Received none; give at least one title with "
            "one group of numbers."
        )
    figure, panels = _panels(list(values), groups, horizontal)
    for axes, (title, panel) in zip(panels, values.items(), strict=True):
        for place, name in enumerate(groups):
            if panel.get(name) is not None:
                _draw_box(axes, place, panel[name], COLORS[place % len(COLORS)], horizontal)
            reference = references.get(title, {}).get(name)
            if reference is not None:
                where = (reference, place) if horizontal else (place, reference)
                axes.scatter(*where, s=28, marker="D", color="white", edgecolors="black", zorder=4)
        _finish(axes, title, groups, horizontal)
    return figure


def _checked(title, groups):
    arrays = {
        str(name): real_numbers(f"values[{title!r}][{name!r}]", numbers)
        for name, numbers in groups.items()
    }
    for name, numbers in arrays.items():
        if numbers.ndim != 1 or not np.isfinite(numbers).all():
            raise UsageError(
                f"`values[{title!r}][{name!r}]` must be a sequence of finite numbers. Received: "
                f"{numbers.tolist()}."
            )
    return {name: numbers for name, numbers in arrays.items() if len(numbers)}


def _panels(titles, groups, horizontal):
    count, letters = len(titles), max(len(title) for title in titles)
    # No title reaches into the next panel.
    width = max(2.0 if horizontal else max(1.3, 0.5 * len(groups)) + 0.35, 0.09 * letters)
    height = max(1.0, 0.5 + 0.28 * len(groups)) if horizontal else 2.3
    columns = max(1, min(columns_of(count), int(_PAGE_INCHES / width)))
    inches = (columns * width + (0.9 if horizontal else 0), -(-count // columns) * height)
    return panel_grid(count, columns, inches, sharey=horizontal)


def _draw_box(axes, place, numbers, color, horizontal):
    line = {"color": color, "linewidth": 1.2}
    axes.boxplot(
        numbers,
        positions=[place],
        widths=_BOX_WIDTH,
        orientation="horizontal" if horizontal else "vertical",
        showfliers=False,
        manage_ticks=False,
        patch_artist=True,
        boxprops={"facecolor": f"{color}33", "edgecolor": color, "linewidth": 1.2},
        medianprops={**line, "linewidth": 2.0},
        whiskerprops=line,
        capprops=line,
    )
    # Beside each other in the order given, so that equal numbers are seen to be several.
    places = place + (np.linspace(-_SPREAD, _SPREAD, len(numbers)) if len(numbers) > 1 else 0)
    where = (numbers, places) if horizontal else (places, numbers)
    axes.scatter(*np.broadcast_arrays(*where), s=9, color="black", linewidths=0, zorder=3)


def _finish(axes, title, groups, horizontal):
    set_title_and_ticks(axes, title)
    named, numbered = (axes.yaxis, axes.xaxis) if horizontal else (axes.xaxis, axes.yaxis)
    upright = not horizontal and sum(map(len, groups)) >= _LONG_NAMES
    turned = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if upright else {}
    named.set_ticks(np.arange(len(groups)), groups, **turned)
    named.set_tick_params(length=0)
    numbered.set_major_locator(MaxNLocator(nbins=4 if horizontal else 5))
    numbered.grid(**GRID)
    axes.set_axisbelow(True)
    limits = (-0.6, len(groups) - 0.4)
    if horizontal:
        # The first on top, as one reads.
        axes.set_ylim(*limits[::-1])
    else:
        axes.set_xlim(*limits)
