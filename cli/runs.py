"""`keras-devae runs`."""

import click

from keras_devae.cli.options import json_option, print_json, runs_folder_option
from keras_devae.cli.tables import print_table


@click.group()
def runs() -> None:
    """List runs."""


@runs.command("list")
@runs_folder_option
@click.option(
    "--filter",
    "condition",
    metavar="NAME=VALUE,...",
    help="List only runs with these settings, e.g. model=devae,seed=1.",
)
@json_option
def list_runs(runs_dir: str, condition: str | None, as_json: bool) -> None:
    """List the runs in a folder: settings, progress and scores of layer 0."""
    from keras_devae.runs.listing import list_of_runs, parse_condition

    rows = list_of_runs(runs_dir, parse_condition(condition))
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo(f"There is no such run in {runs_dir}.")
        return
    # Scores that no run has take no room.
    known = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    texts = [["" if row[name] is None else str(row[name]) for name in known] for row in rows]
    print_table(known, texts, right=known[3:])
