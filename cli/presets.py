"""`keras-devae presets`."""

import itertools

import click

from keras_devae.cli.options import json_option, print_json
from keras_devae.cli.setting_options import flag_of, value_text
from keras_devae.runs.config.presets import PRESETS, preset_for


@click.command()
@click.option("--model", help="Show its scaled options.  [default with --dataset: devae]")
@click.option("--dataset", help="Scale for its images.  [default with --model: shapes3d]")
@json_option
def presets(model: str | None, dataset: str | None, as_json: bool) -> None:
    """Show the presets of `train` and what they set.

    With --model or --dataset, also shows the options of the model as each preset scales them, and
    the scores to expect: mean, standard deviation over seeds and 95 % interval of the mean.
    """
    if model or dataset:
        names = (model or "devae", dataset or "shapes3d")
        found = {preset: preset_for(preset, *names) for preset in PRESETS}
    else:
        found = {name: {"purpose": p, "settings": s} for name, (p, s) in PRESETS.items()}
    if as_json:
        print_json(found)
        return
    for name, preset in found.items():
        click.echo(f"{name}: {preset['purpose']}")
        _print_options(preset["settings"])
        if "options" in preset:
            _print_scaled(*names, preset)
    if model or dataset:
        click.echo(
            "Weights are relative to a reconstruction term that is a sum over pixels. Scores vary "
            "much with the seed: train several runs and compare them with `keras-devae compare`."
        )
    else:
        click.echo(
            "Options of a model that are not given scale with the image size and the length of the "
            "run; `keras-devae models` shows them, and `keras-devae presets --model NAME --dataset "
            "NAME` scales them."
        )


def _print_options(options):
    for name, value in options.items():
        if value is not None and value is not False:
            click.echo(f"    {flag_of(name)} {value_text(value)}")


def _print_scaled(model, dataset, preset):
    shape = "x".join(map(str, preset["image_shape"]))
    click.echo(f"  {model} on {dataset}, {shape}:")
    if preset["unavailable"]:
        click.echo(f"    not with this preset's image size: {preset['unavailable']}")
        return
    _print_options(preset["options"])
    # Scores of the same runs stand together in the table.
    about_run = "{count} seeds, {source} images, {measured}".format_map
    for about, rows in itertools.groupby(preset["expected"], about_run):
        click.echo(f"    expected ({about}):")
        for row in rows:
            spread = "{mean:.3f} ± {std:.3f} [{low:.3f}, {high:.3f}]".format_map(row)
            click.echo(f"      {row['metric']} {spread}")
    if not preset["expected"]:
        click.echo("    expected mig.score: not measured")
