"""What `keras-devae train` says at its end: what happened, where things are, what to type next.

It fits a terminal of 80 columns and 24 lines; the report holds the rest.
"""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keras_devae.cli.tables import print_table
from keras_devae.models.catalogue import MODEL_CATALOGUE

if TYPE_CHECKING:
    from keras_devae.runs import Run

#: Most rows and columns of scores.
_ROWS, _COLUMNS = 6, 5
#: Figures that are named -> what they are called.
_FIGURES = {
    "traversal": "traversals",
    "reconstructions": "reconstructions",
    "learning-curves": "learning curves",
    "tracked-scores": "tracked scores",
}


def print_summary(
    run: Run, scores: Mapping[str, Any], figures: Mapping[str, Path], took: str
) -> None:
    """Prints the summary of a finished run; `took` says how long it trained, in words."""
    click.echo(f"\nTrained {run.config.model.name}{took}.")
    titles, rows = _scores(scores)
    print_table(["score", *titles], rows, right=titles, width=80)
    for line in _factors(scores):
        click.echo(line)
    names = ", ".join(title for name, title in _FIGURES.items() if name in figures)
    for what, where in (
        ("Report", run.folder.report_file),
        ("Figures", f"{Path(next(iter(figures.values()))).parent}/ ({names})" if figures else ""),
        ("Scores", run.folder.metrics_file),
        ("Model", run.folder.model_file),
    ):
        if where:
            click.echo(f"{what:<8} {where}")
    click.echo("\nNext, open the report in a browser, or type:")
    for command, purpose in _commands(run):
        click.echo(f"  {command:<44}  # {purpose}")


def _scores(scores: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Returns the titles of the columns, and the rows of the most important scores."""
    from keras_devae.comparison.tables import ACTIVE, SHOWN, cell_text, one_line_title
    from keras_devae.metrics import METRICS

    def cell(key, value):
        return f"{value:.0f}" if key == ACTIVE and value is not None else cell_text(value)

    layers = list(scores["layers"])
    if len(layers) > _COLUMNS:
        layers = [*layers[: _COLUMNS - 1], layers[-1]]
    columns = {f"layer {layer['layer']}": layer for layer in layers}
    if len(columns) == 1:
        columns = {"on its images": layers[0]} if "validation" in scores else {"": layers[0]}
    if "validation" in scores:
        columns["held out"] = scores["validation"]["layers"][0]
    known = dict.fromkeys(key for column in columns.values() for key in column)
    keys = list(dict.fromkeys([*SHOWN, *(m.key() for m in METRICS.values())]))
    return list(columns), [
        [one_line_title(key), *(cell(key, column.get(key)) for column in columns.values())]
        for key in [key for key in keys if key in known][:_ROWS]
    ]


def _factors(scores: Mapping[str, Any]) -> Iterator[str]:
    """Yields at most two lines that say how well the first layer holds each factor."""
    by_factor = (scores["details"][0].get("mig") or {}).get("per_factor") or {}
    found = {name: value for name, value in by_factor.items() if value is not None}
    if not found:
        return
    best = sorted(found, key=found.__getitem__, reverse=True)
    text = "MIG by factor: " + ", ".join(f"{name} {found[name]:.2f}" for name in best)
    yield from textwrap.wrap(text, 79, max_lines=2, placeholder=" ...", break_on_hyphens=False)


def _commands(run: Run) -> Iterator[tuple[str, str]]:
    """Yields commands to type next, and what they are for."""
    path = shlex.quote(str(run.folder.path))
    if MODEL_CATALOGUE[run.config.model.name].decodes:
        yield f"keras-devae explore {path}", "move the latents by hand"
    yield f"keras-devae evaluate {path} --metrics all", "every score"
    yield f"keras-devae export {path} encoder/", "use the encoder elsewhere"
