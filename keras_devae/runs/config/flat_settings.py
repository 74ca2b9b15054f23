"""Settings as users name them: those of the run and those of its model side by side."""

from keras_devae import data, metrics
from keras_devae.errors import unknown_name
from keras_devae.models.declarations import MODEL_CATALOGUE
from keras_devae.runs.config.presets import PRESETS
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.config.settings import declarations
from keras_devae.runs.tracking import check_tracked

_RUN_SETTINGS = tuple(name for name in declarations() if name != "model_options")
_MODEL_SETTINGS = frozenset(name for entry in MODEL_CATALOGUE.values() for name in entry.options)


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
    for name in others:
        if name not in _RUN_SETTINGS:
            raise unknown_name("setting", name, setting_names())
    start = PRESETS[preset][1] if preset is not None else {}
    config = RunConfig(**{**start, **others, "model_options": options})
    _check_labelled(config)
    return config


def default_name(config, preset=None):
    """Returns a name for a run: model, data set, preset and seed."""
    dataset = config.data.dataset.split(":")[0]
    parts = [config.model.name, dataset, preset, f"seed{config.training.seed}"]
    return "-".join(part for part in parts if part)


def without_defaults(config):
    """Returns the settings of a configuration that are not those of `RunConfig()`, a dictionary."""
    defaults = RunConfig().to_dict()
    return {name: value for name, value in config.to_dict().items() if value != defaults[name]}


def _check_labelled(config):
    labelled = data.has_factors(config.data.dataset, config.data.factors_file)
    if config.evaluation.metrics is not None:
        metrics.check_names(config.evaluation.metrics, labelled)
    check_tracked(config.evaluation.track, labelled)
