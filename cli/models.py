"""`keras-devae models`."""

import click

from keras_devae.cli.options import json_option, print_json
from keras_devae.errors import unknown_name
from keras_devae.models.declarations import MODEL_CATALOGUE


@click.command()
@click.argument("names", metavar="[MODEL]...", nargs=-1)
@json_option
def models(names: tuple[str, ...], as_json: bool) -> None:
    """List the models: what each minimises, its options with their defaults, and its paper.

    Defaults are those published for 64x64 images and 300,000 steps. `train` scales the ones marked
    with the number of pixels, the number of steps, or its inverse (rate).
    """
    for name in names:
        if name not in MODEL_CATALOGUE:
            raise unknown_name("model", name, MODEL_CATALOGUE)
    chosen = {name: MODEL_CATALOGUE[name] for name in names or MODEL_CATALOGUE}
    if as_json:
        print_json({name: _plain(entry) for name, entry in chosen.items()})
        return
    for name, entry in chosen.items():
        click.echo(click.style(name, bold=True) + f"  {entry.objective}")
        click.echo(f"    {entry.paper}")
        for option, details in entry.options.items():
            flag = f"--{option.replace('_', '-')} {_value(details)}".rstrip()
            click.echo(f"    {flag:<32}  {details.help}{_scales(details)}")


def _plain(entry):
    options = {
        name: {"default": o.default, "help": o.help, "scales_with": list(o.scales)}
        for name, o in entry.options.items()
    }
    return {"objective": entry.objective, "paper": entry.paper, "options": options}


def _value(option):
    if option.kind == "flag" or option.default is None:
        return ""
    if isinstance(option.default, tuple):
        return ",".join(f"{value:g}" for value in option.default)
    return f"{option.default:g}" if isinstance(option.default, float) else str(option.default)


def _scales(option):
    return f" [{' '.join(option.scales)}]" if option.scales else ""
