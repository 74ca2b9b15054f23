"""`keras-devae bench`."""

from pathlib import Path
from typing import Any

import click

from keras_devae.cli.options import PATH, json_option, list_of, parse_names, print_json, status_line
from keras_devae.cli.setting_options import setting_options
from keras_devae.cli.tables import print_table
from keras_devae.errors import UsageError

# The first character keeps click from wrapping the lines.
_COLUMNS = """\b
What is measured:
  data              batches read while nothing else runs
  waiting for data  time of a step saved when it uses the same batch again
  memory            peak of the process during training, with at most
                    16,384 images on the device
  page faults       pages of memory that the kernel provides per step
  of peak           speed of a step's matrix products and convolutions,
                    relative to a product of large matrices
"""


@click.command(epilog=_COLUMNS)
@setting_options(
    {"model": None, "dataset": "dsprites", "source": None, "image_size": None, "network": None}
)
@click.option(
    "--batch-sizes",
    callback=list_of(int, "whole numbers"),
    metavar="NUMBERS",
    help="Batch sizes, comma-separated.  [default: 64,256]",
)
@click.option(
    "--precisions",
    callback=parse_names,
    metavar="NAMES",
    help="Precisions, comma-separated: off (float32), float16, bfloat16, or mixed (float16 on a "
    "GPU, else bfloat16).  [default: off,mixed]",
)
@click.option(
    "--seconds", type=float, help="Minimum length of each measurement, in seconds.  [default: 1]"
)
@click.option("--rounds", type=int, help="Number of repetitions of each measurement.  [default: 5]")
@setting_options(
    {
        **dict.fromkeys(("resident", "steps_per_execution"), "as `train` chooses"),
        "jit_compile": None,
    }
)
@click.option("--output", type=PATH, metavar="FILE", help="Also write the results to a JSON file.")
@json_option
@click.pass_context
def bench(context: click.Context, as_json: bool, output: Path | None, **given: Any) -> None:
    """Measure how fast this machine trains, encodes and reads data, backend by backend.

    Takes a few minutes per backend, and measures every backend that is installed unless --backend
    names one. The table shows medians, with quartiles in brackets.

    The exit code is 1 if nothing could be measured.
    """
    from keras_devae.files import check_writable, write_json
    from keras_devae.runs.benchmark import BenchmarkSettings, run_benchmark

    chosen = {name: value for name, value in given.items() if value is not None}
    settings = BenchmarkSettings(backends=_backends(context.obj["backend"]), **chosen)
    if output is not None:
        check_writable(output)
    with status_line(as_json) as status:
        report = run_benchmark(settings, status)
    if output is not None:
        write_json(output, report)
    if as_json:
        print_json(report)
    else:
        _print(report)
    context.exit(0 if report["fastest"] else 1)


def _backends(name: str | None) -> tuple[str, ...]:
    from keras_devae.backend.choosing import installed_backends, select_backend

    if name is not None:
        select_backend(name)
        return (name,)
    if not installed_backends():
        raise UsageError("No backend is installed. Install one with `pip install tensorflow`.")
    return tuple(installed_backends())


def _print(report: dict[str, Any]) -> None:
    from keras_devae.runs.benchmark import report_text, table_rows

    above, below = report_text(report)
    headings, rows = table_rows(report)
    click.echo(above)
    print_table(headings, rows, right=headings[1:])
    click.echo(below)
