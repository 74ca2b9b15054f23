"""The report of one run."""

import shlex
import warnings

from keras_devae.experiments.report.complaints import complaints_of
from keras_devae.experiments.report.facts import facts_of
from keras_devae.experiments.report.findings import summary, verdict
from keras_devae.experiments.report.meanings import meaning_of
from keras_devae.experiments.report.page import rendered
from keras_devae.experiments.report.pictures import draw_pictures
from keras_devae.experiments.report.words import percent
from keras_devae.experiments.run_encoding import run_encoding
from keras_devae.files import write_text
from keras_devae.latents import measure_latents
from keras_devae.metrics import MetricWarning

_ROWS = 50
_SECTIONS = (
    ("summary", "In short"),
    ("latents", "Latents"),
    ("images", "Images"),
    ("scores", "Scores"),
    ("training", "Training"),
    ("use", "Use the model"),
    ("settings", "Settings"),
)


def write_report(run, model, config, dataset, scores, output=None):
    """Draws the figures of a run into its folder and writes `report.html`, last of all.

    Args:
        run: The `RunDirectory`.
        model: Its model.
        config: Its completed `RunConfig`.
        dataset: Its data set, with or without factors.
        scores: What `keras_devae.evaluation.evaluate` returned, or `None` if it was not called.
        output: File to write in place of `report.html`, or `None`.

    Returns:
        Dictionary of the figures' files by name.
    """
    # Those of the evaluation, which are encoded already.
    chosen = (config.evaluation_images, config.seed)
    with warnings.catch_warnings(), run_encoding(model, run, dataset) as encoding:
        # The evaluation has warned of the same.
        warnings.simplefilter("ignore", MetricWarning)
        latents = measure_latents(model, dataset, None, *chosen, encoding)
        history = run.read_history()
        pictures = draw_pictures(run, model, dataset, latents, history, *chosen, encoding)
    page = report_page(run, model, config, dataset, scores, latents, history, pictures)
    write_text(output or run.report_file, page)
    return {picture.name: picture.file for picture in pictures}


def report_page(run, model, config, dataset, scores, latents, history, pictures):
    """Returns the page: see `write_report`, `measure_latents` and `draw_pictures`."""
    layers = scores["layers"] if scores else []
    last = history[-1] if history else {}
    complaints = [
        *model.complaints(last),
        *complaints_of(config, history, latents[0], layers, run.is_trained(), run.path),
    ]
    return rendered(
        "report.html",
        sections=_SECTIONS,
        name=run.path.resolve().name,
        config=config,
        verdict=verdict(latents[0]),
        tiles=_tiles(latents[0], layers),
        summary=summary(latents, layers, dataset.image_shape),
        complaints=complaints,
        layers=range(len(latents)),
        latents=_latent_rows(latents),
        left_out=max(0, len(latents[0].kl) - _ROWS),
        has_factors=bool(latents[0].factor_names),
        pictures=pictures,
        scores=layers,
        score_rows=score_rows(layers),
        images=scores and scores.get("settings", {}).get("images"),
        facts=facts_of(run, config, run.read_record(), dataset.description),
        settings=_settings(config),
        path_literal=repr(str(run.path)),
        path_word=shlex.quote(str(run.path)),
        image_count=min(100, len(dataset)),
    )


def _tiles(latents, layers):
    """The few numbers that come first."""
    first = layers[0] if layers else {}
    tiles = [("Active latents", f"{len(latents.active)} of {len(latents.kl)}")]
    if latents.factor_names:
        held = sum(bool(dimensions) for dimensions in latents.holders().values())
        tiles.append(("Factors held", f"{held} of {len(latents.factor_names)}"))
    if "mig.score" in first:
        tiles.append(("MIG", f"{first['mig.score']:.2f}"))
    if "dci.disentanglement" in first:
        tiles.append(("DCI disentanglement", f"{first['dci.disentanglement']:.2f}"))
    error = first.get("reconstruction_error.negative_log_likelihood")
    if error is not None:
        tiles.append(("Reconstruction, nats", f"{error:,.1f}"))
    tiles.append(("KL, nats", f"{latents.kl.sum():.1f}"))
    return tiles


def _latent_rows(latents):
    first = latents[0]
    return [_latent_row(first, d, [layer.kl[d] for layer in latents]) for d in first.order[:_ROWS]]


def _latent_row(latents, dimension, kl):
    row = {"name": f"z{dimension}", "kl": kl, "factor": "", "share": "", "besides": ""}
    factor = latents.factor_of(dimension)
    if factor is None:
        return row
    shares = dict(zip(latents.factor_names, latents.shares[dimension], strict=True))
    row.update(factor=factor, share=percent(shares.pop(factor)))
    if shares:
        second = max(shares, key=shares.get)
        row["besides"] = f"{second} ({percent(shares[second])})"
    return row


def score_rows(layers):
    """Arranges scores for a table.

    Args:
        layers: List of dictionaries of flat scores, one for each layer; may be empty.

    Returns:
        List of dictionaries: `key`, `cells` (a number for each layer) and `meaning`.
    """
    keys = [key for key in (layers[0] if layers else {}) if key != "layer"]
    return [
        {"key": key, "cells": [layer.get(key) for layer in layers], "meaning": meaning_of(key)}
        for key in keys
        if not key.endswith((".std", ".low", ".high"))
    ]


def _settings(config):
    settings = config.to_dict()
    options = settings.pop("model_options")
    return [*settings.items(), *((f"model_options.{name}", v) for name, v in options.items())]
