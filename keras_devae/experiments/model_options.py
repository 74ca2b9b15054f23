"""What can be set of each model, known without importing Keras."""

import dataclasses
from collections.abc import Callable
from typing import Any

from keras_devae.checks import finite_at_least, pressures
from keras_devae.errors import unknown_name

NETWORK_NAMES = ("convolutional", "mlp")
LIKELIHOOD_NAMES = ("bernoulli", "gaussian")
_OBJECTIVES = ("sampled", "summed")


@dataclasses.dataclass(frozen=True)
class Option:
    """An option of a model.

    Attributes:
        default: Value where none is given, for 64x64 images.
        check: Takes the option's name and a value, returns the value or raises `UsageError`.
        per_pixel: Whether the default goes with the number of pixels: reconstruction is a sum over
            them, so that a weight of the KL term keeps its meaning only in proportion.
    """

    default: Any
    check: Callable[[str, Any], Any]
    per_pixel: bool = False


def _objective(name, value):
    if value not in _OBJECTIVES:
        raise unknown_name(name, value, _OBJECTIVES)
    return value


MODEL_OPTIONS = {
    "vae": {},
    "beta_vae": {"beta": Option(6.0, finite_at_least, per_pixel=True)},
    "devae": {
        "betas": Option((1.0, 10.0, 40.0), pressures, per_pixel=True),
        "objective": Option("sampled", _objective),
        "layer_weight_base": Option(1.0, finite_at_least),
    },
}


def check_options(model, options):
    """Checks the options of a model.

    Args:
        model: Name of the model.
        options: Dictionary of option names and values.

    Returns:
        The options with their values in standard form.

    Raises:
        UsageError: If a name is unknown or a value out of range.
    """
    if model not in MODEL_OPTIONS:
        raise unknown_name("model", model, MODEL_OPTIONS)
    known = MODEL_OPTIONS[model]
    for name in options:
        if name not in known:
            raise unknown_name(f"option of {model}", name, known)
    return {name: known[name].check(name, value) for name, value in options.items()}


def default_options(model, image_shape):
    """Returns the defaults of a model's options for images of some size.

    Args:
        model: Name of the model.
        image_shape: `(height, width, channels)`.

    Returns:
        Dictionary of option names and values. Weights of KL terms are the published ones for 64x64
        images, times the ratio of the numbers of pixels.
    """
    ratio = image_shape[0] * image_shape[1] / 64**2
    return {
        name: _scaled(option.default, ratio) if option.per_pixel else option.default
        for name, option in MODEL_OPTIONS[model].items()
    }


def _scaled(value, ratio):
    return tuple(ratio * v for v in value) if isinstance(value, tuple) else ratio * value
