"""`keras-devae models`."""

import click

from keras_devae.checks import one_of
from keras_devae.cli.formatting import print_list, print_text
from keras_devae.cli.options import json_option, print_json
from keras_devae.cli.setting_options import flag_of, switch_of, value_text
from keras_devae.models.catalogue import MODEL_CATALOGUE

#: What a default is in proportion to -> how that is said.
SCALES = {
    (): "",
    ("pixels",): "  [scales with pixels]",
    ("steps",): "  [scales with steps]",
    ("pixels", "rate"): "  [scales with pixels / steps]",
}


@click.command()
@click.argument("names", metavar="[MODEL...|all]", nargs=-1)
@json_option
def models(names: tuple[str, ...], as_json: bool) -> None:
    """List the models and what each minimises; with MODEL or all, also options and papers.

    Defaults are those published for 64x64 images and 300,000 steps. `train` scales the ones that
    are marked, in proportion to the number of pixels, to the number of steps, or to its inverse.
    All models that train a decoder also take --jacobian-penalty, see `keras-devae train --help`.
    """
    everything = not names or names == ("all",)
    chosen = {
        name: MODEL_CATALOGUE[one_of("model", name, MODEL_CATALOGUE)]
        for name in (MODEL_CATALOGUE if everything else names)
    }
    if as_json:
        print_json({name: _plain(entry) for name, entry in chosen.items()})
        return
    if not names:
        print_list((name, entry.objective) for name, entry in chosen.items())
        print_text(
            "`keras-devae models MODEL` shows the options, defaults and paper of a model, and "
            "`keras-devae models all` does so for every model."
        )
        return
    for number, (name, entry) in enumerate(chosen.items()):
        click.echo("\n" * bool(number) + click.style(name, bold=True))
        print_list(
            (
                ("minimises", entry.objective),
                ("class", f"keras_devae.{entry.class_name}{_lacking(entry)}"),
                ("use", entry.use),
                ("paper", entry.paper),
            ),
            indent=2,
        )
        if entry.options or entry.training:
            click.echo("  options")
        print_list(_options(entry), indent=4)


def _options(entry):
    """Yields each option with its default, and what it is."""
    for option, details in entry.options.items():
        default = "" if details.kind == "flag" else value_text(details.default)
        flag = f"{switch_of(option, details.default is True)} {default}".rstrip()
        yield flag, details.help + SCALES[details.scales]
    for setting, value in entry.training.items():
        yield f"{flag_of(setting)} {value_text(value)}", "Part of the method, unless you set it."


def _lacking(entry):
    """Says what most models have and this one lacks."""
    parts = ["without a posterior: its encoder returns the codes"] * (entry.posterior == "none")
    return "".join(f"; {part}" for part in [*parts, *["without a decoder"] * (not entry.decodes)])


def _plain(entry):
    options = {
        name: {"default": o.default, "help": o.help, "scales_with": list(o.scales)}
        for name, o in entry.options.items()
    }
    what = {
        name: getattr(entry, name) for name in ("objective", "use", "paper", "posterior", "decodes")
    }
    return {**what, "options": options, "training": entry.training}
