"""Named settings of a training run, and what they lead to."""

import csv
from pathlib import Path

from keras_devae.data.builtin.catalogue import builtin_set
from keras_devae.data.builtin.declaration import IMAGE_SIZE
from keras_devae.errors import UsageError, unknown_name
from keras_devae.models.declarations import MODEL_CATALOGUE, default_options

#: Preset -> what it is for, and the settings that it changes.
PRESETS = {
    "quick": (
        "a few minutes on two cores: shows that everything works, and what the model begins to see",
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

#: Scores of real runs, a row for each preset, model, data set, source and metric.
EXPECTED_SCORES = Path(__file__).with_name("expected_scores.csv")


def preset_for(preset, model, dataset):
    """Returns what a preset means for a model and a built-in data set, without loading either.

    Args:
        preset: Name of a preset.
        model: Name of a model.
        dataset: Name of a built-in data set.

    Returns:
        Dictionary that `json.dump` takes: `purpose`, `settings`, `image_shape`; `options`, those of
        the model in proportion to the images and the length of the run, where weights stand beside
        a reconstruction term that is a sum over pixels; `expected`, see `expected_scores`; and
        `unavailable`, why the data set does not go with the preset, or `None`.

    Raises:
        UsageError: If a name is unknown.
    """
    if preset not in PRESETS:
        raise unknown_name("preset", preset, PRESETS)
    if model not in MODEL_CATALOGUE:
        raise unknown_name("model", model, MODEL_CATALOGUE)
    purpose, settings = PRESETS[preset]
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


def expected_scores(preset, model, dataset, table=None):
    """Returns the scores that runs of a preset had, with their spread over seeds.

    Args:
        preset: Name of a preset.
        model: Name of a model.
        dataset: Name of a built-in data set.
        table: A CSV file with the columns preset, model, dataset, source, metric, count, mean, std,
            low, high and measured; default `EXPECTED_SCORES`.

    Returns:
        List of dictionaries, empty where nothing was measured: `source` of the images, `metric`,
        `count` of seeds, `mean`, `std`, `low` and `high` as in
        `keras_devae.metrics.estimators.spread.Spread`, and `measured`, when and with what, in
        words.
    """
    with open(EXPECTED_SCORES if table is None else table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    wanted = {"preset": preset, "model": model, "dataset": dataset}
    return [
        {
            **{name: row[name] for name in ("source", "metric", "measured")},
            "count": int(row["count"]),
            **{name: float(row[name]) for name in ("mean", "std", "low", "high")},
        }
        for row in rows
        if all(row[name] == value for name, value in wanted.items())
    ]


def _unavailable(official, size):
    if official.renderer is not None:
        return None
    try:
        official.check_size(size)
    except UsageError as error:
        return str(error)
    return None
