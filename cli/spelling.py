"""Translates the library's argument names in messages into command-line options."""

import re
import shlex

import click

#: Arguments of the library whose option has another name.
_OTHER_NAMES = {"force": "force_download", "max_images": "evaluation_images"}


def in_options(message: str, command: click.Command) -> str:
    """Replaces the names of arguments in a message by the options of a command or a group.

    A name in backticks, a name with its value (`image_size=96`) and a name that is no word of
    English (`image_size`) become the option: `--image-size 96`.
    """
    options = _options(command)
    if not options:
        return message
    names = "|".join(sorted(map(re.escape, options), key=len, reverse=True))
    value = r"(?:=('[^']*'|\"[^\"]*\"|\{[^{}]*\}|\[[^\[\]]*\]|\([^()]*\)|[\w.+-]*\w))?"
    # Not inside a path, a name or a text of the user.
    pattern = rf"`({names}){value}`|(?<![\w./:,'\"=`-])({names}){value}(?![\w/'\"`]|[.-]\w)"
    return re.sub(pattern, lambda match: _spelled(match, options), message)


def _spelled(match, options):
    name, value = match[1] or match[3], match[2] or match[4]
    if value is None:
        # An English word stays as it is, unless it is marked as a name.
        return options[name].opts[0] if match[1] or "_" in name else match[0]
    option = options[name]
    if isinstance(option, click.Option) and option.is_flag:
        on = value != "False"
        return option.opts[0] if on or not option.secondary_opts else option.secondary_opts[0]
    return f"{option.opts[0]} {_typed(value)}"


def _typed(value):
    """Turns a value in Python's notation into what is typed after an option."""
    if value.startswith("{"):
        return re.sub(r"'([^']*)': ", r"\1=", value[1:-1]).replace(", ", ",")
    if value[0] in "[(":
        return value[1:-1].replace("'", "").replace(", ", ",")
    return shlex.quote(value.strip("'\""))


def _options(command):
    """Returns the options of a command, or of all in a group, by the library's names for them."""
    commands = [command]
    if isinstance(command, click.Group):
        commands += [command.commands[name] for name in command.commands]
    found = {}
    for each in commands:
        for parameter in each.params:
            if isinstance(parameter, click.Option):
                found.setdefault(parameter.name, parameter)
    found |= {name: found[own] for name, own in _OTHER_NAMES.items() if own in found}
    return found
