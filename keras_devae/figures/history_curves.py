"""The learning curves of a training history."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from keras_devae.errors import UsageError
from keras_devae.figures.arguments import check_mapping, check_steps, real_numbers
from keras_devae.figures.panels import COLORS, draw_line, empty_panels, finish_panel

_STEPS = ("step", "epoch")
# Validation or not, the quantity, and the number of a layer behind it.
_KEY = re.compile(r"(val_)?(.+?)(?:_?(?:layer)?_?(\d+))?")


def learning_curves(history: Mapping[str, Sequence[float]]) -> Figure:
    """Draws each recorded quantity against the step, in small panels.

    Quantities that differ only in a number at the end, such as `kl_loss_layer_0` and
    `kl_loss_layer_1`, share a panel with a line for each layer. A quantity whose name begins with
    `val_` is a dashed line in the panel of the training quantity. Values that are not finite leave
    a gap.

    Args:
        history: Name to a sequence of numbers, such as the `history` of Keras's `fit`. A key
            `"step"` or `"epoch"` gives the horizontal axis; without one it is counted from 1.

    Returns:
        The figure, with a panel for each quantity in the order of the history.

    Raises:
        UsageError: If there is nothing to draw, or a sequence is not as long as the steps.
    """
    check_mapping("history", history, "lists of numbers by name")
    axis = next((name for name in _STEPS if name in history), None)
    series = {
        name: real_numbers(f"history[{name!r}]", values)
        for name, values in history.items()
        if name not in _STEPS
    }
    steps = None if axis is None else check_steps(history[axis])
    _check_series(series, None if steps is None else len(steps))
    panels = _panels(series)
    figure, all_axes = empty_panels(len(panels))
    for axes, (title, lines) in zip(all_axes, panels.items(), strict=True):
        for key, label, color, style in lines:
            values = np.where(np.isfinite(series[key]), series[key], np.nan)
            places = np.arange(1, len(values) + 1) if steps is None else steps
            draw_line(axes, places, values, label, color, style)
        dashes = "validation" if any(label == "_" for _, label, _, _ in lines) else None
        finish_panel(axes, title, axis or "step", len(lines), dashes)
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
    parts = {key: _KEY.fullmatch(key).groups() for key in series}
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
    # A layer's lines have one colour and one entry, and all dashes have another.
    return "_" if validation else layer


def _title(quantity, layer):
    title = re.sub(r"\bkl\b", "KL", quantity.replace("_", " "))
    return title if layer is None else f"{title} by layer"
