"""The report of one run."""

import shlex
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_devae.data import Dataset
from keras_devae.data.titles import title_of
from keras_devae.evaluation.evaluating import RECONSTRUCTED_IMAGES
from keras_devae.evaluation.latents import measure_latents
from keras_devae.evaluation.measured_latents import Latents
from keras_devae.files import write_text
from keras_devae.metrics import MetricWarning
from keras_devae.models import VAE
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.reports.details import run_details
from keras_devae.reports.next_steps import evaluate_command, measuring_command, next_steps
from keras_devae.reports.page import render_page
from keras_devae.reports.problems import find_problems
from keras_devae.reports.run_figures import ReportFigure, draw_run_figures
from keras_devae.reports.tables import common_values, table_rows
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.folder import RunDirectory
from keras_devae.runs.trained_model import model_hash, run_encoding

#: What follows the answers at the top of the page.
_SECTIONS = (
    ("numbers", "Numbers"),
    ("latents", "Latents"),
    ("images", "Images"),
    ("scores", "Scores"),
    ("training", "Training"),
    ("use", "Use the model"),
    ("settings", "Settings"),
)


def write_report(
    run: RunDirectory,
    model: VAE,
    config: RunConfig,
    dataset: Dataset,
    scores: Mapping[str, Any] | None,
    output: str | Path | None = None,
) -> dict[str, Path]:
    """Draws the figures of a run and writes its `report.html`, last of all.

    Args:
        run: The folder of the run.
        model: Its model.
        config: Its completed configuration.
        dataset: Its data set, with or without factors.
        scores: What `keras_devae.evaluation.evaluate` returned, or `None` if it was not called.
        output: File to write instead of `report.html`. The figures are then only in the page, and
            only the codes in the run's folder change.

    Returns:
        Name of each figure -> its file in the run's folder.
    """
    output = Path(output or run.report_file)
    is_own = output.resolve() == run.report_file.resolve()
    # The images of the evaluation, which are encoded already.
    images, seed = config.evaluation.images, config.training.seed
    with (
        tempfile.TemporaryDirectory() as elsewhere,
        warnings.catch_warnings(),
        run_encoding(model, run, dataset) as encoding,
    ):
        # The page itself names the factors that do not vary.
        warnings.simplefilter("ignore", MetricWarning)
        latents = measure_latents(model, dataset, None, images, seed, encoding)
        history, folder = run.read_history(), run.figures if is_own else elsewhere
        figures = draw_run_figures(run, folder, model, dataset, latents, history, seed, encoding)
        page = report_page(run, model, config, dataset, scores, latents, history, figures)
    write_text(output, page)
    return {figure.name: figure.file for figure in figures} if is_own else {}


def report_page(
    run: RunDirectory,
    model: VAE,
    config: RunConfig,
    dataset: Dataset,
    scores: Mapping[str, Any] | None,
    latents: Sequence[Latents],
    history: Sequence[Mapping[str, float]],
    figures: Sequence[ReportFigure],
) -> str:
    """Returns the page; arguments as for `write_report` and `draw_run_figures`."""
    layers = scores["layers"] if scores else []
    last = history[-1] if history else {}
    problems = [
        *_scores_of_another_model(model, run, scores),
        *model.training_warnings(last),
        *find_problems(
            config, history, latents[0], layers, run.is_trained(), run.path, run.is_claimed()
        ),
    ]
    return render_page(
        "report.html",
        sections=_SECTIONS,
        name=run.name,
        title=f"{MODEL_CATALOGUE[config.model.name].class_name} on {title_of(dataset.name)}",
        config=config,
        next_steps=next_steps(run, config, latents[0], is_measured=bool(scores)),
        **common_values(latents, scores, dataset.image_shape, dataset.factor_names),
        problems=problems,
        decodes=model.declaration.decodes,
        reconstructed=RECONSTRUCTED_IMAGES,
        figures=figures,
        held_out=scores and scores.get("validation"),
        held_out_rows=table_rows(scores and scores.get("validation")),
        images=scores and scores.get("settings", {}).get("images"),
        facts=run_details(config, run.read_record(), dataset.description),
        settings=_settings(config),
        measure_with=measuring_command(run, config),
        path_literal=repr(str(run.path)),
        path_word=shlex.quote(str(run.path)),
        image_count=min(100, len(dataset)),
    )


def _scores_of_another_model(
    model: VAE, run: RunDirectory, scores: Mapping[str, Any] | None
) -> list[str]:
    """Returns a sentence if scores and figures are of different weights, or an empty list."""
    measured = scores and scores.get("settings", {}).get("model_sha256")
    if not measured or measured == model_hash(model, run):
        return []
    return [
        "The model has changed since it was scored: the scores on this page were computed with "
        f"earlier weights. Measure it again with: {evaluate_command(run)}"
    ]


def _settings(config: RunConfig) -> list[tuple[str, Any]]:
    settings = config.to_dict()
    options = settings.pop("model_options")
    return [*settings.items(), *((f"model_options.{name}", v) for name, v in options.items())]
