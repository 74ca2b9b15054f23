"""Measurements of finished runs, each taken once and kept in the run's folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from keras_devae.checks import Array
from keras_devae.files import read_json, write_json
from keras_devae.metrics.rows import draw_sample
from keras_devae.reproduction.results import Result
from keras_devae.runs.trained_model import load_trained, run_encoding


def kept(result: Result, name: str, measure: Callable[[Result], Any]) -> Any:
    """Takes a measurement of a run once, and keeps it in the run's folder."""
    file = result.directory.path / "reproduction" / f"{name}.json"
    if not file.is_file():
        write_json(file, measure(result))
    return read_json(file)


def loaded(result: Result) -> tuple[Any, Any]:
    """Returns the model of a run, and the data set that it was trained on."""
    return load_trained(result.directory), result.directory.load_dataset()


class LabelledCodes(NamedTuple):
    """Codes `(n, d)` of layer 0 in random order, factors `(n, f)`, and how many rows train."""

    codes: Array
    factors: Array
    n_train: int


def codes_of(result: Result, model: Any, dataset: Any, images: int | None = None) -> LabelledCodes:
    """Encodes images of a data set, as many as the run's evaluation does, by the run's seed."""
    images = result.config.evaluation.images if images is None else images
    sample = draw_sample(len(dataset), images, result.config.training.seed)
    with run_encoding(model, result.directory, dataset) as encoding:
        codes = encoding.codes(sample.rows, 0)
    return LabelledCodes(codes, dataset.factors(sample.rows), sample.n_train)


def images_as(result: Result, variants: Sequence[str]) -> Any:
    """Loads a run's data set with other variants in place of its own."""
    return result.directory.load_dataset(variants=tuple(variants))
