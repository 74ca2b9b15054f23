"""`keras-devae study`."""

from pathlib import Path
from typing import Any

import click

from keras_devae.cli.options import PATH, json_option, print_json, runs_folder_option, same_command
from keras_devae.cli.tables import print_table
from keras_devae.errors import UsageError

#: Most runs in one program, unless the user says otherwise.
GROUP_SIZE = 16

study_argument = click.argument("study", type=PATH, metavar="FILE|FOLDER")


@click.group()
def study() -> None:
    """Train the many runs that a file describes, and collect their results."""


@study.command("run")
@click.argument("file", type=PATH, metavar="FILE")
@click.option(
    "--engine",
    default="local",
    show_default=True,
    help="How to carry out the runs: local, each in a process of "
    "its own; inline, in this process; or ray, on a Ray cluster.",
)
@click.option(
    "--workers",
    type=int,
    help="Number of runs at a time, or of groups with --together. On this machine they share the "
    "first GPU of CUDA_VISIBLE_DEVICES.  [default: 1; on Ray, as many as the cluster has room for]",
)
@click.option(
    "--ray-address",
    metavar="ADDRESS",
    help="Address of the Ray cluster; auto finds it.  [default: start one on this machine]",
)
@click.option(
    "--cpus-per-run",
    type=float,
    help="On Ray: CPU cores per run, or a fraction of one.  [default: 1]",
)
@click.option(
    "--gpus-per-run", type=float, help="On Ray: GPUs per run, or a fraction of one.  [default: 0]"
)
@click.option(
    "--together",
    is_flag=True,
    help="On JAX: train runs that differ only in their seed, or in numbers such as beta or "
    "learning_rate, as one program, a group of runs in one process (engine local) or in this one "
    "(inline). Each run is the same as if trained alone.",
)
@click.option(
    "--group-size",
    type=int,
    help=f"With --together: largest number of runs in one program.  [default: {GROUP_SIZE}]",
)
@click.option("--retry-failed", is_flag=True, help="Also retry runs that failed before.")
@runs_folder_option
@click.pass_context
def run_study(
    context: click.Context,
    file: Path,
    engine: str,
    workers: int | None,
    together: bool,
    group_size: int | None,
    retry_failed: bool,
    runs_dir: Path,
    **ray_options: Any,
) -> None:
    """Carry out all runs of a study file that are not done yet.

    The file (TOML or YAML) has a name, settings of every run, and a sweep. Results are written to
    RUNS-DIR/NAME: a folder for each run, and logs/. Interrupted runs are resumed; failed ones do
    not stop the others.
    """
    from keras_devae.backend.choosing import select_backend
    from keras_devae.process.interruption import exit_status
    from keras_devae.studies.engines import make_engine
    from keras_devae.studies.grouping import Grouping, check_engine
    from keras_devae.studies.progress import show_progress, summarize_progress
    from keras_devae.studies.scheduler import carry_out_study
    from keras_devae.studies.study import Study

    if together:
        check_engine(engine)
    elif group_size is not None:
        raise UsageError("--group-size needs --together.")
    opened = Study.from_file(file, runs_dir)
    # The processes of the runs inherit the choice through the environment. The nodes of a cluster
    # have their own defaults.
    if engine != "ray" or context.obj["backend"]:
        select_backend(context.obj["backend"])
    grouping = None
    if together:
        grouping = Grouping(opened, GROUP_SIZE if group_size is None else group_size)
        grouping.check()
    chosen = make_engine(engine, workers, ray_options)
    opened.write()
    click.echo(f"Study    {len(opened.runs)} runs in {opened.folder}")
    for line in grouping.describe() if grouping else ():
        click.echo(f"Together {line}")
    if others := opened.others():
        click.echo(
            f"Others   {len(others)} runs in {opened.folder} that {file} does not name; status and "
            "table leave them out, `keras-devae runs list` shows them"
        )
    again = same_command(context, without=("retry_failed",))
    try:
        with show_progress() as report:
            progress = carry_out_study(opened, chosen, report, retry_failed, grouping)
    except KeyboardInterrupt as ending:
        click.echo(f"Interrupted. Resume it with: {again}", err=True)
        context.exit(exit_status(ending))
    click.echo(f"Study    {summarize_progress(progress)}")
    if progress.failed:
        for run in opened.runs:
            if reason := run.reason():
                click.echo(f"Failed   {run.name}: {reason}")
        click.echo(f"Retry failed runs with: {again} --retry-failed")
    context.exit(1 if progress.failed else 0)


@study.command(short_help="Show which runs are done, and why some failed.")
@study_argument
@runs_folder_option
@json_option
def status(study: Path, runs_dir: Path, as_json: bool) -> None:
    """Show the runs of a study: which are done, how far the others are, why some failed."""
    from keras_devae.studies.study import Study
    from keras_devae.studies.study_run import count_states

    opened = Study.open(study, runs_dir)
    rows = opened.status()
    counts = count_states(row["state"] for row in rows)
    if as_json:
        print_json({"study": opened.name, "counts": counts, "runs": rows})
        return
    texts = [
        {**row, "step": f"{row['step']}/{row['steps']}", "seconds": f"{row['seconds']:.0f}"}
        for row in rows
    ]
    titles = ("run", "state", "step", "seconds", "reason")
    print_table(titles, [[row[title] or "" for title in titles] for row in texts], width=200)
    click.echo(", ".join(f"{number} {state}" for state, number in counts.items()))
    if counts["failed"]:
        click.echo("Retry failed runs with: keras-devae study run FILE --retry-failed")


@study.command(short_help="Collect all results in a table.")
@study_argument
@runs_folder_option
@click.option("--output", type=PATH, metavar="FILE", help="CSV file to write.  [default: print it]")
@json_option
def table(study: Path, runs_dir: Path, output: Path | None, as_json: bool) -> None:
    """Collect all results: a row per run, latent layer and metric, with every setting."""
    from keras_devae.comparison.table_files import csv_text
    from keras_devae.files import check_writable, write_text
    from keras_devae.studies.study import Study
    from keras_devae.studies.table import COLUMNS, result_rows

    if output:
        check_writable(output)
    rows = result_rows(Study.open(study, runs_dir))
    if output:
        write_text(output, csv_text(rows, COLUMNS))
    if as_json:
        print_json(rows)
    elif output:
        click.echo(f"{len(rows)} rows in {output}")
    else:
        click.echo(csv_text(rows, COLUMNS), nl=False)
