"""Shared by the commands that train a run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from keras_devae.runs import Run


@contextlib.contextmanager
def resumable(context: click.Context, run: Run) -> Iterator[None]:
    """Enters a run, and says how to resume it if Ctrl-C or SIGTERM interrupts it."""
    from keras_devae.process.interruption import Interruption, exit_status

    try:
        with Interruption(), run:
            yield
    except KeyboardInterrupt as ending:
        click.echo(f"Interrupted. {run.folder.how_to_resume()}", err=True)
        context.exit(exit_status(ending))


def resumed(context: click.Context, path: str, quiet: bool) -> Run:
    """Resumes the run that `--resume` names."""
    from keras_devae.cli.options import progress_bars
    from keras_devae.runs import Run

    with progress_bars(quiet) as progress:
        return Run.resume(path, backend=context.obj["backend"], progress=progress)
