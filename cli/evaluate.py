"""`keras-devae evaluate`."""

from pathlib import Path
from typing import Any

import click

from keras_devae.cli.encoder_scores import (
    OTHER_IMAGES,
    data_settings,
    default_settings,
    options_of_metrics,
    scores_of_codes,
    scores_of_encoder,
    variants_of,
    write_run_page,
)
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
from keras_devae.cli.setting_options import parse_counts, setting_option, setting_options
from keras_devae.cli.tables import print_held_out, print_scores
from keras_devae.errors import UsageError
from keras_devae.evaluation.pixels import LAYOUTS, PIXELS
from keras_devae.files import check_writable, write_json
from keras_devae.metrics.arguments import MOST_BINS, MOST_REPEATS, MOST_SEED_OF_A_FIT
from keras_devae.models.layer_advice import losses_of

#: Options that belong to an encoder from a file.
_OF_ENCODERS = ("pixels", "layout", "encoder_output")


@click.command()
@click.argument("run", type=PATH, metavar="[RUN]", required=False)
@click.option(
    "--codes",
    type=PATH,
    metavar="FILE",
    help="Codes in an .npz file in place of a run: with their factors, or with --dataset.",
)
@click.option(
    "--encoder",
    type=PATH,
    metavar="FILE",
    help="Any encoder in place of a run: a .keras, .onnx, .pt2 or .pt file, the folder of a "
    "SavedModel, or MODULE:FUNCTION; with --dataset.",
)
@click.option(
    "--pixels",
    type=click.Choice(list(PIXELS)),
    help="Pixels as --encoder expects them.  [default: uint8 where it takes integers, else 0..1]",
)
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    default="auto",
    show_default=True,
    help="Place of the channels in the images that --encoder takes.",
)
@click.option("--encoder-output", metavar="NAME", help="Output of --encoder that holds the codes.")
@setting_options(OTHER_IMAGES)
@click.option(
    "--factor-bins",
    callback=parse_counts,
    metavar="NAME=COUNT",
    help="Bins for continuous factors of your own images, with commas.",
)
@click.option("--metrics", help="Names with commas, or all.  [default: the run's]")
@click.option("--layer", default="all", show_default=True, help="Number of a latent layer, or all.")
@setting_option("metric_settings", "the run's; paper without a run")
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
@click.option(
    "--report-dir",
    type=PATH,
    metavar="FOLDER",
    help="Also write scores, figures and a page to a folder; with --dataset.",
)
@click.pass_context
def evaluate(
    context: click.Context,
    run: str | None,
    codes: str | None,
    encoder: str | None,
    as_json: bool,
    output: str | None,
    **given: Any,
) -> None:
    """Compute the scores of the run in folder RUN, layer by layer.

    With --codes, the codes in a file are scored in place of a run; with --encoder, any encoder.

    With --dataset, the images of another data set are scored in place of the run's. --report-dir
    then writes a page like a run's report, which `report` writes again; `compare` reads the scores.

    With --variant, the given variants replace those that the run was trained on, e.g. to measure
    on held-out combinations of factors; `--variant none` removes all. With --factors, only the
    given factors vary in the images.

    FILE holds the arrays `codes` (n, d) and `factors` (n, f), and may hold `factor_names`,
    `continuous` (the names of factors that are measured quantities, with any finite values),
    `z_log_var` (n, d) and `n_train`, the number of rows that train predictors. With --dataset it
    holds `codes` with a row for each of its images, and may hold `z_log_var`.
    """
    if (count := 3 - [run, codes, encoder].count(None)) != 1:
        many = f"only one of them. Received: {count}" if count else "one of them"
        raise UsageError(
            "What is scored is a run's folder, a file of codes or an encoder, RUN, --codes FILE or "
            f"--encoder FILE: give {many}."
        )
    _check_belonging(context, given, encoder)
    if output:
        check_writable(output)
    if given["report_dir"]:
        from keras_devae.runs.evaluation_folder import EvaluationFolder

        EvaluationFolder(given["report_dir"]).check_free()
    with status_line() as status:
        if codes is not None:
            scores, show = scores_of_codes(context, codes, given, status)
        elif encoder is not None:
            scores, show = scores_of_encoder(context, encoder, given, status)
        else:
            scores, show = _of_run(context, run, output, given, status)
    if output:
        write_json(output, scores)
    if as_json:
        print_json(scores)
    else:
        show()
        if given["report_dir"]:
            click.echo(Path(given["report_dir"]) / "report.html")
    if run is not None:
        print_layer_advice(losses_of(scores["layers"]), run)


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
    has_own_images = all(given[n] is None for n in ("dataset", "variants", "factors"))
    if given["dataset"] is not None:
        config, dataset = _other_images(config, run.model.image_shape, given)
    elif has_own_images:
        dataset, _ = run.dataset, run.held_out  # Both are checked before anything is computed.
    else:
        dataset = folder.load_dataset(variants_of(given), given["factors"])
    config = config.replace(metrics=config.resolved(dataset).evaluation.metrics)
    options = {
        "layers": layers,
        "representation": given["representation"],
        **options_of_metrics(given),
        **evaluation_progress(status),
    }
    scores = run.score(dataset, config, **options)
    if given["report_dir"]:
        write_run_page(given["report_dir"], run, dataset, scores, status)
    if has_own_images:
        scores |= run.score_held_out(config, **options)

    def show():
        click.echo(dataset.description)
        print_scores(scores)
        print_held_out(scores)

    return scores, show


def _check_belonging(context, given, encoder):
    """Checks that options of other images, and of encoders, have what they belong to."""
    others = (*OTHER_IMAGES, "factor_bins", "report_dir")
    stray = [n for n in others if given[n] is not None and given["dataset"] is None]
    if encoder is not None and given["dataset"] is None:
        raise UsageError("--encoder needs the images to score: add --dataset.")
    belongs = "--dataset"
    if not stray and encoder is None:
        stray = [name for name in _OF_ENCODERS if given[name] not in (None, "auto")]
        belongs = "--encoder"
    if stray:
        raise UsageError(f"{option_name(context, stray[0])} goes with {belongs}.")


def _other_images(config, image_shape, given):
    """Returns a run's configuration with the images that the options name, and these images.

    The run's metrics are left out where the images do not allow them; if none remains, the default
    ones are computed.
    """
    from keras_devae.runs.config.run_config import load_dataset
    from keras_devae.runs.validation import check_held_out, columns_as_in

    # Nothing is held out, watched or tracked here.
    chosen = {**default_settings("validation"), "track": (), "image_size": image_shape[:2]}
    chosen |= data_settings(given)
    if ":" in given["dataset"]:
        described = columns_as_in(config, given["dataset"], given["factors_file"])
        options = {"bins": "factor_bins"}
        chosen |= {n: v for n, v in described.items() if given[options.get(n, n)] is None}
    if given["dataset"].startswith("folder:") and image_shape[-1] in (1, 3):
        chosen["channels"] = image_shape[-1]
    config = config.replace(**chosen)
    dataset = load_dataset(config)
    if not given["metrics"]:
        config = check_held_out(config, dataset, chosen=False)
        config = config.replace(metrics=config.evaluation.metrics or None)
    return config, dataset


def _layers(text):
    if text == "all":
        return None
    if not text.isdecimal():
        raise UsageError(f"--layer takes the number of a latent layer, or all. Received: {text}.")
    return [int(text)]
