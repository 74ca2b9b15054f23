"""`keras-devae presets`."""

import itertools
from typing import Any

import click

from keras_devae.cli.options import (
    PATH,
    choose_backend,
    evaluation_progress,
    json_option,
    print_json,
    run_argument,
    status_line,
)
from keras_devae.cli.setting_options import flag_of, value_text
from keras_devae.cli.tables import print_table
from keras_devae.errors import UsageError
from keras_devae.runs.config.presets import PRESETS, preset_for

#: Scores of layer 0 in the list -> their titles.
_LISTED_SCORES = {
    "mig.score": "MIG",
    "active_variables.count": "active",
    "reconstruction_error.negative_log_likelihood": "error, nats",
}


@click.command()
@run_argument
@click.option("--name", help="Name of the preset.  [default: the folder's]")
@click.option("--output", type=PATH, metavar="FOLDER", required=True, help="Folder to write.")
@click.option(
    "--weights-dtype",
    type=click.Choice(["float16", "float32"]),
    default="float16",
    show_default=True,
    help="Type of the numbers in the file of weights.",
)
@click.option(
    "--license", "licence", metavar="ID", help="Licence for the card, e.g. apache-2.0.  [none]"
)
@click.pass_context
def create(context: click.Context, run: str, output: str, **options: Any) -> None:
    """Make a preset from the finished run in folder RUN.

    FOLDER then holds the model without its optimizer, the settings and scores of the run, and a
    card. Paths of this machine are left out. Publish it with `hf upload owner/name FOLDER`.
    """
    from keras_devae.runs import Run
    from keras_devae.runs.preset import check_making

    opened = Run.open(run)
    check_making(opened.folder, output, options["name"])
    choose_backend(context, opened.config.compute.backend)

    from keras_devae.reports.preset_making import make_preset

    with status_line() as status:
        status("loading model and data")
        folder = make_preset(opened, output, **options, **evaluation_progress(status))
    click.echo(folder)


class _Presets(click.Command):
    """A command that becomes `create` if that is its first word."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> click.Context:
        """Reads the words of the command line."""
        if args[:1] == [create.name]:
            return create.make_context(f"{info_name} create", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=_Presets, options_metavar="[OPTIONS] [NAME | create RUN ...]")
@click.argument("name", required=False, metavar="")
@click.option("--model", help="Show its scaled options.  [default with --dataset: devae]")
@click.option("--dataset", help="Scale for its images.  [default with --model: shapes3d]")
@json_option
def presets(name: str | None, model: str | None, dataset: str | None, as_json: bool) -> None:
    """List trained models to start from, and the settings that `train --preset` starts from.

    NAME, a folder or hf://owner/name shows one: the card of a trained model, with its images,
    settings, scores and limits. `presets create RUN --output FOLDER` makes one from a finished run.

    With --model or --dataset, shows the options of the model as each preset of `train` scales them,
    and the scores to expect: mean, standard deviation over seeds and 95 % interval of the mean.
    """
    if name is not None and (model or dataset):
        raise UsageError("--model and --dataset go without the name of a preset.")
    if name is not None:
        _show(name, as_json)
    elif model or dataset:
        _show_scaled(model or "devae", dataset or "shapes3d", as_json)
    else:
        _list(as_json)


def _list(as_json):
    from keras_devae.presets import builtin_presets

    trained = {name: preset.summary() for name, preset in builtin_presets().items()}
    settings = {name: _settings_of(name) for name in PRESETS}
    if as_json:
        print_json({**trained, **settings})
        return
    _list_trained(trained)
    click.echo("Settings to start from, for `keras-devae train --preset NAME`:\n")
    for name, preset in settings.items():
        _print_settings(name, preset)
    click.echo(
        "Options of a model that are not given scale with the image size and the length of the "
        "run; `keras-devae models` shows them, and `keras-devae presets --model NAME --dataset "
        "NAME` scales them."
    )


def _show(name, as_json):
    if name in PRESETS:
        _show_settings(name, as_json)
        return
    from keras_devae.presets import find_preset

    preset = find_preset(name)
    if as_json:
        hashes = preset.metadata.get("sha256", {})
        print_json({**preset.summary(), "sha256": hashes})
    else:
        click.echo(preset.card(), nl=False)


def _list_trained(trained):
    if not trained:
        click.echo("No trained models come with this version.\n")
        return
    click.echo("Trained models, for `from_preset`, `--init-from`, and in place of a run:")
    titles = ["name", "model", "data set", "images", "steps", *_LISTED_SCORES.values(), "MB"]
    rows = [
        (
            name,
            each.get("model", ""),
            f"{each.get('dataset', '')}, {each.get('source', '')}",
            "x".join(map(str, each.get("image_shape", ()))),
            f"{each.get('steps', 0):,}",
            *(_score(each["scores"], key) for key in _LISTED_SCORES),
            f"{each['bytes'] / 1e6:.2f}",
        )
        for name, each in trained.items()
    ]
    print_table(titles, rows, right=titles[4:])
    click.echo("Scores of layer 0. `keras-devae presets NAME` shows all, and the limits.\n")


def _score(layers, key):
    value = next((layer.get(key) for layer in layers if layer.get("layer") == 0), None)
    return "" if value is None else f"{value:,.3g}"


def _settings_of(name):
    purpose, settings = PRESETS[name]
    return {"purpose": purpose, "settings": settings}


def _show_settings(name, as_json):
    if as_json:
        print_json(_settings_of(name))
    else:
        _print_settings(name, _settings_of(name))


def _print_settings(name, preset):
    click.echo(f"{name}: {preset['purpose']}")
    _print_options(preset["settings"])


def _show_scaled(model, dataset, as_json):
    found = {preset: preset_for(preset, model, dataset) for preset in PRESETS}
    if as_json:
        print_json(found)
        return
    for name, preset in found.items():
        _print_settings(name, preset)
        _print_scaled(model, dataset, preset)
    click.echo(
        "Weights are relative to a reconstruction term that is a sum over pixels. Scores vary "
        "much with the seed: train several runs and compare them with `keras-devae compare`."
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
