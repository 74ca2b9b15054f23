"""Builds the command-line options from the declarations of settings and models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from keras_devae.cli.options import IMAGE_SIZE, PATH, list_of, parse_names
from keras_devae.data.image_sizes import ImageSize
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.runs.config.forms import declarations
from keras_devae.runs.config.settings import GROUPS
from keras_devae.runs.config.value_types import PathText


def parse_counts(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> dict[str, int] | None:
    """Reads NAME=COUNT pairs with commas, as the callback of an option."""
    if text is None:
        return None
    pairs = [part.partition("=") for part in parse_names(context, parameter, text)]
    if not all(name and count.isdecimal() and int(count) >= 2 for name, _, count in pairs):
        raise click.BadParameter(
            f"Expected comma-separated NAME=COUNT, COUNT 2 or more. Received: {text}."
        )
    return {name: int(count) for name, _, count in pairs}


def _parse_kinds(context, parameter, text):
    if text is None:
        return None
    pairs = [part.partition("=") for part in parse_names(context, parameter, text)]
    if not all(name and kind for name, _, kind in pairs):
        raise click.BadParameter(f"Expected comma-separated NAME=KIND. Received: {text}.")
    return {name.strip(): kind.strip() for name, _, kind in pairs}


#: Type of a value -> what its option is made with.
_ARGUMENTS: dict[Any, dict[str, Any]] = {
    str: {},
    int: {"type": int},
    float: {"type": float},
    bool: {"is_flag": True, "default": None},
    PathText: {"type": PATH},
    tuple[str, ...]: {"callback": parse_names},
    tuple[int, ...]: {"callback": list_of(int, "whole numbers")},
    tuple[float, ...]: {"callback": list_of(float, "numbers")},
    dict[str, int]: {"callback": parse_counts},
    dict[str, str]: {"callback": _parse_kinds},
    ImageSize: {"type": IMAGE_SIZE},
}
_REPEATED = {"multiple": True, "callback": lambda context, parameter, values: values or None}
#: What `train` has an option for, with the defaults that are declared.
ALL_SETTINGS = {name: None for name, d in declarations().items() if d.option != ""}
#: Title of the options of models in the help of `train`.
OF_MODELS = "Options of models (defaults for 64x64 pixels and 300,000 steps)"
#: Kind of an option of a model -> its type.
_TYPES = {
    "number": float,
    "whole": int,
    "text": str,
    "texts": tuple[str, ...],
    "flag": bool,
    "numbers": tuple[float, ...],
    "wholes": tuple[int, ...],
}


class SectionedCommand(click.Command):
    """A command whose help lists its options by the group of settings that they belong to."""

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the sections: one for each group, one for options of models, and the rest."""
        of_models = {name for entry in MODEL_CATALOGUE.values() for name in entry.options}
        sections: dict[str, list[tuple[str, str]]] = {
            title: [] for title in (*map(str.capitalize, GROUPS), OF_MODELS, "Run")
        }
        for parameter in self.get_params(context):
            record, name = parameter.get_help_record(context), parameter.name or ""
            declared = declarations().get(name)
            other = OF_MODELS if name in of_models else "Run"
            if record is not None:
                sections[declared.group.capitalize() if declared else other].append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def setting_option(name: str, default: str | None = None) -> Callable[[Any], Any]:
    """Returns the option of a setting, a decorator of commands; `default` is the default in words.

    What is not typed is `None`, so that a preset or the configuration decides.
    """
    declared = declarations()[name]
    default = default or declared.default_text
    arguments = {**_ARGUMENTS[declared.value_type], "metavar": declared.metavar}
    if declared.repeatable:
        arguments |= _REPEATED
    option = switch_of(name, declared.value_type is bool and declared.default is None)
    text = f"{declared.help}  [default: {default}]" if default else declared.help
    return click.option(option, name, help=text, **arguments)


def setting_options(defaults: Mapping[str, str | None]) -> Callable[[Any], Any]:
    """Returns the options of several settings, by name with the default of `setting_option`."""

    def add(command: Any) -> Any:
        for name, default in reversed(defaults.items()):
            command = setting_option(name, default)(command)
        return command

    return add


def model_options(command: Any) -> Any:
    """Adds the options of all models to a command, each once."""
    takers: dict[str, dict[str, Any]] = {}
    for model, entry in MODEL_CATALOGUE.items():
        for name, option in entry.options.items():
            takers.setdefault(name, {})[model] = option
    for name, options in sorted(takers.items(), reverse=True):
        kind = next(iter(options.values())).kind
        metavar = {"numbers": "NUMBERS", "wholes": "NUMBERS", "texts": "NAMES"}.get(kind)
        arguments = {**_ARGUMENTS[_TYPES[kind]], "metavar": metavar}
        switch = switch_of(name, any(option.default is True for option in options.values()))
        click.option(switch, name, help=_help_of_models(options), **arguments)(command)
    return command


def _help_of_models(options):
    """Returns the help of an option of several models: what it is, and its default, in each."""
    models: dict[tuple[str, str], list[str]] = {}
    for model, option in options.items():
        default = "" if option.kind == "flag" else value_text(option.default)
        models.setdefault((option.help, default), []).append(model)
    if len(models) == 1:
        ((text, default),) = models
        return f"{', '.join(options)}: {text}{f'  [default: {default}]' if default else ''}"
    parts = [
        f"{', '.join(names)}: {text.rstrip('.')}{f' [{default}]' if default else ''}"
        for (text, default), names in models.items()
    ]
    return f"{'; '.join(parts)}."


def flag_of(name: str) -> str:
    """Returns the command-line option of a setting, or of an option of a model."""
    declared = declarations().get(name)
    return (declared and declared.option) or f"--{name.replace('_', '-')}"


def switch_of(name: str, turns_off: bool) -> str:
    """Returns the option of a setting, and the one that turns it off if there is one."""
    option = flag_of(name)
    return f"{option}/--no-{option.removeprefix('--')}" if turns_off else option


def value_text(value: Any) -> str:
    """Returns the value of an option as it is typed; empty for `None`."""
    if isinstance(value, tuple):
        return ",".join(map(value_text, value))
    return f"{value:g}" if isinstance(value, float) else "" if value is None else str(value)
