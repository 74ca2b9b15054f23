"""The key of a run: a hash of its configuration, by which finished runs are recognised."""

import hashlib
import json
from typing import Any

from keras_devae.runs.config.flat_settings import without_defaults
from keras_devae.runs.config.run_config import RunConfig

#: Digits of the key in the name of a run.
KEY_DIGITS = 12


def run_key(config: RunConfig) -> str:
    """Returns the key of a configuration, not resolved for its data set: 64 hexadecimal digits.

    It is the SHA-256 of the settings that differ from the defaults, as JSON with sorted keys and
    absolute paths. So it depends neither on how a file states a value (1 or 1.0, TOML or YAML) nor
    on settings that a later version adds.

    Every setting but `data_dir` counts, including the evaluation's: with other `metrics`, it is
    a different run and is trained again. The backend counts if the configuration names it, but not
    if only the command line or `KERAS_BACKEND` does.
    """
    settings = without_defaults(config.with_absolute_paths().replace(data_dir=None))
    text = json.dumps(_plain(settings), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def run_name(config: RunConfig, key: str) -> str:
    """Returns the name of a run: its model, data set and seed, and the first digits of its key.

    Of your own images the name has the kind alone, as finished studies have it.
    """
    dataset = config.data.dataset.partition(":")[0]
    return f"{config.model.name}-{dataset}-seed{config.training.seed}-{key[:KEY_DIGITS]}"


def _plain(value: Any) -> Any:
    """Returns a value with equal numbers written alike, and tuples as lists."""
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
