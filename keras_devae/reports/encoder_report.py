"""The page about an encoder that belongs to no run."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_devae import checks
from keras_devae.data.titles import title_of
from keras_devae.errors import UsageError
from keras_devae.evaluation import measure_latents
from keras_devae.evaluation.encoding import Encoding
from keras_devae.evaluation.evaluating import RECONSTRUCTED_IMAGES
from keras_devae.evaluation.known_codes import encoding_of
from keras_devae.files import write_text
from keras_devae.metrics import MetricWarning
from keras_devae.reports.details import describe_provenance, factor_facts
from keras_devae.reports.formatting import format_setting
from keras_devae.reports.next_steps import next_steps_of_encoder
from keras_devae.reports.page import render_page
from keras_devae.reports.problems import find_problems_of_codes
from keras_devae.reports.run_figures import ReportFigure, draw_encoder_figures
from keras_devae.reports.tables import common_values
from keras_devae.runs.evaluation_folder import EvaluationFolder

if TYPE_CHECKING:
    from keras_devae.data import Dataset

_SECTIONS = (
    ("numbers", "Numbers"),
    ("latents", "Codes"),
    ("scores", "Scores"),
    ("encoder", "Encoder"),
)
#: What is recorded of an encoder -> its heading.
_OF_ENCODERS = {
    "file": "File",
    "sha256": "SHA-256",
    "pixels": "Pixels",
    "layout": "Layout",
    "output": "Output",
}


def write_encoder_report(
    folder: str | os.PathLike[str],
    encoder: Any,
    dataset: Dataset,
    scores: Mapping[str, Any],
    encoding: Encoding | None = None,
) -> Path:
    """Writes the scores of any encoder, figures, and a page about them, into a folder.

    `keras-devae report` writes the page again, and `keras-devae compare` reads the scores. The page
    says what holds each factor; it has traversals and reconstructions where the encoder is a model
    of this package, or a file that can decode.

    Args:
        folder: A new folder, or one with an earlier evaluation, which is replaced.
        encoder: What was evaluated: a function of images, a
            `keras_devae.evaluation.EncoderFile`, codes, or a model.
        dataset: The data set that it was evaluated on.
        scores: What `keras_devae.evaluation.evaluate` returned.
        encoding: The `keras_devae.evaluation.Encoding` that was evaluated, so that nothing is
            encoded twice, or `None` (default).

    Returns:
        The file of the page, `report.html` in the folder.

    Raises:
        UsageError: If the folder holds something else, or the scores are not of an evaluation.

    Example:
        >>> data = kd.data.load("dsprites", image_size=32)
        >>> encoder = kd.evaluation.FunctionEncoder(lambda images: images[:, 8:24:8, 12, 0])
        >>> scores = kd.evaluation.evaluate(encoder, data, ["mig"], images=500)
        >>> kd.reports.write_encoder_report("means", encoder, data, scores).name
        'report.html'
    """
    checks.check_dataset(dataset)
    settings = scores.get("settings", {})
    if not {"images", "seed", "data"} <= set(settings):
        raise UsageError("`scores` must be what `keras_devae.evaluation.evaluate` returned.")
    place = EvaluationFolder(folder)
    place.check_free()
    encoding = encoding or encoding_of(encoder, dataset)
    images, seed = settings["images"], settings["seed"]
    with warnings.catch_warnings():
        # The page itself names the factors that do not vary.
        warnings.simplefilter("ignore", MetricWarning)
        latents = measure_latents(encoding.model, dataset, None, images, seed, encoding)
        figures = draw_encoder_figures(place.figures, latents, seed, encoding)
    settings = {"encoder": {"name": type(encoding.model).__name__}, **settings}
    facts = {
        "dataset": dataset.name,
        "image_shape": [int(size) for size in dataset.image_shape],
        "description": dataset.description,
        "figures": [_words(figure) for figure in figures],
    }
    place.write({**scores, "settings": settings}, latents, facts)
    return write_encoder_page(place)


def write_encoder_page(place: EvaluationFolder, output: str | Path | None = None) -> Path:
    """Writes the page from what is in a folder, to `report.html` there or to another file."""
    output = Path(output or place.report_file)
    write_text(output, _page(place))
    return output


def _page(place: EvaluationFolder) -> str:
    content = place.read()
    facts, layers, settings = content["facts"], content["layers"], content["settings"]
    latents = place.latents(facts)
    figures = [
        ReportFigure(file=place.figures / f"{words['name']}.png", **words)
        for words in facts["figures"]
    ]
    return render_page(
        "encoder.html",
        sections=_SECTIONS,
        name=settings["encoder"]["name"],
        dataset=title_of(facts["dataset"]),
        next_steps=next_steps_of_encoder(place.path),
        **common_values(latents, content, facts["image_shape"], settings.get("factor_names")),
        problems=find_problems_of_codes(latents[0], layers),
        figures=[figure for figure in figures if figure.file.is_file()],
        decodes=any(figure.name == "reconstructions" for figure in figures),
        images=settings["images"],
        reconstructed=_reconstructed(layers),
        facts=list(_facts(settings, facts["description"])),
    )


def _reconstructed(layers: list[dict[str, float | None]]) -> int:
    measured = any(key.startswith("reconstruction_error") for key in layers[0])
    return RECONSTRUCTED_IMAGES if measured else 0


def _facts(settings: Mapping[str, Any], description: str) -> Iterator[tuple[str, str]]:
    encoder = settings["encoder"]
    yield "Encoder", encoder["name"]
    for key, heading in _OF_ENCODERS.items():
        if encoder.get(key) is not None:
            yield heading, format_setting(encoder[key])
    yield "Data", description
    yield from factor_facts(settings["data"])
    yield "Source of the images", describe_provenance(settings["data"])
    yield "Images", f"{settings['images']:,}, drawn with seed {settings['seed']}"
    versions = {"keras_devae": settings["package_version"], **encoder.get("versions", {})}
    yield "Versions", ", ".join(f"{name} {version}" for name, version in versions.items())


def _words(figure: ReportFigure) -> dict[str, str]:
    words = dataclasses.asdict(figure)
    del words["file"]
    return words
