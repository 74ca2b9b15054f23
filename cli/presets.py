"""`keras-devae presets`."""

import click

from keras_devae.cli.options import json_option, print_json


@click.command()
@json_option
def presets(as_json):
    """Show the presets of `train` and what they set."""
    from keras_devae.experiments import PRESETS

    if as_json:
        print_json({name: {"purpose": p, "settings": s} for name, (p, s) in PRESETS.items()})
        return
    for name, (purpose, settings) in PRESETS.items():
        click.echo(f"{name}: {purpose}")
        for setting, value in settings.items():
            click.echo(f"    --{setting.replace('_', '-')} {value}")
    click.echo(
        "Options of a model that are not given go with the size of the images and the length of "
        "the run; `keras-devae models` shows them."
    )
