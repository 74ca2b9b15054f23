"""Settings as users give them: the run's and its model's side by side."""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_devae import data
from keras_devae.checks import one_of
from keras_devae.errors import UsageError
from keras_devae.models.catalogue import MODEL_CATALOGUE, training_of
from keras_devae.runs.config.forms import declarations
from keras_devae.runs.config.presets import PRESETS
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.tracking import check_measured

#: Most characters of a file's name in the name of a run.
_LABEL_LENGTH = 80
_MODEL_SETTINGS = frozenset(name for entry in MODEL_CATALOGUE.values() for name in entry.options)


def setting_names() -> tuple[str, ...]:
    """Returns the names of all settings: `preset`, the runs' own, and the options of all models."""
    of_runs = (name for name in declarations() if name != "model_options")
    return ("preset", *of_runs, *sorted(_MODEL_SETTINGS))


def config_from_settings(settings: Mapping[str, Any]) -> RunConfig:
    """Makes a configuration from settings of run and model, and `preset`, that stand side by side.

    For example `{"model": "beta_vae", "beta": 4, "preset": "quick"}`. It raises a `UsageError` for
    what `RunConfig` refuses, an unknown option, and a metric that needs missing factors.
    """
    known = setting_names()
    given = {one_of("setting", name, known): value for name, value in settings.items()}
    preset = given.pop("preset", None)
    start = {} if preset is None else dict(PRESETS[one_of("preset", preset, PRESETS)][1])
    for name in training_of(given.get("model")):
        start.pop(name, None)
    if given.get("epochs") is not None:
        if given.get("steps") is not None:
            raise UsageError(
                "`steps` and `epochs` are two ways to state the length of a run: leave one of them "
                f"out. Received: steps={given['steps']}, epochs={given['epochs']}."
            )
        start.pop("steps", None)
    options = {name: given.pop(name) for name in list(given) if name in _MODEL_SETTINGS}
    config = RunConfig(**{**start, **given, "model_options": options})
    source = config.data
    labelled = data.has_factors(source.dataset, source.factors_file, source.sequence_column)
    check_measured(config.evaluation, MODEL_CATALOGUE[config.model.name], labelled)
    return config


def default_name(config: RunConfig, preset: str | None = None) -> str:
    """Returns a name for a run: model, data set, preset and seed."""
    dataset = dataset_label(config.data.dataset)
    parts = [config.model.name, dataset, preset, f"seed{config.training.seed}"]
    return "-".join(part for part in parts if part)


def dataset_label(dataset: str) -> str:
    """Returns a data set's name for use in names of folders: your own have their file's name.

    Characters that the name of a run cannot have become dashes; if none is left, the kind remains.
    """
    kind, _, path = dataset.partition(":")
    if not path:
        return kind
    place = Path(path).expanduser().resolve()
    name = place.name if kind == "folder" else place.stem
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^\w.]+", "-", plain).strip("-._")[:_LABEL_LENGTH] or kind


def without_defaults(config: RunConfig) -> dict[str, Any]:
    """Returns the settings that differ from their defaults, by name."""
    defaults = RunConfig().to_dict()
    return {name: value for name, value in config.to_dict().items() if value != defaults[name]}
