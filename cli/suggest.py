"""`keras-devae suggest`."""

import shlex
from typing import Any

import click

from keras_devae.cli.formatting import print_fact
from keras_devae.cli.options import json_option, print_json, progress_bars, status_line
from keras_devae.cli.setting_options import ALL_SETTINGS, flag_of, model_options, setting_options
from keras_devae.runs.config.presets import PRESETS


@click.command()
@click.option("--preset", metavar="NAME", help=f"Settings to start from: {', '.join(PRESETS)}.")
@setting_options(ALL_SETTINGS)
@model_options
@click.option(
    "--time",
    "minutes",
    type=float,
    default=20.0,
    show_default=True,
    metavar="MINUTES",
    help="How long the training may take, in minutes.",
)
@json_option
@click.pass_context
def suggest(context: click.Context, as_json: bool, minutes: float, **given: Any) -> None:
    """Propose training settings for your images.

    Looks at the pixels, times a few steps, and trains for up to 1,500 steps while beta falls, which
    takes a minute or two on two cores. Reads no labels. Settings that you give are kept.
    """
    from keras_devae.checks import positive
    from keras_devae.runs.config.flat_settings import config_from_settings
    from keras_devae.runs.config.run_config import check_before_loading, load_dataset
    from keras_devae.runs.creation import check_own_network

    positive("minutes", minutes)
    named = {name: value for name, value in given.items() if value is not None}
    config = config_from_settings(named)
    from keras_devae.backend.choosing import select_backend

    backend = context.obj["backend"] or config.compute.backend
    select_backend(backend)
    check_before_loading(config)
    check_own_network(config, backend)
    with progress_bars(as_json) as progress:
        dataset = load_dataset(config, progress=progress)
    from keras_devae.suggestions import propose

    with status_line(as_json) as status:
        found = propose(
            config,
            dataset,
            given_names(named),
            minutes=minutes,
            backend=context.obj["backend"],
            say=status,
            measure=True,
        )
    command = train_command({**named, **found.settings})
    if as_json:
        print_json({**found.to_dict(), "command": command})
        return
    print_fact("Data", found.description)
    show(found)
    if found.seconds is not None:
        click.echo(
            f"Time     about {found.seconds / 60:.1f} minutes "
            f"({found.steps_per_second:.3g} steps per second)"
        )
    click.echo(f"Train with:\n  {command}")


class Proposing:
    """The hook of `Run.new` by which `train` fills in what the user has not given."""

    def __init__(self, named: dict[str, Any], backend: str | None, quiet: bool) -> None:
        self._named, self._backend, self._quiet = named, backend, quiet
        self._found: Any = None

    def __call__(self, config: Any, dataset: Any) -> Any:
        """Returns the configuration with the proposals, and prints them."""
        from keras_devae.runs.distribution import is_chief, is_one_of_several
        from keras_devae.suggestions import propose

        if is_one_of_several(config):
            # Each would propose a length by its own speed, and wait for the others at the end.
            if is_chief(config) and not self._quiet:
                click.echo("No settings are proposed where several processes train together.")
            return config
        with status_line(self._quiet) as status:
            given = given_names(self._named)
            found = propose(config, dataset, given, backend=self._backend, say=status)
        self._found = found
        if not self._quiet:
            click.echo("Proposed for these images (--no-suggest keeps the usual defaults):")
            show(found)
        return found.config

    def record(self, folder: Any) -> None:
        """Writes the proposals and their reasons to a run's folder."""
        from keras_devae.files import write_json

        if self._found is not None:
            write_json(folder.suggestions_file, self._found.to_dict())


def given_names(named: dict[str, Any]) -> set[str]:
    """Returns the names of the settings that were given, including those set by a preset."""
    return {*named, *(PRESETS[named["preset"]][1] if "preset" in named else {})}


def show(found: Any) -> None:
    """Prints a line for each proposal, with its reason."""
    if not found.settings:
        click.echo("All settings are given: there is nothing to propose.")
    for name, value in found.settings.items():
        print_fact(f"{flag_of(name)} {_typed(name, value)} ", f"({found.reasons[name]})", 4)


def train_command(settings: dict[str, Any]) -> str:
    """Returns the command that trains with settings, quoted for a shell."""
    words = ["keras-devae", "train"]
    for name, value in settings.items():
        if isinstance(value, bool):
            words.append(flag_of(name) if value else f"--no-{flag_of(name)[2:]}")
        elif name == "variants":
            words += [word for each in value for word in (flag_of(name), each)]
        else:
            words += [flag_of(name), _typed(name, value)]
    return shlex.join(words)


def _typed(name: str, value: Any) -> str:
    """Returns a setting's value as the option of `train` takes it."""
    if name == "image_size":
        from keras_devae.data.image_sizes import checked_size, size_text

        return size_text(checked_size(value))
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={count}" for name, count in value.items())
    if isinstance(value, (tuple, list)):
        return ",".join(_text(part) for part in value)
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)
