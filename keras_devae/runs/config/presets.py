"""Named settings to start a training run from, and the scores that they lead to."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_devae.checks import one_of
from keras_devae.errors import UsageError
from keras_devae.models.catalogue import MODEL_CATALOGUE, default_options

if TYPE_CHECKING:
    from keras_devae.data.builtin.declaration import BuiltinSet

#: Preset -> its purpose, and the settings that it changes.
PRESETS: dict[str, tuple[str, dict[str, Any]]] = {
    "quick": (
        "a few minutes on two cores: shows that everything works, and what the model learns first",
        {"steps": 4500, "batch_size": 64, "learning_rate": 1e-3},
    ),
    "small": (
        "32x32 images, about 20 minutes on two cores: enough to compare models",
        {"steps": 20_000, "batch_size": 64, "learning_rate": 5e-4, "image_size": 32},
    ),
    "paper": (
        "the DeVAE paper's setting, for an accelerator: Adam 1e-4, batch 256, 300,000 steps",
        {"steps": 300_000, "batch_size": 256, "learning_rate": 1e-4, "checkpoint_every": 5000},
    ),
}

#: Scores of real runs, one row for each preset, model, data set, source and metric.
EXPECTED_SCORES = Path(__file__).with_name("expected_scores.csv")


def preset_for(preset: str, model: str, dataset: str) -> dict[str, Any]:
    """Returns what a preset means for a model and a built-in data set, without loading either.

    The dictionary for JSON holds `purpose`, `settings`, `image_shape`; `options`, the model's
    options scaled with the image size and the length of the run; `expected`, see `expected_scores`;
    and `unavailable`, why the data set does not come in the preset's image size, or `None`.
    """
    # Imported late: help names the presets, and has no use for data.
    from keras_devae.data.builtin.catalogue import builtin_set
    from keras_devae.data.builtin.declaration import IMAGE_SIZE

    purpose, settings = PRESETS[one_of("preset", preset, PRESETS)]
    one_of("model", model, MODEL_CATALOGUE)
    official = builtin_set(dataset)
    size = settings.get("image_size", IMAGE_SIZE)
    shape = official.image_shape(size)
    return {
        "purpose": purpose,
        "settings": dict(settings),
        "image_shape": list(shape),
        "options": default_options(model, shape, settings["steps"]),
        "expected": expected_scores(preset, model, dataset),
        "unavailable": _unavailable(official, size),
    }


def expected_scores(
    preset: str, model: str, dataset: str, table: Path | None = None
) -> list[dict[str, Any]]:
    """Returns the scores that runs of a preset had, and their spread, from a CSV `table`.

    Each has the `source` of the images, the `metric`, the `count` of seeds, `mean`, `std`, `low`
    and `high` of a `Spread`, and `measured`: when and on what machine.
    """
    with open(table or EXPECTED_SCORES, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        {
            **{name: row[name] for name in ("source", "metric", "measured")},
            "count": int(row["count"]),
            **{name: float(row[name]) for name in ("mean", "std", "low", "high")},
        }
        for row in rows
        if (row["preset"], row["model"], row["dataset"]) == (preset, model, dataset)
    ]


def _unavailable(official: BuiltinSet, size: int) -> str | None:
    if official.renderer is not None:
        return None
    try:
        official.check_size(size)
    except UsageError as error:
        return str(error)
    return None
