"""Tables on the terminal."""

import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import click

from keras_devae.cli.formatting import print_list
from keras_devae.cli.options import console

#: Columns of a table beside its texts, and those that a wrapped text has at least.
_BETWEEN, _LEAST_TEXT = 3, 14


def print_table(
    titles: Sequence[str],
    rows: Iterable[Sequence[str]],
    right: Collection[str] = (),
    width: int = 160,
) -> None:
    """Prints a table; the columns whose titles are in `right` are right-aligned, and not wrapped.

    A table that does not fit is printed as a list for each row. `width` is its most columns where
    neither a terminal nor `COLUMNS` has a width.
    """
    from rich import box
    from rich.table import Table

    rows, width = list(rows), shutil.get_terminal_size((width, 24)).columns
    if _least_width(titles, rows, right) > width:
        _print_rows(titles, rows)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        is_right = title in right
        justify = "right" if is_right else "left"
        table.add_column(title, justify=justify, overflow="fold", no_wrap=is_right)
    for row in rows:
        table.add_row(*row)
    console(width=width).print(table)


def _least_width(titles, rows, right):
    """Returns the columns that a table needs: whole numbers, and some of each text."""
    from rich.cells import cell_len

    total = 0
    for title, cells in zip(titles, zip(*rows, strict=True), strict=True) if rows else ():
        lines = [line for text in (title, *cells) for line in text.splitlines()]
        longest = max(map(cell_len, lines), default=0)
        total += _BETWEEN + (longest if title in right else min(longest, _LEAST_TEXT))
    return total


def _print_rows(titles, rows):
    names = [" ".join(title.split()) for title in titles]
    for row in rows:
        click.echo(f"\n{names[0]}: {row[0]}")
        cells = [" ".join(text.split()) for text in row[1:]]
        print_list(((n, c) for n, c in zip(names[1:], cells, strict=True) if c), indent=2)


def print_held_out(scores: Mapping[str, Any]) -> None:
    """Prints the scores on the images that were held out, if any."""
    if "validation" in scores:
        click.echo("\nOn the images held out:")
        print_scores(scores["validation"])


def print_scores(scores: Mapping[str, Any]) -> None:
    """Prints what `evaluate` returned: a row per score and factor, a column per latent layer."""
    titles = [f"layer {layer['layer']}" for layer in scores["layers"]]
    print_score_columns(titles, scores["layers"], scores["details"])


def print_score_columns(
    titles: Sequence[str],
    columns: Sequence[Mapping[str, Any]],
    details: Sequence[Mapping[str, Any]],
) -> None:
    """Prints columns of scores; each metric's scores per factor follow below it."""
    rows = [(label, *cells) for label, cells in _rows(columns, details)]
    print_table(["score", *titles], rows, right=titles, width=120)


def _rows(columns, details):
    from keras_devae.metrics.score_table import score_rows

    for row in score_rows(columns, details):
        if row.factor is None:
            yield row.key, [_score(column, row.key) for column in columns]
        else:
            yield f"  {row.key}: {row.factor}", [_number(value) for value in row.cells]


def _score(column, name):
    if f"{name}.low" not in column:
        return _number(column[name])
    low, high = _number(column[f"{name}.low"]), _number(column[f"{name}.high"])
    return f"{_number(column[name])} ± {_number(column[f'{name}.std'])} [{low}, {high}]"


def _number(value):
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.3f}"
