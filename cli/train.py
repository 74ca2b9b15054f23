"""`keras-devae train`."""

import os

import click

from keras_devae.cli.options import (
    PATH,
    RUN_NAME,
    evaluation_progress,
    is_typed,
    json_option,
    option_name,
    print_json,
    progress_bars,
    runs_folder_option,
    say_of_layers,
    status_line,
)
from keras_devae.cli.setting_options import ALL_SETTINGS, model_options, setting_options
from keras_devae.cli.tables import print_scores
from keras_devae.errors import UsageError
from keras_devae.models.declarations import (
    MODEL_CATALOGUE,
    PUBLISHED_STEPS,
    scaling_factors,
)
from keras_devae.models.layer_advice import losses_of

_NOT_SETTINGS = ("run", "runs_dir", "resume_run", "overwrite", "as_json")


@click.command()
@click.option("--preset", metavar="NAME", help="Settings to start from: quick, small or paper.")
@setting_options(ALL_SETTINGS)
@click.option(
    "--run", type=RUN_NAME, metavar="NAME", help="Name of the run.  [default: from the settings]"
)
@runs_folder_option
@model_options
@click.option(
    "--resume", "resume_run", type=PATH, metavar="RUN", help="Go on with an interrupted run."
)
@click.option("--overwrite", is_flag=True, help="Replace a run of the same name.")
@json_option
@click.pass_context
def train(context, **given):
    """Train a model, measure it layer by layer and draw what it learned.

    Everything lands in RUNS-DIR/NAME: config.json, history.csv, metrics.json, model.keras,
    checkpoints/, figures/ and report.html.
    """
    session = (_resumed if given["resume_run"] else _new)(context, given)
    note = "" if given["resume_run"] else _scaling_note(given, session[2])
    scores = _run(context, *session, quiet=given["as_json"], note=note)
    if given["as_json"] and scores:
        print_json({"run": str(session[1].path), **scores})
    if scores:
        say_of_layers(losses_of(scores["layers"]))


def _new(context, given):
    from keras_devae.runs.config.flat_settings import config_from_settings, default_name
    from keras_devae.runs.config.run_config import check_before_loading, load_dataset
    from keras_devae.runs.folder import unused_path
    from keras_devae.runs.starting import check_start, start_new

    named = {k: v for k, v in given.items() if v is not None and k not in _NOT_SETTINGS}
    config = config_from_settings(named)
    label = None
    if given["run"] is None:
        label = default_name(config, given["preset"])
        path = unused_path(given["runs_dir"], label)
    else:
        path = os.path.join(given["runs_dir"], given["run"])
    backend, overwrite = context.obj["backend"], given["overwrite"]
    check_start(path, config, backend, overwrite)
    check_before_loading(config)
    with progress_bars(given["as_json"]) as progress:
        dataset = load_dataset(config, progress=progress)
    return start_new(path, config, dataset, backend, overwrite, label)


def _resumed(context, given):
    from keras_devae.runs.folder import RunDirectory
    from keras_devae.runs.starting import start_again

    kept = ("resume_run", "as_json", "runs_dir")
    others = [name for name in given if is_typed(context, name) and name not in kept]
    if others:
        raise UsageError(
            "A resumed run keeps its name and settings: leave out "
            f"{', '.join(option_name(context, name, given[name]) for name in others)}."
        )
    run = RunDirectory.open(given["resume_run"])
    with progress_bars(given["as_json"]) as progress:
        return start_again(run, context.obj["backend"], progress)


def _scaling_note(given, config):
    """Says which defaults were scaled, and by what."""
    options = MODEL_CATALOGUE[config.model.name].options
    factors = scaling_factors((config.data.image_size,) * 2, config.training.steps)
    size = f"{config.data.image_size}x{config.data.image_size} pixels"
    reasons = {"pixels": size, "steps": "run length", "rate": "run length"}
    scaled = {reason: [] for reason in reasons.values()}
    for name, option in options.items():
        for scale in option.scales:
            if given[name] is None and factors[scale] != 1:
                scaled[reasons[scale]].append(name)
    notes = [f"{', '.join(names)} by {reason}" for reason, names in scaled.items() if names]
    published = f"published for 64x64 pixels and {PUBLISHED_STEPS:,} steps"
    return f" (defaults {published} scaled: {'; '.join(notes)})" if notes else ""


def _run(context, function, run, config, dataset, quiet, note=""):
    from keras_devae.process.interruption import Interruption, exit_status
    from keras_devae.runs.choices import describe_choices
    from keras_devae.runs.distributed import is_worker
    from keras_devae.runs.faults import how_to_go_on

    quiet = quiet or is_worker(config)
    if not quiet:
        click.echo(f"Data     {dataset.description}")
        click.echo(f"Model    {_describe(config)}{note}")
        click.echo(f"Run      {run.path}  ({config.compute.backend}, seed {config.training.seed})")
        if not MODEL_CATALOGUE[config.model.name].fitted:
            click.echo(f"Compute  {describe_choices(config)}")
    try:
        with Interruption():
            scores, written = _carry_out(function, run, config, dataset, quiet)
    except KeyboardInterrupt as ending:
        click.echo(f"Interrupted. {how_to_go_on(run)}", err=True)
        context.exit(exit_status(ending))
    finally:
        run.release()
    if not quiet:
        print_scores(scores)
        for what, path in written.items():
            click.echo(f"{what:<16} {path}")
    return scores


def _carry_out(function, run, config, dataset, quiet):
    from keras_devae.backend.replicas import wait_for_all_processes
    from keras_devae.runs.distributed import is_worker
    from keras_devae.runs.faults import explained
    from keras_devae.runs.finishing import finish

    if run.is_trained() and not quiet:
        click.echo("Training is done already; the evaluation follows.")
    with explained(run, lambda: "The run stopped"):
        model = function(config, run, dataset, progress=not quiet)
        if is_worker(config):
            wait_for_all_processes(config.compute.distribute)
            return {}, {}
        with status_line(quiet) as status:
            progress = evaluation_progress(status, passing=True)
            outcome = finish(model, config, run, dataset, **progress)
        wait_for_all_processes(config.compute.distribute)
        return outcome


def _describe(config):
    options = "".join(f", {name} {_plain(value)}" for name, value in config.model.options.items())
    if MODEL_CATALOGUE[config.model.name].fitted:
        return f"{config.model.name}{options}; {config.model.latent_dim} components"
    model, training = config.model, config.training
    return (
        f"{model.name}{options}; {model.likelihood} likelihood, {model.latent_dim} latent "
        f"dimensions, {training.steps} steps of {training.batch_size} images"
    )


def _plain(value):
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_plain(v) for v in value) + "]"
    return f"{value:g}" if isinstance(value, float) else str(value)
