"""What the commands share."""

import json
import os

import click


def choose_backend(context, configured=None):
    """Sets Keras's backend, then imports Keras without its backend's start-up notices.

    Args:
        context: The click context.
        configured: Backend to use where the user names none, e.g. that of a run.
    """
    from keras_devae.backend import import_backend_quietly, select_backend

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    named = context.obj["backend"] or os.environ.get("KERAS_BACKEND")
    select_backend(named or _if_installed(configured))
    import_backend_quietly()


def _if_installed(name):
    from keras_devae.backend import installed_backends

    return name if name in installed_backends() else None


def names_from(text):
    """Splits names at commas; `all` and nothing at all give `None`."""
    return None if text in (None, "all") else tuple(part.strip() for part in text.split(","))


def print_json(value):
    """Prints a value for machines."""
    click.echo(json.dumps(value, indent=2))


def print_scores(scores):
    """Prints a table of scores: a row a score, a column a latent layer.

    Args:
        scores: What `keras_devae.experiments.evaluation.evaluate` returned.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("score")
    for layer in scores["layers"]:
        table.add_column(f"layer {layer['layer']}", justify="right")
    for name in scores["layers"][0]:
        if name != "layer":
            table.add_row(name, *(_number(layer[name]) for layer in scores["layers"]))
    Console(width=None if os.isatty(1) else 120).print(table)


def _number(value):
    return str(value) if isinstance(value, int) else f"{value:.3f}"


runs_folder_option = click.option(
    "--runs-dir", default="runs", show_default=True, metavar="FOLDER", help="Folder of the runs."
)
run_argument = click.argument("run", metavar="RUN")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
