"""How much models tell of each factor as training goes on, method beside method."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from keras_devae.errors import UsageError
from keras_devae.figures.arguments import check_labels, check_mapping, real_numbers, steps_of
from keras_devae.figures.canvas import FONT_SIZE
from keras_devae.figures.panels import COLORS, draw_line, empty_panels, finish_panel

STYLES = ("-", "--", "-.", ":")


def information_curves(
    steps: Sequence[int],
    shares: Mapping[str, Sequence[np.ndarray]],
    factor_names: Sequence[str],
) -> Figure:
    """Draws how much each method tells of each factor over training, one panel a factor.

    Args:
        steps: `(t,)` training steps.
        shares: Name of a method -> for each seed `(t, f)` shares of the factors' entropies that are
            known.
        factor_names: `(f,)` names of the factors.

    Returns:
        The figure: for each method its mean over the seeds, in a band from the lowest to the
        highest one.

    Raises:
        UsageError: If the shapes do not fit or there is nothing to draw.
    """
    steps = steps_of(steps)
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
            of_factor = values[:, :, factor]
            axes.fill_between(
                steps, of_factor.min(0), of_factor.max(0), color=color, alpha=0.15, linewidth=0
            )
            style = STYLES[number % len(STYLES)]
            draw_line(axes, steps, of_factor.mean(0), group, color, style)
        finish_panel(axes, name, "step", len(stacked) if factor == 0 else 1)
        axes.set_ylim(-0.02, 1.02)
        axes.set_ylabel("share of entropy", fontsize=FONT_SIZE)
    return figure
