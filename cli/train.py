"""`keras-devae train`."""

import os
import time
from typing import Any

import click

from keras_devae.cli.formatting import print_fact
from keras_devae.cli.options import (
    PATH,
    RUN_NAME,
    evaluation_progress,
    is_typed,
    json_option,
    option_name,
    parse_names,
    print_json,
    print_layer_advice,
    progress_bars,
    resumable,
    resumed,
    runs_folder_option,
    status_line,
)
from keras_devae.cli.setting_options import (
    ALL_SETTINGS,
    SectionedCommand,
    model_options,
    setting_options,
)
from keras_devae.cli.suggest import Proposing
from keras_devae.cli.train_summary import print_summary
from keras_devae.data.image_sizes import height_and_width, pixels_text
from keras_devae.errors import UsageError
from keras_devae.models.catalogue import MODEL_CATALOGUE, default_options
from keras_devae.models.declarations import PUBLISHED_STEPS, scaling_factors
from keras_devae.models.layer_advice import losses_of
from keras_devae.runs.config.presets import PRESETS

_NOT_SETTINGS = ("run", "runs_dir", "resume_run", "overwrite", "no_suggest", "show", "as_json")


@click.command(cls=SectionedCommand)
@click.option("--preset", metavar="NAME", help=f"Settings to start from: {', '.join(PRESETS)}.")
@setting_options(ALL_SETTINGS)
@click.option(
    "--run",
    type=RUN_NAME,
    metavar="NAME",
    help="Name of the run.  [default: made from the settings]",
)
@runs_folder_option
@model_options
@click.option(
    "--resume",
    "resume_run",
    type=PATH,
    metavar="RUN",
    help="Resume an interrupted run; with --steps or --epochs, train a finished run for longer.",
)
@click.option("--overwrite", is_flag=True, help="Replace a run of the same name.")
@click.option(
    "--no-suggest",
    is_flag=True,
    help="Use the usual defaults for your own images instead of what `suggest` proposes.",
)
@click.option(
    "--show",
    callback=parse_names,
    metavar="NAMES",
    help="More values to show while training, comma-separated, named as in history.csv; or all.",
)
@json_option
@click.pass_context
def train(context: click.Context, **given: Any) -> None:
    """Train a model, score it layer by layer, and write a report.

    Everything is written to RUNS-DIR/NAME: config.json, history.csv, metrics.json, model.keras,
    checkpoints/, figures/ and report.html.
    """
    quiet = given["as_json"]
    run = _resumed(context, given) if given["resume_run"] else _new(context, given)
    with resumable(context, run):
        if run.is_chief and not quiet:
            is_new = not given["resume_run"]
            note = _scaling_note(run.config) if is_new else ""
            _introduce(run, note, longer=not is_new and bool(given["steps"] or given["epochs"]))
        scores, figures, took = _carry_out(run, quiet or not run.is_chief, given["show"])
    if not run.is_chief:
        return
    if quiet:
        print_json({"run": str(run.folder.path), **scores})
    else:
        print_summary(run, scores, figures, took)
    print_layer_advice(losses_of(scores["layers"]), run.folder.path)


def _new(context, given):
    from keras_devae.runs import Run
    from keras_devae.runs.config.flat_settings import config_from_settings, default_name

    named = {k: v for k, v in given.items() if v is not None and k not in _NOT_SETTINGS}
    config = config_from_settings(named)
    _check_shown(context, config, given["show"])
    name = given["run"] or default_name(config, given["preset"])
    proposing = ":" in config.data.dataset and not given["no_suggest"]
    adapt = Proposing(named, context.obj["backend"], given["as_json"]) if proposing else None
    with progress_bars(given["as_json"]) as progress:
        run = Run.new(
            config,
            os.path.join(given["runs_dir"], name),
            backend=context.obj["backend"],
            overwrite=given["overwrite"],
            numbered=given["run"] is None,
            adapt=adapt,
            progress=progress,
        )
    if adapt is not None and run.is_chief:
        adapt.record(run.folder)
    return run


def _resumed(context, given):
    kept = ("resume_run", "as_json", "runs_dir", "show", "steps", "epochs")
    others = [name for name in given if is_typed(context, name) and name not in kept]
    if others:
        raise UsageError(
            "A resumed run keeps its name and settings: leave out "
            f"{', '.join(option_name(context, name, given[name]) for name in others)}."
        )
    length = {name: given[name] for name in ("steps", "epochs")}
    run = resumed(context, given["resume_run"], given["as_json"], **length)
    _check_shown(context, run.config, given["show"])
    return run


def _check_shown(context, config, show):
    """Checks the names of `--show` before a run is created."""
    if show is None:
        return
    if MODEL_CATALOGUE[config.model.name].fitted:
        raise UsageError(
            f"{config.model.name} is fitted in one go and shows no progress. Leave out --show."
        )
    from keras_devae.backend import start_backend

    compute = config.compute
    start_backend(context.obj["backend"], compute.backend, deterministic=compute.deterministic)

    from keras_devae.callbacks.progress import shown_names
    from keras_devae.models import MODELS

    shown_names(MODELS[config.model.name], show)


def _introduce(run, note, longer=False):
    from keras_devae.runs.compute import describe_compute
    from keras_devae.runs.stopping import watch_of

    config = run.config
    print_fact("Data", run.dataset.description)
    print_fact("Model", _describe(config, len(run.dataset)))
    if note:
        print_fact("Scaled", note)
    where = f"{config.compute.backend}, seed {config.training.seed}"
    print_fact("Run", f"{run.folder.path}  ({where})")
    if not MODEL_CATALOGUE[config.model.name].fitted:
        print_fact("Compute", describe_compute(config))
    if longer and not run.folder.is_trained():
        from keras_devae.runs.extension import describe_extension

        print_fact("Longer", describe_extension(config))
    if run.held_out is not None:
        print_fact("Held out", run.held_out.description)
    if (watch := watch_of(config)) is not None:
        print_fact("Watching", watch.describe())
    if run.folder.is_trained():
        click.echo("Training is already done; only the evaluation is left.")


def _carry_out(run, quiet, show):
    """Trains, scores and reports; returns scores, figures, and how long training took, in words."""
    begun, done = time.monotonic(), max(run.folder.checkpoint_steps(), default=0)
    run.train(progress=not quiet and (show or True))
    took = _length(run, done, time.monotonic() - begun)
    if not quiet:
        _show_end(run)
    with status_line(quiet) as status:
        scores = run.evaluate(**evaluation_progress(status, passing=True))
        figures = run.report()
    return scores, figures, took


def _length(run, done, seconds):
    """Says how many steps were taken since step `done`, and in what time."""
    steps = max(run.folder.checkpoint_steps(), default=0) - done
    if steps <= 0:
        return ""
    from keras_devae.reports.formatting import format_duration

    further = f"further {steps:,} steps, to step {done + steps:,}," if done else f"{steps:,} steps"
    return f" for {further} in {format_duration(seconds)}"


def _show_end(run):
    """Says what watching a value has led to."""
    from keras_devae.runs.stopping import describe_end, describe_reductions

    ended = run.folder.read_record().get("ended")
    if ended is not None:
        print_fact("Weights", describe_end(ended))
        if (reductions := describe_reductions(run.folder, run.config)) is not None:
            print_fact("Rate", reductions)


def _scaling_note(config):
    """Says which defaults were scaled, and by what."""
    chosen, options = config.model.options, MODEL_CATALOGUE[config.model.name].options
    extent = height_and_width(config.data.image_size), config.training.steps
    factors, defaults = scaling_factors(*extent), default_options(config.model.name, *extent)
    size = f"{pixels_text(config.data.image_size)} pixels"
    reasons = {"pixels": size, "steps": "run length", "rate": "run length"}
    scaled = {reason: [] for reason in reasons.values()}
    for name, option in options.items():
        for scale in option.scales:
            if chosen[name] == defaults[name] and factors[scale] != 1:
                scaled[reasons[scale]].append(name)
    notes = [f"{', '.join(names)} by {reason}" for reason, names in scaled.items() if names]
    published = f"published for 64x64 pixels and {PUBLISHED_STEPS:,} steps"
    return f"{'; '.join(notes)}, from the defaults {published}" if notes else ""


def _describe(config, images):
    model, training = config.model, config.training
    options = "".join(f", {name} {_plain(value)}" for name, value in model.options.items())
    if MODEL_CATALOGUE[model.name].fitted:
        return f"{model.name}{options}; {model.latent_dim} components"
    likelihood = f"{model.likelihood} likelihood" if model.likelihood else "no decoder"
    return (
        f"{model.name}{options}; {likelihood}, {model.latent_dim} latent dimensions, "
        f"{training.steps} steps of {training.batch_size} "
        f"{MODEL_CATALOGUE[model.name].batch_of} "
        f"({training.steps * training.batch_size / images:.3g} epochs)"
    )


def _plain(value):
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_plain(v) for v in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
