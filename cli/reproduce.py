"""`keras-devae reproduce`."""

import os
from pathlib import Path
from typing import Any

import click

from keras_devae.checks import counted
from keras_devae.cli.formatting import print_fact, print_list, print_text
from keras_devae.cli.options import (
    PATH,
    json_option,
    print_json,
    progress_bars,
    runs_folder_option,
    same_command,
)
from keras_devae.cli.tables import print_table


@click.command()
@click.argument("name", metavar="list|NAME")
@click.argument("listed", metavar="[NAME]", required=False)
@click.option("--scale", default="small", show_default=True, help="Size: smoke, small or paper.")
@click.option(
    "--seeds",
    type=click.IntRange(1, 1000),
    help="Number of seeds, or of trials for table1.  [default: see `reproduce list NAME`]",
)
@click.option(
    "--engine",
    help="How to carry out the runs: local, inline or ray; see `study run`.  [default: local; "
    "inline for smoke]",
)
@click.option("--workers", type=int, help="Number of runs at a time.  [default: 1]")
@click.option(
    "--ray-address",
    metavar="ADDRESS",
    help="Address of the Ray cluster; auto finds it.  [default: start one on this machine]",
)
@click.option("--cpus-per-run", type=float, help="On Ray: CPU cores per run.  [default: 1]")
@click.option("--gpus-per-run", type=float, help="On Ray: GPUs per run.  [default: 0]")
@click.option("--retry-failed", is_flag=True, help="Also retry runs that failed before.")
@click.option("--no-train", is_flag=True, help="Use only the runs that are done; train none.")
@click.option(
    "--output",
    type=PATH,
    metavar="FOLDER",
    help="Folder of the results.  [default: RUNS-DIR/reproduce/results/SCALE]",
)
@runs_folder_option
@json_option
@click.pass_context
def reproduce(
    context: click.Context,
    name: str,
    listed: str | None,
    scale: str,
    seeds: int | None,
    runs_dir: Path,
    output: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train the runs that a table or figure of the DeVAE paper needs, and make it.

    `reproduce list` lists all tables and figures; `reproduce list NAME` shows what one trains, how
    long this takes, and the paper's numbers. Three are benchmarks of other papers:
    correlated-factors, transfer and compositional-generalisation. front compares disentanglement
    and reconstruction of six methods, each with weak to strong regularisation.

    The results are NAME.csv, NAME.md, NAME.png and NAME.svg, and NAME-comparisons.csv where DeVAE
    is compared with others. The runs are in RUNS-DIR/reproduce/SCALE, and experiments share them.
    After an interruption, the same command resumes.

    --scale paper is the paper's setting (300,000 steps of 256 images, 10 seeds), small is for two
    cores, and smoke only checks that everything works.
    """
    from keras_devae.reproduction.scales import scale_named

    chosen = scale_named(scale)
    if name == "list":
        _list(chosen, runs_dir, seeds, listed, as_json)
        return
    if listed is not None:
        raise click.UsageError(f"Give one NAME at a time. Received: {name} {listed}.")
    _reproduce(context, name, chosen, seeds, runs_dir, output, as_json, options)


def _reproduce(context, name, scale, seeds, runs_dir, output, as_json, options):
    from keras_devae.backend.choosing import select_backend
    from keras_devae.files import check_folder, check_writable
    from keras_devae.process.interruption import exit_status
    from keras_devae.reproduction.catalogue import experiment_named
    from keras_devae.studies.engines import make_engine

    no_train, retry = options.pop("no_train"), options.pop("retry_failed")
    engine, workers = options.pop("engine"), options.pop("workers")
    if experiment_named(name).plans is None:
        _refuse_engines({"engine": engine, "workers": workers, **options}, name)
    folder = output or os.path.join(runs_dir, "reproduce", "results", scale.name)
    check_writable(os.path.join(folder, f"{name}.md"))
    if engine != "ray" or context.obj["backend"]:
        select_backend(context.obj["backend"])
    quick = scale.name == "smoke" and workers in (None, 1)
    carrier = make_engine(engine or ("inline" if quick else "local"), workers, options)
    from keras_devae.reproduction.reproducing import reproduction_of

    reproduction = reproduction_of(name, scale, runs_dir, seeds)
    if not no_train:
        check_folder(reproduction.folder, "Choose another folder with --runs-dir.")
    command = same_command(context, without=("retry_failed", "no_train", "as_json"))
    try:
        standing = None if no_train else _train(reproduction, carrier, retry)
        if standing is not None and standing.failed:
            _show_failures(reproduction.study, command)
        with progress_bars() as progress:
            outcome, provenance = reproduction.outcome(
                lambda done, total: progress(done, total, "trials"), only_done=no_train
            )
    except KeyboardInterrupt as ending:
        click.echo(f"Interrupted. Resume it with: {command}", err=True)
        context.exit(exit_status(ending))
    files = reproduction.write(outcome, provenance, folder, command)
    if as_json:
        tables = {table.name: table.tidy for table in outcome.tables}
        paths = [str(file) for file in files]
        print_json({"rows": outcome.tidy, **tables, "files": paths})
    else:
        _show(outcome, files)
    if standing is not None and standing.failed:
        context.exit(1)


def _refuse_engines(options, name):
    from keras_devae.errors import UsageError

    given = [f"--{option.replace('_', '-')}" for option, value in options.items() if value]
    if given:
        raise UsageError(
            f"{name} trains no runs for an engine to carry out: it works in this process. "
            f"Leave out: {', '.join(given)}."
        )


def _train(reproduction, engine, retry_failed):
    from keras_devae.studies.progress import show_progress
    from keras_devae.studies.scheduler import carry_out_study

    if reproduction.study is None:
        return None
    reproduction.study.write(beside_others=True)
    click.echo(
        f"Runs     {len(reproduction.study.runs)} in {reproduction.study.folder}; "
        f"{reproduction.scale.description}",
        err=True,
    )
    with show_progress() as report:
        return carry_out_study(reproduction.study, engine, report, retry_failed)


def _show(outcome, files):
    print_table(outcome.header, outcome.rows)
    for remark in outcome.remarks:
        click.echo(remark)
    for table in outcome.tables:
        click.echo(f"\n{table.title}")
        print_table(table.header, table.rows)
        for note in table.notes:
            click.echo(note)
    for file in files:
        click.echo(f"Written  {file}")


def _show_failures(study, command):
    for run in study.runs:
        if reason := run.reason():
            click.echo(f"Failed   {run.name}: {reason}", err=True)
    click.echo(f"Retry what failed with: {command} --retry-failed", err=True)


def _list(scale, runs_dir, seeds, name, as_json):
    from keras_devae.reproduction.catalogue import experiment_named
    from keras_devae.reproduction.listing import list_experiments

    if name is not None:
        experiment_named(name)
    rows = [row for row in list_experiments(scale, runs_dir, seeds) if name in (None, row["name"])]
    if as_json:
        print_json(rows)
    elif name is not None:
        _show_experiment(rows[0], scale)
    else:
        print_list(((row["name"], f"{row['what']} ({_amount(row)})") for row in rows), column=14)
        print_text(
            f"Hours are of one core, at scale {scale.name}. `keras-devae reproduce list NAME` "
            f"shows more about one, and `keras-devae reproduce NAME --scale {scale.name}` makes it."
        )


def _amount(row):
    """Says in a few words how much is left to train."""
    if not row["runs"]:
        return "trains no runs"
    runs, hours = counted(row["runs"], "run"), row["process_hours"]
    if row["done"] == row["runs"]:
        return f"{runs}, all done"
    return f"{runs}, {row['done']} done, {hours:.1f} h" if row["done"] else f"{runs}, {hours:.1f} h"


def _show_experiment(row, scale):
    for title, text in (
        ("name", row["name"]),
        ("shows", row["what"]),
        ("scale", f"{scale.name}. {scale.description}"),
        ("trains", row["trains"]),
        ("done", f"{row['done']} of {row['runs']}" if row["runs"] else ""),
        ("takes", row["takes"]),
        ("paper", row["known"]),
        ("make it", f"keras-devae reproduce {row['name']} --scale {scale.name}"),
    ):
        if text:
            print_fact(title, text)
