"""`keras-devae models`."""

import click

from keras_devae.checks import one_of
from keras_devae.cli.options import json_option, print_json
from keras_devae.cli.setting_options import flag_of, switch_of, value_text
from keras_devae.models.catalogue import MODEL_CATALOGUE


@click.command()
@click.argument("names", metavar="[MODEL]...", nargs=-1)
@json_option
def models(names: tuple[str, ...], as_json: bool) -> None:
    """List the models: what each minimises, when to use it, its paper and its options.

    Defaults are those published for 64x64 images and 300,000 steps. `train` scales the ones marked
    with the number of pixels, the number of steps, or its inverse (rate). All models that train a
    decoder also take --jacobian-penalty, see `keras-devae train --help`.
    """
    chosen = {
        name: MODEL_CATALOGUE[one_of("model", name, MODEL_CATALOGUE)]
        for name in names or MODEL_CATALOGUE
    }
    if as_json:
        print_json({name: _plain(entry) for name, entry in chosen.items()})
        return
    for name, entry in chosen.items():
        click.echo(click.style(name, bold=True) + f"  {entry.objective}")
        click.echo(f"    {entry.use}")
        click.echo(f"    {entry.paper}")
        if lacking := _lacking(entry):
            click.echo(f"    {lacking}")
        for option, details in entry.options.items():
            default = "" if details.kind == "flag" else value_text(details.default)
            flag = f"{switch_of(option, details.default is True)} {default}".rstrip()
            scales = f" [{' '.join(details.scales)}]" if details.scales else ""
            click.echo(f"    {flag:<32}  {details.help}{scales}")
        for setting, value in entry.training.items():
            flag = f"{flag_of(setting)} {value_text(value)}"
            click.echo(f"    {flag:<32}  The method's own, unless you give another.")


def _lacking(entry):
    """Says what most models have and this one lacks."""
    parts = ["no posterior: the encoder returns the codes"] if entry.posterior == "none" else []
    return "; ".join([*parts, *([] if entry.decodes else ["no decoder"])])


def _plain(entry):
    options = {
        name: {"default": o.default, "help": o.help, "scales_with": list(o.scales)}
        for name, o in entry.options.items()
    }
    what = {
        name: getattr(entry, name) for name in ("objective", "use", "paper", "posterior", "decodes")
    }
    return {**what, "options": options, "training": entry.training}
