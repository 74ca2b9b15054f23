"""The figures of a page that compares runs."""

from __future__ import annotations

import io
import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from keras_devae import figures
from keras_devae.comparison.comparing import Comparison
from keras_devae.comparison.groups import ComparedRun
from keras_devae.comparison.tables import MIG, RECONSTRUCTION
from keras_devae.errors import FailureError
from keras_devae.evaluation.wording import listed
from keras_devae.figures.canvas import take_texts_literally
from keras_devae.figures.panels import draw_line, empty_panels, finish_panel, line_look
from keras_devae.reports.pictures import Picture, picture, rows_in
from keras_devae.runs.folder import RunDirectory
from keras_devae.runs.layout import ROWS

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

#: A figure, its caption and its description.
_Drawn: TypeAlias = "tuple[Figure, str, str]"
#: Most bytes that the traversals of single runs take in a page.
_MOST_BYTES = 2_500_000
_INCHES_PER_CHARACTER = 0.06
_CURVES = {"reconstruction_loss": "reconstruction, nats", "kl_loss": "KL divergence, nats"}
#: What is drawn of runs without these.
_LOSS = {"loss": "loss"}


def choose_traversals(comparison: Comparison) -> tuple[list[dict[str, Any]], list[str]]:
    """Returns a traversal per group, and the names of the groups without one or without room.

    It has a `name`, `alt`, and `rows` of images, or a `picture` where a run has no rows.
    """
    shown: list[dict[str, Any]] = []
    left_out: list[str] = []
    size = 0
    for group in comparison.groups:
        names = (f"traversal{ROWS}.png", "traversal.png")
        drawn = [(run.name, run.directory.figures / name) for run in group.runs for name in names]
        run, file = next((pair for pair in drawn if pair[1].is_file()), ("", None))
        if file is None or size + file.stat().st_size > _MOST_BYTES:
            left_out.append(group.name)
            continue
        size += file.stat().st_size
        alt = f"A row of images for each latent dimension of {run}."
        parts = {"picture": picture(file), "rows": rows_in(file), "alt": alt}
        shown.append({"name": f"{group.name}: {run}", **parts})
    return shown, left_out


def draw_comparison_figures(
    comparison: Comparison, titles: Mapping[str, str]
) -> dict[str, dict[str, str | Picture]]:
    """Draws the figures `boxes`, `scatter` and `curves`, as far as the runs have data for them.

    Each is a dictionary of `picture`, `caption` and `alt`; `titles` holds the metrics' titles.
    """
    drawn = {
        "boxes": _boxes(comparison, titles),
        "scatter": _scatter(comparison),
        "curves": _curves(comparison),
    }
    return {name: _embedded(*parts) for name, parts in drawn.items() if parts is not None}


def _embedded(figure: Figure, caption: str, alt: str) -> dict[str, str | Picture]:
    stream = io.BytesIO()
    take_texts_literally(figure)
    figure.savefig(stream, format="png", bbox_inches="tight")
    return {"picture": picture(stream.getvalue()), "caption": caption, "alt": alt}


def _boxes(comparison: Comparison, titles: Mapping[str, str]) -> _Drawn | None:
    if not comparison.metrics or max(len(group.runs) for group in comparison.groups) == 1:
        return None
    values = {
        titles[metric]: {
            group.name: values for group in comparison.groups if (values := group.values(metric))
        }
        for metric in comparison.metrics
    }
    names = listed([group.name for group in comparison.groups])
    caption = "Each point is a run. A box spans the lower to the upper quartile."
    alt = f"A panel for each of {listed(list(values))}, with a box each for {names}."
    return _widened(figures.box_plots(values, horizontal=True), comparison), caption, alt


def _widened(figure: Figure, comparison: Comparison) -> Figure:
    """Makes room beside the panels for the names of the groups, which may be long."""
    longest = max(len(group.name) for group in comparison.groups)
    figure.set_figwidth(figure.get_figwidth() + _INCHES_PER_CHARACTER * longest)
    return figure


def _scatter(comparison: Comparison) -> _Drawn | None:
    points = [
        (run.scores[RECONSTRUCTION], run.scores[MIG], group.name)
        for group in comparison.groups
        for run in group.runs
        if {RECONSTRUCTION, MIG} <= set(run.scores)
    ]
    if len(points) < 2:
        return None
    x, y, groups = zip(*points, strict=True)
    figure = figures.score_scatter(x, y, groups, "reconstruction, nats", "MIG")
    figure = _widened(figure, comparison)
    caption = "Each point is a run. Better runs are further up (more disentangled) and left."
    best = max(points, key=lambda point: point[1])
    alt = f"A point for each run. {best[2]} has the highest MIG, {best[1]:.2f}."
    return figure, caption, alt


def _curves(comparison: Comparison) -> _Drawn | None:
    """Draws losses of all runs, with a colour or a line style for each group."""
    histories = [
        (number, group.name, history)
        for number, group in enumerate(comparison.groups)
        for run in group.runs
        if len(history := _history(run)) > 1
    ]
    names = {
        name: title
        for name, title in (_CURVES | _LOSS).items()
        if any(name in _drawn_of(history) for *_, history in histories)
    }
    if not names:
        return None
    figure, panels = empty_panels(len(names))
    drawn: dict[str, Artist] = {}
    for axes, name in zip(panels, names, strict=True):
        for number, group, history in histories:
            if name not in _drawn_of(history):
                continue
            steps, values = _points(history, name, comparison.layer)
            if steps:
                draw_line(axes, np.array(steps), np.array(values), group, *line_look(number))
        finish_panel(axes, names[name], "step", 1)
        handles, labels = axes.get_legend_handles_labels()
        drawn.update(zip(labels, handles, strict=True))
    figure.set_size_inches(4.2 * len(names), 2.6)
    # A group may have a line in the last panel only.
    names_of_groups = [group.name for group in comparison.groups if group.name in drawn]
    handles = [drawn[name] for name in names_of_groups]
    figure.legend(
        handles, names_of_groups, loc="outside lower left", fontsize=8, frameon=False, ncols=2
    )
    caption = (
        f"A line for each run, with a colour or line style for each group. Runs that recorded "
        f"every layer show the losses of layer {comparison.layer}."
    )
    return figure, caption, f"Curves over the training steps of {listed(list(names.values()))}."


def _drawn_of(history: Sequence[Mapping[str, float]]) -> Collection[str]:
    """Returns the names of the losses of a run that are drawn, the whole loss if no other."""
    return [name for name in _CURVES if name in history[0]] or _LOSS


def _points(
    history: Sequence[Mapping[str, float]], name: str, layer: int
) -> tuple[list[float], list[float]]:
    """Returns the steps and values of a loss; of one layer, if each layer has its own losses.

    The column without a layer is the mean over the layers drawn.
    """
    own = f"{name}_layer_{layer}"
    column = own if own in history[0] else name
    points = [(r["step"], r[column]) for r in history if math.isfinite(r.get(column, math.nan))]
    return [step for step, _ in points], [value for _, value in points]


def _history(run: ComparedRun) -> Sequence[Mapping[str, float]]:
    if not isinstance(run.directory, RunDirectory):
        return []
    try:
        return run.directory.read_history()
    except FailureError:
        return []
