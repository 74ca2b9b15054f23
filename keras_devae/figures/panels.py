"""Small panels with lines, and the colours that all charts share."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator

from keras_devae.figures.arguments import Numbers
from keras_devae.figures.canvas import FONT_SIZE, panel_grid, set_title_and_ticks

# Okabe and Ito's colours, told apart under every common colour blindness; yellow is left out,
# being too pale for a line on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
GRID: dict[str, Any] = {"color": "#E5E5E5", "linewidth": 0.6}
#: For lines that have the same colour.
_STYLES = ("-", "--", ":", "-.")
_COLUMNS = 3
_LEGEND_ABOVE = 5
#: Characters of the title and of the legend's labels that fit side by side.
_TITLE_LINE = 34
_PANEL_INCHES = (3.0, 2.0)


def columns_of(count: int) -> int:
    """Returns how many panels stand in a row: at most three, and four panels two by two."""
    return 2 if count == 4 else min(_COLUMNS, count)


def empty_panels(
    count: int, inches: tuple[float, float] = _PANEL_INCHES
) -> tuple[Figure, list[Axes]]:
    """Makes a figure of panels of so many inches each, `columns_of` them in a row."""
    columns = columns_of(count)
    width, height = inches
    return panel_grid(count, columns, (width * columns, height * -(-count // columns)))


def line_look(number: int) -> tuple[str, str]:
    """Returns colour and style of one of many lines: another style when the colours run out."""
    return COLORS[number % len(COLORS)], _STYLES[number // len(COLORS) % len(_STYLES)]


def draw_line(
    axes: Axes, steps: Numbers, values: Numbers, label: str | None, color: str, style: str
) -> None:
    """Draws one line of a panel."""
    # A single point makes no line, and would not be seen.
    marker = "o" if len(values) == 1 else None
    axes.plot(
        steps, values, style, label=label, color=color, linewidth=1.2, marker=marker, markersize=3
    )


def finish_panel(
    axes: Axes, title: str, step: str, line_count: int = 1, dashes: str | None = None
) -> None:
    """Gives a panel its title and axes, and a legend where there are several lines.

    `dashes` is what the legend says of dashed lines, for lines that have no entry of their own.
    """
    set_title_and_ticks(axes, title)
    axes.set_xlabel(step, fontsize=FONT_SIZE)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.grid(**GRID)
    if line_count > 1:
        _add_legend(axes, len(title), dashes)


def finish_share_panel(axes: Axes, title: str, line_count: int = 1) -> None:
    """Finishes a panel over training steps whose lines are shares of a factor's entropy."""
    finish_panel(axes, title, "step", line_count)
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel("share of entropy", fontsize=FONT_SIZE)


def _add_legend(axes, title_length, dashes):
    handles, labels = axes.get_legend_handles_labels()
    if dashes is not None:
        handles.append(Line2D([], [], color="gray", linestyle="--", linewidth=1.2))
        labels.append(dashes)
    # On the title's line, where it cannot hide a curve, as long as there is room.
    fits = len(labels) <= _LEGEND_ABOVE and title_length + sum(map(len, labels)) <= _TITLE_LINE
    place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": len(labels)}
    is_short = len(labels) > 2 and dashes is None
    axes.legend(
        handles,
        labels,
        **(place if fits else {"loc": "best", "ncols": 2}),
        fontsize=FONT_SIZE - 1,
        frameon=False,
        # Solid and dashed lines may stand here, which a short piece would not tell apart.
        handlelength=0.9 if is_short else 1.8,
        handletextpad=0.4,
        columnspacing=0.7,
        borderaxespad=0.1,
    )
