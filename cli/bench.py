"""`keras-devae bench`."""

import click

from keras_devae.cli.options import (
    PATH,
    json_option,
    list_of,
    names_from,
    print_json,
    status_line,
)
from keras_devae.cli.tables import print_table
from keras_devae.errors import UsageError


@click.command()
@click.option("--model", help="See `keras-devae models`.  [default: devae]")
@click.option("--dataset", help="As for `train`.  [default: dsprites]")
@click.option("--source", help="auto, official or rendered.  [default: auto]")
@click.option("--image-size", type=int, help="Pixels a side: 32, 64 or 128 where drawn.")
@click.option("--network", help="convolutional or mlp.  [default: convolutional]")
@click.option(
    "--batch-sizes",
    callback=list_of(int, "whole numbers"),
    metavar="NUMBERS",
    help="Images a step, with commas.  [default: 64,256]",
)
@click.option(
    "--precisions",
    callback=lambda context, parameter, text: names_from(text),
    metavar="NAMES",
    help="off (float32), float16, bfloat16 or mixed, with commas.  [default: off,mixed, which is "
    "float16 on a GPU and bfloat16 else]",
)
@click.option("--seconds", type=float, help="Of each measurement, at least.  [default: 1]")
@click.option("--rounds", type=int, help="Repetitions of each measurement.  [default: 5]")
@click.option(
    "--resident/--no-resident",
    default=None,
    help="Keep the images on the device.  [default: as `train` chooses]",
)
@click.option(
    "--steps-per-execution", type=int, help="Steps a compiled call.  [default: as `train` chooses]"
)
@click.option("--jit-compile/--no-jit-compile", default=None, help="XLA.  [default: by device]")
@click.option("--output", type=PATH, metavar="FILE", help="Write the figures to a JSON file too.")
@json_option
@click.pass_context
def bench(context, as_json, output, **given):
    """Measure how fast training, encoding and data are on this machine, backend by backend.

    Takes some minutes a backend; all that are installed are measured unless --backend names one.
    Medians and quartiles. Data: batches read with nothing else going on. Waiting for data: the part
    of a step's time that goes when one batch is used again and again. Memory: the peak of the
    process in training; where images are kept on the device, at most 16,384 of them are. Page
    faults: how often a step has the kernel make a page of memory for it. Of peak:
    what a step's matrix products and convolutions reach beside a product of large matrices in the
    same precision.

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


def _backends(name):
    from keras_devae.backend.choosing import installed_backends, select_backend

    if name is not None:
        select_backend(name)
        return (name,)
    if not installed_backends():
        raise UsageError("No backend is installed. Install one with `pip install tensorflow`.")
    return tuple(installed_backends())


def _print(report):
    from keras_devae.runs.benchmark import report_text, table_rows

    above, below = report_text(report)
    headings, rows = table_rows(report)
    click.echo(above)
    print_table(headings, rows, right=headings[1:])
    click.echo(below)
