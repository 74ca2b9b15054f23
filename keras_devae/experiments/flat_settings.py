"""Settings as users name them: those of the run and those of its model side by side."""

import numbers
import types
import typing

from keras_devae import data, metrics
from keras_devae.errors import UsageError, unknown_name
from keras_devae.experiments.config import RunConfig
from keras_devae.experiments.model_catalogue import MODEL_CATALOGUE
from keras_devae.experiments.presets import PRESETS
from keras_devae.experiments.tracking import check_tracked

_RUN_SETTINGS = {
    name: kind for name, kind in typing.get_type_hints(RunConfig).items() if name != "model_options"
}
_MODEL_SETTINGS = frozenset(name for entry in MODEL_CATALOGUE.values() for name in entry.options)

_SIMPLE_KINDS = {
    str: (str, "a text"),
    bool: (bool, "true or false"),
    int: (numbers.Integral, "a whole number"),
    float: (numbers.Real, "a number"),
}


def setting_names():
    """Returns the names of all settings: `preset`, those of runs, and the options of all models."""
    return ("preset", *_RUN_SETTINGS, *sorted(_MODEL_SETTINGS))


def config_from_settings(settings):
    """Makes the configuration of a run from settings that stand side by side.

    Args:
        settings: Dictionary of the names of `RunConfig`'s attributes and of options of the model,
            and `preset`, the name of settings to start from, e.g.
            `{"model": "beta_vae", "beta": 4, "preset": "quick"}`.

    Returns:
        A `RunConfig`.

    Raises:
        UsageError: If a name is unknown, the model has no such option, a value is of the wrong
            kind or out of range, or a metric needs factors that the data set lacks.
    """
    preset = settings.get("preset")
    if preset is not None and not (isinstance(preset, str) and preset in PRESETS):
        raise unknown_name("preset", preset, PRESETS)
    options = {name: value for name, value in settings.items() if name in _MODEL_SETTINGS}
    others = {name: v for name, v in settings.items() if name not in ("preset", *options)}
    for name, value in others.items():
        _check_kind(name, value)
    start = PRESETS[preset][1] if preset is not None else {}
    config = RunConfig(**{**start, **others, "model_options": options})
    _check_labelled(config)
    return config


def default_name(config, preset=None):
    """Returns a name for a run: model, data set, preset and seed."""
    dataset = config.dataset.split(":")[0]
    parts = [config.model, dataset, preset, f"seed{config.seed}"]
    return "-".join(part for part in parts if part)


def without_defaults(config):
    """Returns the settings of a configuration that are not those of `RunConfig()`, a dictionary."""
    defaults = RunConfig().to_dict()
    return {name: value for name, value in config.to_dict().items() if value != defaults[name]}


def _check_labelled(config):
    labelled = data.has_factors(config.dataset, config.factors_file)
    if config.metrics is not None:
        metrics.check_names(config.metrics, labelled)
    check_tracked(config.track, labelled)


def _check_kind(name, value):
    if name not in _RUN_SETTINGS:
        raise unknown_name("setting", name, setting_names())
    if not _fits(value, _RUN_SETTINGS[name]):
        wanted = _description(_RUN_SETTINGS[name])
        raise UsageError(f"`{name}` must be {wanted}. Received: {value!r}.")


def _fits(value, kind):
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is tuple:
        return isinstance(value, (list, tuple)) and all(_fits(v, parts[0]) for v in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(v, parts[1]) for v in value.values())
    accepted = _SIMPLE_KINDS.get(kind, (kind, ""))[0]
    return isinstance(value, accepted) and (kind is bool or not isinstance(value, bool))


def _description(kind):
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_description(p) for p in parts if p is not types.NoneType)
    if origin is tuple:
        return "a list of texts" if parts[0] is str else "a list"
    return "a table" if origin is dict else _SIMPLE_KINDS[kind][1]
