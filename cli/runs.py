"""`keras-devae runs`."""

import click

from keras_devae.cli.options import console, json_option, print_json, runs_folder_option


@click.group()
def runs():
    """List runs."""


@runs.command("list")
@runs_folder_option
@click.option("--filter", "condition", metavar="NAME=VALUE,...", help="E.g. model=devae,seed=1.")
@json_option
def list_runs(runs_dir, condition, as_json):
    """List the runs in a folder: settings, progress and scores of layer 0."""
    from keras_devae.experiments.run_listing import list_of_runs, parse_condition

    rows = list_of_runs(runs_dir, parse_condition(condition))
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo(f"No such run in {runs_dir}.")
        return
    from rich import box
    from rich.table import Table

    table = Table(*rows[0], box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    console().print(table)
