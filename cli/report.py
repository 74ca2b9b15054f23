"""`keras-devae report`."""

import os
from pathlib import Path

import click

from keras_devae.cli.options import PATH, choose_backend, status_line
from keras_devae.files import check_writable


@click.command()
@click.argument("runs", type=PATH, metavar="RUN...", nargs=-1, required=True)
@click.option(
    "--output",
    type=PATH,
    metavar="FILE",
    help="HTML file to write.  [default: RUN/report.html; for several runs, comparison.html in the "
    "folder of the first]",
)
@click.pass_context
def report(context: click.Context, runs: tuple[str, ...], output: str | None) -> None:
    """Write the report on a run again, or a page that compares several runs.

    RUN is a run's folder, a folder from `evaluate --report-dir`, or a folder that holds several of
    these, such as a study. A report on one run needs its images; a comparison needs only the
    folders. Each page is a single file that works offline.
    """
    from keras_devae.comparison.comparing import find_all_runs

    directories = find_all_runs(runs)
    is_one = len(directories) == 1
    if directories[0].is_preset:
        directories[0].check_takes_files(
            "Its card describes it: keras-devae presets NAME."
            if is_one
            else "Name a run first: the page is written beside its folder."
        )
    default = directories[0].report_file
    if not is_one:
        # Beside the runs of a study, like its other results; the run may be given as ".".
        default = os.path.normpath(directories[0].path / ".." / "comparison.html")
    output = Path(output or default)
    check_writable(output)
    with status_line() as status:
        if is_one:
            _of_one(context, directories[0], output, status)
        else:
            _of_several(directories, output, status)
    click.echo(output)


def _of_one(context, directory, output, status):
    from keras_devae.runs import Run
    from keras_devae.runs.evaluation_folder import EvaluationFolder

    if isinstance(directory, EvaluationFolder):
        directory.read()
        choose_backend(context)
        from keras_devae.reports.encoder_report import write_encoder_page

        write_encoder_page(directory, output)
        return
    run = Run.open(directory.path)
    run.folder.trained_model_file()
    # Damaged scores are refused before Keras is imported.
    run.folder.read_metrics()
    status("loading model and data")
    choose_backend(context, run.config.compute.backend)
    run.load()
    status("drawing")
    run.report(output)


def _of_several(directories, output, status):
    from keras_devae.reports import write_comparison

    status(f"comparing {len(directories)} runs")
    write_comparison([directory.path for directory in directories], output)
