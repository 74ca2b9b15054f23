"""What `keras-devae evaluate` does with --encoder, --codes and --report-dir."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from keras_devae.cli.options import choose_backend, evaluation_progress, names_from, option_name
from keras_devae.cli.tables import print_score_columns
from keras_devae.errors import UsageError

if TYPE_CHECKING:
    from keras_devae.data import Dataset
    from keras_devae.runs import Run

#: Options of `evaluate` by parameter.
Given: TypeAlias = Mapping[str, Any]
#: Shows what is being computed.
Status: TypeAlias = Callable[..., object]
#: Prints scores.
Show: TypeAlias = Callable[[], None]
#: Settings of other images to score -> their defaults in words.
OTHER_IMAGES = {
    "dataset": "the run's",
    "source": "auto",
    "data_dir": None,
    "image_size": "the run's, or what the encoder takes",
    "factors_file": None,
    "factor_kinds": "the run's, where the images have the columns",
    "sequence_column": "the run's, if the images have it",
    "skip_damaged": None,
}


def scores_of_encoder(
    context: click.Context, file: str, given: Given, status: Status
) -> tuple[Mapping[str, Any], Show]:
    """Scores an encoder from a file; returns the scores, and a function that prints them."""
    from keras_devae import data

    choose_backend(context)
    from keras_devae.evaluation import EncoderFile

    _check_layer(given, "--encoder")
    encoder = EncoderFile(file, given["pixels"], given["layout"], given["encoder_output"])
    settings = {"image_size": encoder.image_size, **data_settings(given)}
    dataset = data.load(settings.pop("dataset"), **settings)
    encoder.check_images(dataset.image_shape)
    return _scores(encoder, dataset, given, status, "encoder")


def scores_of_codes(
    context: click.Context, file: str, given: Given, status: Status
) -> tuple[Mapping[str, Any], Show]:
    """Scores codes from a file; returns the scores, and a function that prints them."""
    from keras_devae.evaluation.array_files import read_codes_file

    if given["dataset"] is not None:
        return _scores_of_known_codes(context, file, given, status)
    from keras_devae.metrics import score_codes

    for name in ("images", "layer", "variants", "factors", "representation"):
        if given[name] not in (None, "all", "mean"):
            raise UsageError(
                f"{option_name(context, name)} needs a run or --dataset, not --codes alone."
            )
    arrays = read_codes_file(file)
    scores = score_codes(
        **arrays,
        metrics=names_from(given["metrics"]),
        settings=given["metric_settings"] or "paper",
        seed=given["seed"] or 0,
        progress=status,
        **options_of_metrics(given),
    )
    return scores, lambda: print_score_columns(["codes"], [scores.numbers], [scores.details])


def _scores_of_known_codes(context, file, given, status):
    """Scores a file with a row of codes for each image of a data set."""
    from keras_devae.evaluation.array_files import read_codes_file

    _check_layer(given, "--codes")
    arrays = read_codes_file(file)
    if stray := sorted(set(arrays) - {"codes", "z_log_var"}):
        raise UsageError(
            f"{file} holds {', '.join(stray)}, which the data set already has. Leave "
            "--dataset out, or the arrays."
        )
    from keras_devae import data
    from keras_devae.evaluation import KnownCodes
    from keras_devae.files import file_hash

    settings = data_settings(given)
    dataset = data.load(settings.pop("dataset"), **settings)
    names = {"codes": "z_mean", "z_log_var": "z_log_var"}
    known = {names[name]: values for name, values in arrays.items()}
    encoding = KnownCodes(known, dataset, Path(file).name)
    origin = {"file": str(file), "sha256": file_hash(file)}
    return _scores(encoding, dataset, given, status, "codes", origin)


def _check_layer(given, option):
    if given["layer"] not in ("all", "0"):
        raise UsageError(f"--layer needs a run, not {option}. Received: {given['layer']}.")


def _scores(encoder, dataset, given, status, title, origin=None):
    from keras_devae.evaluation import Encoding, evaluate

    encoding = encoder
    if not isinstance(encoder, Encoding):
        encoding = Encoding(encoder, dataset, evaluation_progress(status)["encoding_progress"])
    scores = evaluate(
        encoding.model,
        dataset,
        names_from(given["metrics"]),
        given["images"] or 10_000,
        given["seed"] or 0,
        settings=given["metric_settings"] or "paper",
        representation=given["representation"],
        encoding=encoding,
        progress=lambda layer, name: status(name),
        **options_of_metrics(given),
    )
    scores["settings"]["encoder"] |= origin or {}
    if given["report_dir"]:
        _write_page(given["report_dir"], encoding, scores, status)

    def show():
        click.echo(dataset.description)
        print_score_columns([title], scores["layers"], scores["details"])

    return scores, show


def write_run_page(
    folder: str, run: Run, dataset: Dataset, scores: dict[str, Any], status: Status
) -> None:
    """Writes the page about a run's scores on other images."""
    from keras_devae.runs.trained_model import run_encoding

    file = run.folder.trained_model_file()
    scores["settings"]["encoder"] = {"name": run.folder.name, "file": str(file)}
    with run_encoding(run.model, run.folder, dataset) as encoding:
        _write_page(folder, encoding, scores, status)


def _write_page(folder, encoding, scores, status):
    from keras_devae.reports import write_encoder_report

    status("drawing")
    write_encoder_report(folder, encoding.model, encoding.dataset, scores, encoding)


def data_settings(given: Given) -> dict[str, Any]:
    """Returns the settings of the images that the options name, the others at their defaults."""
    every = default_settings("data")
    chosen = {name: given[name] for name in (*OTHER_IMAGES, "factors") if given[name] is not None}
    if given["factor_bins"] is not None:
        chosen["bins"] = given["factor_bins"]
    del every["image_size"]
    return {**every, "variants": variants_of(given) or (), **chosen}


def default_settings(group: str) -> dict[str, Any]:
    """Returns the defaults of all settings in a group, by name."""
    from keras_devae.runs.config.forms import declarations

    return {name: each.default for name, each in declarations().items() if each.group == group}


def variants_of(given: Given) -> Sequence[str] | None:
    """Returns the variants that the options name; none for `none`, `None` for the run's."""
    chosen = given["variants"]
    if chosen and "none" in chosen:
        if len(chosen) > 1:
            raise UsageError("--variant none removes all variants; give it alone.")
        return ()
    return chosen


def options_of_metrics(given: Given) -> dict[str, Any]:
    """Returns the options of metrics, by the name of the argument."""
    names = ("repeats", "workers", "bins", "discretizer", "estimator")
    return {name: given[name] for name in names}
