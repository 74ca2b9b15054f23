"""`keras-devae evaluate`."""

from pathlib import Path
from typing import Any

import click

from keras_devae.cli.options import (
    PATH,
    choose_backend,
    evaluation_progress,
    json_option,
    names_from,
    option_name,
    print_json,
    print_layer_advice,
    status_line,
)
from keras_devae.cli.setting_options import setting_option
from keras_devae.cli.tables import print_held_out, print_score_columns, print_scores
from keras_devae.errors import UsageError
from keras_devae.files import check_writable, write_json
from keras_devae.metrics.arguments import MOST_BINS, MOST_REPEATS, MOST_SEED_OF_A_FIT
from keras_devae.models.layer_advice import losses_of


@click.command()
@click.argument("run", type=PATH, metavar="[RUN]", required=False)
@click.option(
    "--codes",
    type=PATH,
    metavar="FILE",
    help="Codes and factors in an .npz file, in place of a run.",
)
@click.option("--metrics", help="Names with commas, or all.  [default: those of the run]")
@click.option("--layer", default="all", show_default=True, help="Number of a latent layer, or all.")
@setting_option("metric_settings", "that of the run; paper with --codes")
@click.option("--images", type=click.IntRange(2), help="Images to encode.  [default: the run's]")
@setting_option("variants", "the run's")
@setting_option("factors", "the run's")
@click.option(
    "--repeats",
    type=click.IntRange(1, MOST_REPEATS),
    default=1,
    help="Number of repeats, each on new samples.  [default: 1]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, MOST_SEED_OF_A_FIT),
    help="Seed of the samples.  [default: the run's]",
)
@click.option("--workers", type=click.IntRange(1), help="Number of threads for the trees of DCI.")
@click.option(
    "--bins",
    type=click.IntRange(2, MOST_BINS),
    help="Bins per code, for metrics that discretize codes.  [default: 20]",
)
@click.option(
    "--discretizer",
    type=click.Choice(["histogram", "quantile", "identity"]),
    help="Bins of equal widths, of equal counts (robust to outliers), or one per integer."
    "  [default: histogram]",
)
@click.option(
    "--estimator",
    type=click.Choice(["plug_in", "knn"]),
    help="Information of continuous factors for MIG: counted in bins, or estimated from nearest"
    " neighbours.  [default: plug_in]",
)
@click.option(
    "--representation",
    type=click.Choice(["mean", "sample"]),
    default="mean",
    show_default=True,
    help="Code of an image: the mean of its posterior, or a sample from it.",
)
@json_option
@click.option("--output", type=PATH, metavar="FILE", help="Also write the JSON to a file.")
@click.pass_context
def evaluate(
    context: click.Context,
    run: str | None,
    codes: str | None,
    as_json: bool,
    output: str | None,
    **given: Any,
) -> None:
    """Compute the scores of the run in folder RUN, layer by layer, or of codes from elsewhere.

    With --variant, the given variants replace those that the run was trained on, e.g. to measure
    on held-out combinations of factors; `--variant none` removes all. With --factors, only the
    given factors vary in the images.

    FILE holds the arrays `codes` (n, d) and `factors` (n, f), and may hold `factor_names`,
    `continuous` (the names of factors that are measured quantities, with any finite values),
    `z_log_var` (n, d) and `n_train`, the number of rows that train predictors.
    """
    if (run is None) == (codes is None):
        raise UsageError("Name either the folder of a run or a file of codes: RUN or --codes FILE.")
    if output:
        check_writable(output)
    with status_line() as status:
        if run is None:
            scores, show = _of_codes(context, codes, given, status)
        else:
            scores, show = _of_run(context, run, output, given, status)
    if output:
        write_json(output, scores)
    if as_json:
        print_json(scores)
    else:
        show()
    if run is not None:
        print_layer_advice(losses_of(scores["layers"]))


def _of_run(context, run, output, given, status):
    from keras_devae.runs import Run

    run = Run.open(run)
    folder = run.folder
    replaces = output and Path(output).resolve() == folder.metrics_file.resolve()
    if replaces and not folder.is_trained():
        raise UsageError(
            f"The run {folder.path} is not trained to its end, and {output} would make it look "
            f"finished. Resume it with: {folder.resume_command()}, or choose another file for "
            "--output."
        )
    chosen = {k: given[k] for k in ("metric_settings", "seed") if given[k] is not None}
    if given["metrics"]:
        chosen["metrics"] = names_from(given["metrics"])
    if given["images"] is not None:
        chosen["evaluation_images"] = given["images"]
    config = run.config.replace(**chosen)
    layers = _layers(given["layer"])
    choose_backend(context, config.compute.backend)
    has_own_images = given["variants"] is None and given["factors"] is None
    dataset = (
        run.dataset
        if has_own_images
        else folder.load_dataset(_variants(given["variants"]), given["factors"])
    )
    config = config.replace(metrics=config.resolved(dataset).evaluation.metrics)
    options = {
        "layers": layers,
        "representation": given["representation"],
        **_options_of_metrics(given),
        **evaluation_progress(status),
    }
    scores = run.score(dataset, config, **options)
    if has_own_images:
        scores |= run.score_held_out(config, **options)

    def show():
        click.echo(dataset.description)
        print_scores(scores)
        print_held_out(scores)

    return scores, show


def _variants(given):
    if given and "none" in given:
        if len(given) > 1:
            raise UsageError("--variant none removes all variants; give it alone.")
        return ()
    return given


def _of_codes(context, file, given, status):
    from keras_devae.evaluation.array_files import read_codes_file
    from keras_devae.metrics import score_codes

    for name in ("images", "layer", "variants", "factors", "representation"):
        if given[name] not in (None, "all", "mean"):
            raise UsageError(f"{option_name(context, name)} goes with a run, not with --codes.")
    arrays = read_codes_file(file)
    scores = score_codes(
        **arrays,
        metrics=names_from(given["metrics"]),
        settings=given["metric_settings"] or "paper",
        seed=given["seed"] or 0,
        progress=status,
        **_options_of_metrics(given),
    )
    return scores, lambda: print_score_columns(["codes"], [scores.numbers], [scores.details])


def _options_of_metrics(given):
    names = ("repeats", "workers", "bins", "discretizer", "estimator")
    return {name: given[name] for name in names}


def _layers(text):
    if text == "all":
        return None
    if not text.isdecimal():
        raise UsageError(f"--layer takes the number of a latent layer, or all. Received: {text}.")
    return [int(text)]
