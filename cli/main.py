"""The group of all commands, and how they end."""

import errno
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import click

from keras_devae.cli.surroundings import plain_surroundings
from keras_devae.errors import FailureError, UsageError
from keras_devae.process.interruption import exit_status, heed_signals
from keras_devae.version import __version__

#: Command -> one line of help. It is in the module of its name with underscores, which is imported
#: on use.
COMMANDS = {
    "annealing-test": "Find betas that suit a data set.",
    "bench": "Measure how fast this machine trains and encodes.",
    "compare": "Compare finished runs: spread over seeds, correlations.",
    "data": "List, describe and prepare data sets.",
    "doctor": "Show what is installed; check a run and repair it.",
    "evaluate": "Score a run, an encoder or codes, layer by layer.",
    "explore": "Move the latents of a run by hand, on a local page.",
    "export": "Export a model as SavedModel, ONNX and other formats.",
    "metrics": "List the metrics.",
    "models": "List the models; show options, defaults and papers.",
    "plot": "Draw a figure of a run.",
    "presets": "List pretrained models, and the presets of `train`.",
    "reproduce": "Reproduce a table or figure of the DeVAE paper.",
    "report": "Write the report on a run, or on several compared.",
    "runs": "List runs.",
    "study": "Train many runs that one file describes.",
    "suggest": "Propose training settings for your images.",
    "train": "Train a model, score it and write a report.",
}


class LazyGroup(click.Group):
    """A group that imports its commands when they are run, so that its help is immediate."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of the commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Imports a command."""
        if name not in COMMANDS:
            return None
        module = name.replace("-", "_")
        return getattr(importlib.import_module(f"keras_devae.cli.{module}"), module)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Finds a command; the error for an unknown one suggests close matches."""
        if args and args[0] not in COMMANDS:
            from keras_devae.errors import unknown_name

            raise click.UsageError(str(unknown_name("command", args[0], COMMANDS)))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command; its errors name options instead of the library's arguments."""
        try:
            return super().invoke(ctx)
        except (UsageError, FailureError) as error:
            if ctx.invoked_subcommand:
                command = self.get_command(ctx, ctx.invoked_subcommand)
                error.args = (_in_options(str(error), command),)
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--backend",
    metavar="NAME",
    help="Keras backend: tensorflow, jax or torch.  [default: see above]",
)
@click.option("--debug", is_flag=True, help="Show the full traceback of an error.")
@click.version_option(__version__, prog_name="keras-devae")
@click.pass_context
def cli(context: click.Context, backend: str | None, debug: bool) -> None:
    """Disentangled representation learning on images.

    The backend is --backend, else KERAS_BACKEND, else the one in Keras's configuration file, else
    the first of tensorflow, jax and torch that is installed.

    Start with: keras-devae train --dataset shapes3d --preset quick
    """
    context.obj = {"backend": backend, "debug": debug}


class _Sentences(logging.Formatter):
    """Writes what the package logs as its other messages: warnings are called so."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the message with options spelled as they are typed."""
        text = super().format(record)
        context = click.get_current_context(silent=True)
        if not record.name.startswith("keras_devae") or context is None:
            return text
        prefix = "Warning: " if record.levelno == logging.WARNING else ""
        return prefix + _in_options(text, context.command)


def _show_each_warning_once():
    """Has warnings printed without the line of code that raised them, equal ones once."""
    shown = set()

    def show(message, *where, **more):
        context = click.get_current_context(silent=True)
        text = _in_options(str(message), context.command) if context else str(message)
        if text not in shown:
            shown.add(text)
            click.echo(f"Warning: {text}", err=True)

    warnings.showwarning = show


def _in_options(message, command):
    from keras_devae.cli.spelling import in_options

    return in_options(message, command)


def _sentence(error):
    """Returns the message of an error, with its type if it is not one of this package's."""
    if isinstance(error, (UsageError, FailureError)):
        return error
    if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
        # If the package itself writes a file, the error names it.
        return f"The output cannot be written: {error.strerror}."
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message} (--debug shows where)"


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line, by default with the arguments of the process, and exits.

    The status is 0, 2 for wrong use, 1 for a failure, 130 after Ctrl-C, or 143 after SIGTERM.
    """
    with plain_surroundings():
        status = _run(sys.argv[1:] if arguments is None else list(arguments))
        is_written = _is_written()
    sys.exit(status if is_written else status or 1)


def _run(arguments):
    heed_signals()
    handler = logging.StreamHandler()
    handler.setFormatter(_Sentences())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("keras_devae").setLevel(logging.INFO)
    _show_each_warning_once()
    debug = "--debug" in arguments
    try:
        status = cli.main(arguments, prog_name="keras-devae", standalone_mode=False)
    except click.exceptions.Exit as exit_request:
        status = exit_request.exit_code
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (KeyboardInterrupt, click.Abort) as ending:
        click.echo("Interrupted.", err=True)
        # Click turns every `KeyboardInterrupt` into an `Abort`.
        status = exit_status(ending.__cause__ or ending)
    except Exception as error:
        if debug:
            raise
        # A reader such as `head` closes the pipe when it has read enough.
        if not isinstance(error, BrokenPipeError):
            click.echo(f"Error: {_sentence(error)}", err=True)
        status = 2 if isinstance(error, UsageError) else 1
    return status if isinstance(status, int) else 0


def _is_written():
    """Flushes the standard output, and tells whether that succeeded.

    Otherwise Python would flush it at exit, and fail with a traceback.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _leave_output()
        return False
    except OSError as error:
        _leave_output()
        click.echo(f"Error: The output cannot be written: {error.strerror}.", err=True)
        return False
    return True


def _leave_output():
    """Keeps Python from flushing the rest of the standard output again at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
