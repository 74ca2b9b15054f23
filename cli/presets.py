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
        "Without options, beta is 6 and betas are 1,10,40 for 64x64 images; at other sizes they go "
        "with the number of pixels (a quarter at 32x32)."
    )
