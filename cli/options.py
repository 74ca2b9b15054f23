"""Options, parsers and output that the commands share."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from keras_devae.checks import expanded_path, run_name
from keras_devae.data.image_sizes import checked_size

if TYPE_CHECKING:
    from rich.console import Console

    from keras_devae.runs import Run


class _Checked(click.ParamType):
    """A text that is checked by a function of the option's name and the text."""

    def __init__(self, name: str, check: Callable[[str, str], object]) -> None:
        self.name, self._check = name, check

    def convert(self, value: str, parameter: Any, context: Any) -> str:
        """Returns the text, or raises a `UsageError`."""
        is_option = isinstance(parameter, click.Option)
        name = parameter.opts[0] if is_option else parameter.human_readable_name.strip("[]")
        checked = self._check(name, value)
        # A shell does not expand `~` inside quotes.
        return str(checked) if value.startswith("~") else value


class _ImageSize(click.ParamType):
    """The size of images: `64`, or height and width as `218x178`."""

    name = "size"

    def convert(self, value: Any, parameter: Any, context: Any) -> Any:
        """Returns the size in its one form, or raises a `UsageError`."""
        return checked_size(value)


#: Type of every option and argument that is a path.
PATH = _Checked("path", expanded_path)
#: Type of every option that is the size of images.
IMAGE_SIZE = _ImageSize()
#: Type of every option that is the name of a run.
RUN_NAME = _Checked("name", run_name)


def choose_backend(context: click.Context, configured: str | None = None) -> None:
    """Imports Keras with the backend that the user names, or else with the configured one."""
    from keras_devae.backend import start_backend

    start_backend(context.obj["backend"], configured)


def print_layer_advice(
    losses: Mapping[int, float], run: str | os.PathLike[str], layer: int = 0
) -> None:
    """Says on the error stream if another layer, by its loss per image, is better to export."""
    from keras_devae.models.layer_advice import layer_advice

    advice = layer_advice(losses, layer, run)
    if advice:
        click.echo(advice, err=True)


def option_name(context: click.Context, name: str, value: Any = None) -> str:
    """Returns the option that a user types for a parameter; with false, the one for off."""
    (option,) = (each for each in context.command.params if each.name == name)
    return (option.secondary_opts if value is False else option.opts)[0]


def names_from(text: str | None) -> tuple[str, ...] | None:
    """Splits names at commas; `None` stays `None`."""
    names = None if text is None else tuple(part.strip() for part in text.split(","))
    if names is not None and not all(names):
        raise click.BadParameter(f"Expected comma-separated names, none empty. Received: {text!r}.")
    return names


def parse_names(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[str, ...] | None:
    """Splits names at commas, as the callback of an option."""
    return names_from(text)


def list_of(convert: Callable[[str], Any], what: str) -> Callable[..., Any]:
    """Returns the callback of an option that takes several values with commas.

    `convert` makes a value from its text, or raises `ValueError`; `what` is for the message.
    """

    def parse(context, parameter, text):
        if text is None:
            return None
        try:
            return tuple(convert(part) for part in text.split(","))
        except ValueError:
            raise click.BadParameter(
                f"Expected comma-separated {what}. Received: {text}."
            ) from None

    return parse


def same_command(context: click.Context | None, without: Collection[str] = ()) -> str:
    """Returns the command that was typed, quoted for a shell, without some of its parameters."""
    words: list[str] = []
    while context is not None:
        typed = [
            word
            for parameter in context.command.params
            if parameter.name not in without and is_typed(context, parameter.name)
            for word in _typed(parameter, context.params[parameter.name])
        ]
        words = [context.info_name, *typed, *words]
        context = context.parent
    return shlex.join(words)


def is_typed(context: click.Context, name: str) -> bool:
    """Tells whether a parameter was given on the command line, even if with its default value."""
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _typed(parameter, value):
    if isinstance(parameter, click.Argument):
        return [str(value)]
    option = parameter.opts[0]
    return [option] if parameter.is_flag else [option, str(value)]


def console(**options: Any) -> Console:
    """Makes a console that prints texts as they are: file names may contain brackets and colons."""
    from rich.console import Console

    return Console(markup=False, emoji=False, **options)


def print_json(value: Any) -> None:
    """Prints a value as JSON."""
    click.echo(json.dumps(value, indent=2))


@contextlib.contextmanager
def status_line(quiet: bool = False) -> Iterator[Callable[..., object]]:
    """Shows on the error stream what is being done: a line that changes, or lines in a log.

    It yields a function of a text, with `passing=True` where that does not deserve a line in a log.
    """
    from rich.text import Text

    errors = console(stderr=True, quiet=quiet)
    if not errors.is_terminal:
        yield lambda text, passing=False: passing or errors.print(text, highlight=False)
        return
    with errors.status("loading") as status:
        # A spinner interprets styles in a string even where its console does not.
        yield lambda text, passing=False: status.update(Text(text))


def evaluation_progress(
    status: Callable[..., object], passing: bool = False
) -> dict[str, Callable[..., object]]:
    """Returns the arguments of `Run.evaluate` that report to a `status_line`."""
    return {
        "progress": lambda layer, name: status(f"layer {layer}: {name}", passing),
        "encoding_progress": lambda done, total: status(
            f"encoding {done:,} of {total:,} images", passing=True
        ),
    }


@contextlib.contextmanager
def progress_bars(quiet: bool = False) -> Iterator[Callable[[int, int, str], None]]:
    """Shows the progress of long work on data: a bar for each stage, or a line in a log.

    It yields a function of the amount done, the total (0 where it is unknown) and the stage.
    """
    from rich.markup import escape
    from rich.progress import Progress

    errors = console(stderr=True, quiet=quiet)
    bars, tasks = Progress(console=errors, transient=True), {}

    def update(done: int, total: int, stage: str) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(escape(stage))
            if not errors.is_terminal:
                errors.print(stage, highlight=False)
        if errors.is_terminal:
            # Started late, so that quick work shows nothing.
            bars.start()
            bars.update(tasks[stage], completed=done, total=total or None)

    try:
        yield update
    finally:
        if errors.is_terminal:
            bars.stop()


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


def resumed(context: click.Context, path: str, quiet: bool, **length: int | None) -> Run:
    """Resumes the run that `--resume` names; `steps` or `epochs` is its length if given."""
    from keras_devae.runs import Run

    with progress_bars(quiet) as progress:
        return Run.resume(path, backend=context.obj["backend"], progress=progress, **length)


runs_folder_option = click.option(
    "--runs-dir",
    type=PATH,
    default="runs",
    show_default=True,
    metavar="FOLDER",
    help="Folder that holds the runs.",
)
run_argument = click.argument("run", metavar="RUN", type=PATH)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
