"""Makes a preset from a finished run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from keras_devae.evaluation.latents import measure_latents
from keras_devae.figures import pixels_of
from keras_devae.figures.of_models import reconstruction_figure, traversal_figure
from keras_devae.files import is_there, replacing, write_json, write_text
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.presets import write_model
from keras_devae.presets.folder import CARD, CODES, HISTORY, RUN, SCORES, write_metadata
from keras_devae.reports.preset_card import Picture, card_text
from keras_devae.runs.preset import PresetDirectory, check_making
from keras_devae.runs.run import Run
from keras_devae.runs.trained_model import load_trained, run_encoding

#: Images whose codes are kept, to check by them that a loaded model is the same.
_KEPT_CODES = 5
#: How much smaller than a report's the pictures are.
_SMALLER = 2


def make_preset(
    run: Run,
    folder: str | os.PathLike[str],
    name: str | None = None,
    weights_dtype: str = "float16",
    licence: str | None = None,
    **progress: Any,
) -> Path:
    """Makes a preset from a finished run: its model, settings, scores, a few codes, and a card.

    The scores are those of the weights in the file, with the settings of the run's evaluation.

    Args:
        run: The run, from `Run.open`.
        folder: The folder to write, which must not exist.
        name: Name of the preset; default: the folder's.
        weights_dtype: Type of the numbers in the file of weights, see `save_to_preset`; default
            `"float16"`.
        licence: Identifier of a licence, such as `"apache-2.0"`, for model hubs, or `None`.
        **progress: `progress` and `encoding_progress` of `Run.evaluate`.

    Returns:
        The folder.

    Raises:
        UsageError: If the run is not trained to its end, the folder exists, or the name cannot be
            one.
        FailureError: If the run is damaged, or its images have changed.
    """
    folder = Path(folder)
    name = check_making(run.folder, folder, name)
    model, dataset, config = run.model, run.dataset, run.config
    with replacing(folder) as temporary:
        facts = write_model(model, temporary, weights_dtype)
        write_json(temporary / RUN, portable(run.folder.read_record()))
        if is_there(run.folder.history_file):
            shutil.copyfile(run.folder.history_file, temporary / HISTORY)
        directory = PresetDirectory(temporary, name)
        preset = Run(directory, config, dataset, load_trained(directory), held_out=run.held_out)
        scores = {**preset.score(**progress), **preset.score_held_out(**progress)}
        write_json(temporary / SCORES, portable(scores))
        _write_codes(preset, temporary)
        facts |= {"name": name, **_facts(run)}
        _write_card(preset, scores, facts, licence)
        write_metadata(temporary, **facts)
    return folder


def portable(record: Any) -> Any:
    """Returns what a run records without the folders of its machine: of a path, the last part.

    A preset is published, and where somebody keeps images is nobody else's business.
    """
    if isinstance(record, dict):
        return {key: portable(value) for key, value in record.items() if key != "data_dir"}
    if isinstance(record, (list, tuple)):
        return [portable(value) for value in record]
    return _last_part(record) if isinstance(record, str) else record


def _last_part(text):
    """Returns a text without the folders of the path that it is or, as in `npz:/a/b`, names."""
    kind, colon, path = ("", "", text) if os.path.isabs(text) else text.partition(":")
    return f"{kind}{colon}{Path(path).name}" if os.path.isabs(path) else text


def _facts(run: Run) -> dict[str, Any]:
    """Returns what lists of presets say of the run."""
    config = run.config
    steps = run.folder.last_step(config)
    dataset, shape = _last_part(config.data.dataset), "x".join(map(str, run.model.image_shape))
    source = f"{config.data.source}, " if ":" not in dataset else ""
    declaration = MODEL_CATALOGUE[config.model.name]
    length = f"for {steps:,} steps of {config.training.batch_size} {declaration.batch_of}"
    return {
        "description": (
            f"{declaration.class_name} on {dataset} ({source}{shape}), "
            f"{'fitted in one go' if declaration.fitted else f'trained {length}'}"
        ),
        "model": config.model.name,
        "dataset": dataset,
        "source": config.data.source,
        "steps": steps,
        "seed": config.training.seed,
    }


def _write_codes(preset, folder):
    """Writes the codes of a few images, of layer 0, with their row numbers."""
    count = len(preset.dataset)
    rows = np.unique(np.linspace(0, count - 1, min(count, _KEPT_CODES)).astype(int))
    codes = preset.model.encode(preset.dataset.images(rows))
    write_json(folder / CODES, {"rows": rows.tolist(), "z_mean": codes.tolist()})


def _write_card(preset, scores, facts, licence):
    """Writes the card and the pictures on it."""
    model, dataset, config = preset.model, preset.dataset, preset.config
    images, seed = config.evaluation.images, config.training.seed
    with run_encoding(model, preset.folder, dataset) as encoding:
        latents = measure_latents(model, dataset, None, images, seed, encoding)
    pictures = []
    if model.decodes(dataset.image_shape):
        pictures = list(_pictures(preset, latents[0], seed))
    text = card_text(preset, scores, latents, facts, pictures, licence)
    write_text(preset.folder.path / CARD, text)


def _pictures(preset, latents, seed):
    """Draws what goes onto the card."""
    model, dataset, folder = preset.model, preset.dataset, preset.folder.path
    active_only = len(latents.active) > 0
    drawn = {
        "traversal": traversal_figure(
            model, dataset, seed=seed, active_only=active_only, latents=latents
        ),
        "reconstructions": reconstruction_figure(model, dataset, seed=seed),
    }
    titles = {
        "traversal": f"Each row changes one {'active ' * active_only}latent of the same image",
        "reconstructions": "Images, and below them their reconstructions by each latent layer",
    }
    for name, figure in drawn.items():
        file = f"{name}.png"
        _save_small(figure, folder / file)
        yield Picture(file, titles[name])


def _save_small(figure: Any, file: Path) -> None:
    """Writes a figure as a small PNG, half as wide and high as in reports."""
    picture = Image.fromarray(pixels_of(figure)).reduce(_SMALLER)
    with replacing(file) as temporary:
        picture.save(temporary, format="PNG", optimize=True)
