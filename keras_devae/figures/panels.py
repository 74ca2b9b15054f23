"""Learning curves."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from keras_devae.errors import UsageError
from keras_devae.figures.arguments import check_mapping, real_numbers, steps_of
from keras_devae.figures.canvas import FONT_SIZE, TITLE_SIZE, new_figure

# Okabe and Ito's colours, told apart under every common colour blindness; yellow is left out,
# being too pale for a line on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
#: For lines that have the same colour.
STYLES = ("-", "--", ":", "-.")
STEPS = ("step", "epoch")
COLUMNS = 3
LEGEND_ABOVE = 5
# Validation or not, the quantity, and the number of a layer behind it.
KEY = re.compile(r"(val_)?(.+?)(?:_?(?:layer)?_?(\d+))?")
PANEL_INCHES = (3.0, 2.0)


def learning_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """Draws each recorded quantity against the step, in small panels.

    Quantities that differ only in a number at the end, such as `kl_loss_layer_0` and
    `kl_loss_layer_1`, share a panel with a line for each layer. A `val_` in front gives a dashed
    line in the panel of its quantity. Values that are not finite leave a gap.

    Args:
        history: Name to a sequence of numbers, such as the `history` of Keras's `fit`. A key
            `"step"` or `"epoch"` gives the horizontal axis; without one it is counted from 1.

    Returns:
        The figure, with a panel for each quantity in the order of the history.

    Raises:
        UsageError: If there is nothing to draw, or a sequence is not as long as the steps.
    """
    check_mapping("history", history, "lists of numbers by name")
    axis = next((name for name in STEPS if name in history), None)
    series = {
        name: real_numbers(f"history[{name!r}]", values)
        for name, values in history.items()
        if name not in STEPS
    }
    steps = None if axis is None else steps_of(history[axis])
    _check_series(series, None if axis is None else len(steps))
    panels = _panels(series)
    figure, all_axes = empty_panels(len(panels))
    for axes, (title, lines) in zip(all_axes, panels.items(), strict=True):
        for key, label, color, style in lines:
            values = np.where(np.isfinite(series[key]), series[key], np.nan)
            places = np.arange(1, len(values) + 1) if axis is None else steps
            draw_line(axes, places, values, label, color, style)
        finish_panel(axes, title, axis or "step", len(lines))
    return figure


def _check_series(series, length):
    if not series:
        raise UsageError(
            "`history` must hold a quantity besides the step. Received: none; train first, or look "
            "at the run's history file."
        )
    for name, values in series.items():
        if values.ndim != 1 or not len(values) or length not in (None, len(values)):
            expected = "a value" if length is None else f"{length} values, one for each step"
            raise UsageError(
                f"`history[{name!r}]` must be a sequence with {expected}. Received: shape "
                f"{values.shape}."
            )


def _panels(series):
    """Groups the keys: panel title to a list of (key, label, colour, line style)."""
    panels, numbers = {}, {}
    parts = {key: KEY.fullmatch(key).groups() for key in series}
    quantities = {quantity for _, quantity, _ in parts.values()}
    for key, (validation, quantity, layer) in parts.items():
        # `capacity_loss` is no other name for the `capacity` beside it.
        short = quantity.removesuffix("_loss")
        title = _title(quantity if short in quantities else short, layer)
        chosen = numbers.setdefault(title, {})
        number = chosen.setdefault(layer, len(chosen))
        styles = ("--", ":") if validation else ("-", "-.")
        style = styles[number // len(COLORS) % len(styles)]
        line = (key, _label(validation, layer), COLORS[number % len(COLORS)], style)
        panels.setdefault(title, []).append(line)
    return panels


def _label(validation, layer):
    if layer is None:
        return "validation" if validation else "training"
    # A layer's lines have one colour and one entry: the dashes are explained beside the loss.
    return "_" if validation else layer


def _title(quantity, layer):
    title = re.sub(r"\bkl\b", "KL", quantity.replace("_", " "))
    return title if layer is None else f"{title} by layer"


def columns_of(count):
    """Returns how many of some panels stand in a row: at most three, and four two by two."""
    return 2 if count == 4 else min(COLUMNS, count)


def empty_panels(count):
    """Makes a figure of small panels, three in a row: the pair (figure, list of axes)."""
    columns = columns_of(count)
    rows = -(-count // columns)
    figure = new_figure()
    figure.set_layout_engine("constrained")
    figure.set_size_inches(PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows)
    all_axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for unused in all_axes[count:]:
        unused.remove()
    return figure, all_axes[:count]


def line_look(number):
    """Returns colour and style of one of many lines: another style when the colours run out."""
    return COLORS[number % len(COLORS)], STYLES[number // len(COLORS) % len(STYLES)]


def draw_line(axes, steps, values, label, color, style):
    """Draws one line of a panel."""
    # A single point makes no line, and would not be seen.
    marker = "o" if len(values) == 1 else None
    axes.plot(
        steps, values, style, label=label, color=color, linewidth=1.2, marker=marker, markersize=3
    )


def finish_panel(axes, title, step, line_count):
    """Gives a panel its title and axes, and a legend where there are several lines."""
    axes.set_title(title, fontsize=TITLE_SIZE, loc="left")
    axes.set_xlabel(step, fontsize=FONT_SIZE)
    axes.tick_params(labelsize=FONT_SIZE - 1, length=2)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.grid(color="#E5E5E5", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if line_count > 1:
        _add_legend(axes)


def _add_legend(axes):
    handles, labels = axes.get_legend_handles_labels()
    # On the title's line, where it cannot hide a curve, as long as there is room.
    place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": len(labels)}
    axes.legend(
        handles,
        labels,
        **(place if len(labels) <= LEGEND_ABOVE else {"loc": "best", "ncols": 2}),
        fontsize=FONT_SIZE - 1,
        frameon=False,
        # Two entries may be a solid and a dashed line, which a short piece would not tell apart.
        handlelength=0.9 if len(labels) > 2 else 1.8,
        handletextpad=0.4,
        columnspacing=0.7,
        borderaxespad=0.1,
    )
