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
    help="Score the codes in this .npz file instead of a run, with the factors in it or --dataset.",
)
@click.option(
    "--encoder",
    type=PATH,
    metavar="FILE",
    help="Score any encoder instead of a run: a .keras, .onnx, .pt2 or .pt file, the folder of a "
    "SavedModel, or MODULE:FUNCTION. Needs --dataset.",
)
@click.option(
    "--pixels",
    type=click.Choice(list(PIXELS)),
    help="Pixels that --encoder expects.  [default: uint8 if it takes integers, else 0..1]",
)
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    default="auto",
    show_default=True,
    help="Position of the channels in the images that --encoder expects.",
)
@click.option("--encoder-output", metavar="NAME", help="Output of --encoder that holds the codes.")
@setting_options(OTHER_IMAGES)
@click.option(
    "--factor-bins",
    callback=parse_counts,
    metavar="NAME=COUNT",
    help="Number of bins for continuous factors of your own images, comma-separated.",
)
@click.option(
    "--metrics", help="Metrics to compute, comma-separated, or all.  [default: the run's]"
)
@click.option(
    "--layer",
    default="all",
    show_default=True,
    help="Latent layer to score, a number from 0, or all.",
)
@setting_option("metric_settings", "the run's; paper without a run")
@click.option(
    "--images", type=click.IntRange(2), help="Number of images to encode.  [default: the run's]"
)
@setting_option("variants", "the run's")
@setting_option("factors", "the run's")
@click.option(
    "--repeats",
    type=click.IntRange(1, MOST_REPEATS),
    default=1,
    help="Number of repetitions, each on new samples.  [default: 1]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, MOST_SEED_OF_A_FIT),
    help="Random seed of the samples.  [default: the run's]",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Number of threads that fit the trees of DCI.  [default: one per core]",
)
@click.option(
    "--bins",
    type=click.IntRange(2, MOST_BINS),
    help="Number of bins per code in metrics that discretize codes.  [default: 20]",
)
@click.option(
    "--discretizer",
    type=click.Choice(["histogram", "quantile", "identity"]),
    help="How to bin codes: in equal widths, in equal counts (robust to outliers), or one bin per "
    "integer.  [default: histogram]",
)
@click.option(
    "--estimator",
    type=click.Choice(["plug_in", "knn"]),
    help="How MIG estimates the information of continuous factors: in bins, or from nearest"
    " neighbours.  [default: plug_in]",
)
@click.option(
    "--representation",
    type=click.Choice(["mean", "sample"]),
    default="mean",
    show_default=True,
    help="Code of an image: the mean of its posterior, or a sample of it.",
)
@json_option
@click.option("--output", type=PATH, metavar="FILE", help="Also write the scores to a JSON file.")
@click.option(
    "--report-dir",
    type=PATH,
    metavar="FOLDER",
    help="Also write scores, figures and a report to this folder. Needs --dataset.",
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
    """Score the run in folder RUN, layer by layer; or, with --codes or --encoder, anything else.

    With --dataset, scores the run on other images than its own. --report-dir then also writes a
    report, and `compare` can read the scores.

    With --variant, these variants replace those that the run was trained on, e.g. to measure
    held-out combinations of factors; `--variant none` removes them all. With --factors, only these
    factors vary in the images.

    The FILE of --codes holds the arrays `codes` (n, d) and `factors` (n, f). It may also hold
    `factor_names`, `continuous` (the names of factors that are measured quantities), `z_log_var`
    (n, d) and `n_train`, the number of rows that predictors are trained on. With --dataset, it
    holds `codes`, a row for each image, and may hold `z_log_var`.
    """
    if (count := 3 - [run, codes, encoder].count(None)) != 1:
        many = f"only one of them. Received: {count}" if count else "one of them"
        raise UsageError(
            "Name what to score: the folder of a run, RUN; a file of codes, --codes FILE; or an "
            f"encoder, --encoder FILE. Give {many}."
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
        raise UsageError(f"{option_name(context, stray[0])} needs {belongs}.")


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
        raise UsageError(f"--layer must be the number of a latent layer, or all. Received: {text}.")
    return [int(text)]
