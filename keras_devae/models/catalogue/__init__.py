"""Declares all models and their options, in one place and without importing Keras.

Classes, the command line and its help, scaled defaults and `keras_devae.models` all read this.
"""

from collections.abc import Mapping
from typing import Any

from keras_devae.errors import unknown_name
from keras_devae.models.catalogue.devaes import DEVAES
from keras_devae.models.catalogue.others import OTHERS
from keras_devae.models.catalogue.variational import VARIATIONAL
from keras_devae.models.declarations import scaling_factors

#: Name on the command line, which is also the name of the model's module -> `ModelDeclaration`.
MODEL_CATALOGUE = dict(sorted({**DEVAES, **VARIATIONAL, **OTHERS}.items()))


def check_options(model: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a model's options in standard form; raises a `UsageError` for a wrong one."""
    if model not in MODEL_CATALOGUE:
        raise unknown_name("model", model, MODEL_CATALOGUE)
    declaration = MODEL_CATALOGUE[model]
    for name in options:
        if name not in declaration.options:
            raise unknown_name(f"option of {model}", name, declaration.options)
    checked = {name: declaration.options[name].check(name, v) for name, v in options.items()}
    declaration.check_together(checked)
    return checked


def training_of(model: Any, optimizer: Any = None) -> dict[str, Any]:
    """Returns the settings of a run that belong to a model's method; none for an unknown name.

    If the user has named an optimizer, `beta_1` is left to that.
    """
    entry = MODEL_CATALOGUE.get(model) if isinstance(model, str) else None
    settings = {} if entry is None else dict(entry.training)
    if optimizer is not None:
        settings.pop("beta_1", None)
    return settings


def default_options(model: str, image_shape: tuple[int, ...], steps: int) -> dict[str, Any]:
    """Returns a model's published defaults, scaled to the image size and the run's length."""
    factors = scaling_factors(image_shape, steps)
    options = MODEL_CATALOGUE[model].options
    return {name: option.scaled_default(factors) for name, option in options.items()}
