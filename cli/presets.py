"""`keras-devae presets`."""

import itertools
import textwrap
from typing import Any

import click

from keras_devae.cli.formatting import print_list, print_text
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

_INDENTED = {"initial_indent": "    ", "subsequent_indent": "    "}
#: Scores of layer 0 in the list -> their titles.
_LISTED_SCORES = {
    "mig.score": "MIG",
    "active_variables.count": "active",
    "reconstruction_error.negative_log_likelihood": "error, nats",
}


@click.command()
@run_argument
@click.option("--name", help="Name of the preset.  [default: the name of FOLDER]")
@click.option("--output", type=PATH, metavar="FOLDER", required=True, help="Folder to write to.")
@click.option(
    "--weights-dtype",
    type=click.Choice(["float16", "float32"]),
    default="float16",
    show_default=True,
    help="Type of the numbers in the weights file.",
)
@click.option(
    "--license",
    "licence",
    metavar="ID",
    help="Licence for the card, e.g. apache-2.0.  [default: none]",
)
@click.pass_context
def create(context: click.Context, run: str, output: str, **options: Any) -> None:
    """Make a preset from the finished run in folder RUN.

    FOLDER then holds the model without its optimizer, the run's settings and scores, and a model
    card, without any path on this machine. Publish it with `hf upload owner/name FOLDER`.
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
@click.option(
    "--model", help="Model whose scaled options to show.  [default with --dataset: devae]"
)
@click.option(
    "--dataset", help="Data set to scale the options for.  [default with --model: shapes3d]"
)
@json_option
def presets(name: str | None, model: str | None, dataset: str | None, as_json: bool) -> None:
    """List pretrained models, and the settings that `train --preset` starts from.

    NAME, a folder or hf://owner/name shows the card of one pretrained model: images, settings,
    scores and limits. `presets create RUN --output FOLDER` makes one from a finished run.

    With --model or --dataset, shows the options of the model as each preset of `train` scales them,
    and the scores to expect: mean ± standard deviation over seeds, [95 % interval of the mean].
    """
    if name is not None and (model or dataset):
        raise UsageError("--model and --dataset cannot be combined with the name of a preset.")
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
    click.echo("\nSettings to start from, for `keras-devae train --preset NAME`:\n")
    for name, preset in settings.items():
        _print_settings(name, preset)
    print_text(
        "Model options that you leave out scale with the image size and the number of steps. "
        "`keras-devae presets --model NAME --dataset NAME` shows the scaled values."
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
        click.echo("This version comes with no pretrained models.")

        return
    print_text(
        "Pretrained models, for `from_preset`, for `--init-from`, and wherever a RUN is taken:"
    )
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
    click.echo("Scores of layer 0. For all scores and the limits: keras-devae presets NAME")


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
    print_list([(name, preset["purpose"])])
    _print_options(preset["settings"])


def _show_scaled(model, dataset, as_json):
    found = {preset: preset_for(preset, model, dataset) for preset in PRESETS}
    if as_json:
        print_json(found)
        return
    for name, preset in found.items():
        _print_settings(name, preset)
        _print_scaled(model, dataset, preset)
    print_text(
        "Weights are relative to a reconstruction term that is a sum over pixels. Scores vary a "
        "lot from seed to seed: train several seeds, and compare them with `keras-devae compare`."
    )


def _print_options(options):
    typed = [f"{flag_of(n)} {value_text(v)}" for n, v in options.items() if v not in (None, False)]
    click.echo(textwrap.fill("  ".join(typed), 76, break_on_hyphens=False, **_INDENTED))


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
