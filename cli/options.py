"""What the commands share."""

import contextlib
import json
import shlex

import click

from keras_devae.checks import expanded_path, run_name


class _Checked(click.ParamType):
    """A text that a function checks, which is told the option's name and the text."""

    def __init__(self, name, check):
        self.name, self._check = name, check

    def convert(self, value, parameter, context):
        """Returns the text; what is wrong with it is a `UsageError`."""
        is_option = isinstance(parameter, click.Option)
        name = parameter.opts[0] if is_option else parameter.human_readable_name.strip("[]")
        checked = self._check(name, value)
        # Quotes keep a shell from doing so.
        return str(checked) if value.startswith("~") else value


#: Of every option and argument that is a path.
PATH = _Checked("path", expanded_path)
#: Of every option that is the name of a run.
RUN_NAME = _Checked("name", run_name)


def choose_backend(context, configured=None):
    """Sets Keras's backend, then imports Keras without its backend's start-up notices.

    Args:
        context: The click context.
        configured: Backend to use where the user names none, e.g. that of a run.
    """
    from keras_devae.backend import start_backend

    start_backend(context.obj["backend"], configured)


def say_of_layers(losses, layer=0):
    """Says so on the error stream if another latent layer is the better one to export.

    Args:
        losses: Number of each layer -> its reconstruction loss in nats an image.
        layer: Number of the layer that is exported; default 0.
    """
    from keras_devae.models.layer_advice import layer_advice

    advice = layer_advice(losses, layer)
    if advice:
        click.echo(advice, err=True)


def option_name(context, name, value=None):
    """Returns the option that a user types for a parameter, that of a flag being off for false."""
    (option,) = (each for each in context.command.params if each.name == name)
    return (option.secondary_opts if value is False else option.opts)[0]


def names_from(text):
    """Splits names at commas; nothing at all gives `None`."""
    names = None if text is None else tuple(part.strip() for part in text.split(","))
    if names is not None and not all(names):
        raise click.BadParameter(f"Names are set apart by commas, none is empty. Got {text!r}.")
    return names


def parse_names(context, parameter, text):
    """Splits names at commas, see `names_from`; the callback of an option."""
    return names_from(text)


def list_of(convert, what):
    """Returns a callback of an option that takes several values with commas.

    Args:
        convert: Function that makes a value from its text; raises `ValueError` for a wrong one.
        what: What the values are, for the message, e.g. `"numbers"`.
    """

    def parse(context, parameter, text):
        if text is None:
            return None
        try:
            return tuple(convert(part) for part in text.split(","))
        except ValueError:
            raise click.BadParameter(f"Expected {what} with commas. Received: {text}.") from None

    return parse


def same_command(context, without=()):
    """Returns the command that was typed, with its words in quotes where a shell needs them.

    Args:
        context: The click context.
        without: Names of parameters to leave out; default none.
    """
    words = []
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


def is_typed(context, name):
    """Tells whether a parameter was given on the command line, be it with its default."""
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _typed(parameter, value):
    if isinstance(parameter, click.Argument):
        return [str(value)]
    option = parameter.opts[0]
    return [option] if parameter.is_flag else [option, str(value)]


def console(**options):
    """Makes a `rich.console.Console` that prints texts as they are.

    File names, factors and reasons of failures may hold brackets and colons, which it would
    otherwise take for styles and pictures.

    Args:
        **options: Further arguments of `rich.console.Console`.
    """
    from rich.console import Console

    return Console(markup=False, emoji=False, **options)


def print_json(value):
    """Prints a value for machines."""
    click.echo(json.dumps(value, indent=2))


@contextlib.contextmanager
def status_line(quiet=False):
    """Says on the standard error what is being done: a line that changes, or lines in a log.

    Yields:
        Function that takes a text, and `passing=True` for what is not worth a line in a log.
    """
    from rich.text import Text

    errors = console(stderr=True, quiet=quiet)
    if not errors.is_terminal:
        yield lambda text, passing=False: passing or errors.print(text, highlight=False)
        return
    with errors.status("loading") as status:
        # A spinner reads styles from a text whatever its console does.
        yield lambda text, passing=False: status.update(Text(text))


def evaluation_progress(status, passing=False):
    """Returns the arguments of `Run.evaluate` that report to a `status_line`."""
    return {
        "progress": lambda layer, name: status(f"layer {layer}: {name}", passing),
        "encoding_progress": lambda done, total: status(
            f"encoding {done:,} of {total:,} images", passing=True
        ),
    }


@contextlib.contextmanager
def progress_bars(quiet=False):
    """Says on the standard error how far long work on data is.

    A bar for each of its stages; in a log, a line when it begins.

    Yields:
        Function of what is done, what is to do (0 where that is not known), and what it is.
    """
    from rich.markup import escape
    from rich.progress import Progress

    errors, tasks = console(stderr=True, quiet=quiet), {}
    bars = Progress(console=errors, transient=True)

    def update(done, total, what):
        if what not in tasks:
            tasks[what] = bars.add_task(escape(what))
            if not errors.is_terminal:
                errors.print(what, highlight=False)
        if errors.is_terminal:
            # Started only now: what is quick shows nothing.
            bars.start()
            bars.update(tasks[what], completed=done, total=total or None)

    try:
        yield update
    finally:
        if errors.is_terminal:
            bars.stop()


runs_folder_option = click.option(
    "--runs-dir",
    type=PATH,
    default="runs",
    show_default=True,
    metavar="FOLDER",
    help="Folder of the runs.",
)
run_argument = click.argument("run", metavar="RUN", type=PATH)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
