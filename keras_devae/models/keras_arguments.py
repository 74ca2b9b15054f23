"""Checks the arguments of Keras methods; models that learn from images alone refuse some."""

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import keras

from keras_devae.checks import at_least, finite_at_least, flag, one_of, shown
from keras_devae.errors import UsageError, unknown_name

_Method = TypeVar("_Method", bound=Callable[..., Any])

#: Dtype policies that the networks may use; the latents and the loss are always float32.
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")

_REASONS = {
    "y": "The model learns from images alone, which are its targets too: it takes no labels",
    "sample_weight": "Sample weights are not supported: repeat the images instead",
    "class_weight": "The model has no classes to weight",
    "loss": "The model minimises an objective of its own, which its class and options choose",
    "loss_weights": "The weights of the loss's terms are options of the model's class",
    "metrics": (
        "`fit` shows every term of the loss by itself, and keras_devae.callbacks.MetricsCallback "
        "measures codes: there are no outputs and labels to compare"
    ),
}
_REASONS["weighted_metrics"] = _REASONS["metrics"]
#: Arguments of `compile` that have no meaning for these models.
IGNORED = ("loss", "loss_weights", "metrics", "weighted_metrics")


def refuses_unknown_arguments(method: _Method) -> _Method:
    """Makes a method raise a `UsageError`, not a `TypeError`, for unknown keywords."""
    names = [name for name in inspect.signature(method).parameters if name != "self"]

    @functools.wraps(method)
    def checked(self, *args, **kwargs):
        for name in kwargs:
            if name not in names:
                known = [name for name in names if not name.startswith("_")]
                raise unknown_name(f"argument of `{method.__name__}`", name, known)
        return method(self, *args, **kwargs)

    return checked  # type: ignore[return-value]  # It has the signature of the method.


def refuse(**given: Any) -> None:
    """Raises a `UsageError` for arguments that the model would ignore, unless they are empty."""
    for name, value in given.items():
        if value is None or (isinstance(value, (list, tuple, dict)) and not value):
            continue
        received = type(value).__name__ if hasattr(value, "shape") else shown(value)
        raise UsageError(f"{_REASONS[name]}. Leave `{name}` out. Received: {received}.")


def check_labels(labels: Any, sample_weight: Any, image_shape: tuple[int, ...]) -> None:
    """Refuses images or weights that follow a batch's images, and warns about labels."""
    refuse(sample_weight=sample_weight)
    if labels is None:
        return
    if tuple(getattr(labels, "shape", ())[1:]) == tuple(image_shape):
        refuse(y=labels)
    warnings.warn(
        "The batches hold labels after the images, which the model does not use.", stacklevel=3
    )


def validation_images(validation_data: Any) -> Any:
    """Returns the images in Keras's `validation_data`; refuses labels and weights."""
    if not isinstance(validation_data, tuple):
        return validation_data
    images, labels, weights = (*validation_data, None, None, None)[:3]
    refuse(y=labels, sample_weight=weights)
    return images


def callbacks_of(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Checks the `callbacks` argument of a Keras method and returns it as a list."""
    found = list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
    found = [callback for callback in found if callback is not None]
    kinds = (keras.callbacks.Callback, keras.callbacks.CallbackList)
    for callback in found:
        if not isinstance(callback, kinds):
            raise UsageError(
                "`callbacks` must be keras.callbacks.Callback objects. Received: "
                f"{shown(callback)}."
            )
    return found


def check_verbose(verbose: Any) -> None:
    """Raises a `UsageError` for anything but "auto", 0, 1 and 2."""
    is_number = isinstance(verbose, (bool, int)) and verbose in (0, 1, 2)
    if not is_number and not (isinstance(verbose, str) and verbose == "auto"):
        raise UsageError(f"`verbose` must be 'auto', 0, 1 or 2. Received: {shown(verbose)}.")


def check_counts(**counts: Any) -> None:
    """Checks numbers of images, batches or steps, each at least 1 or `None`.

    `validation_freq` may also be a list of epochs, which is left to Keras.
    """
    for name, value in counts.items():
        is_list = name == "validation_freq" and isinstance(value, (list, tuple))
        if value is not None and not is_list:
            at_least(name, value, 1)


def check_split(validation_split: Any, validation_data: Any, images: Any) -> None:
    """Checks `validation_split`, the share of an image array to hold out, from 0 to below 1."""
    share = finite_at_least("validation_split", validation_split or 0)
    if share >= 1:
        raise UsageError(f"`validation_split` must be below 1. Received: {share}.")
    if share and validation_data is not None:
        raise UsageError(
            "`validation_split` is ignored beside `validation_data`. Leave one of them out. "
            f"Received: validation_split={share}."
        )
    if share and not hasattr(images, "shape"):
        raise UsageError(
            "`validation_split` is for arrays of images. Pass those held out as "
            f"`validation_data`. Received: validation_split={share} with a "
            f"{type(images).__name__}."
        )
    if share and not 0 < int(len(images) * (1 - share)) < len(images):
        raise UsageError(
            "`validation_split` must leave at least one image on either side. Received: "
            f"validation_split={share} of {len(images)} images."
        )


def check_compile(steps_per_execution: Any, jit_compile: Any, run_eagerly: Any) -> None:
    """Checks the arguments that say how training is compiled."""
    at_least("steps_per_execution", steps_per_execution, 1)
    flag("run_eagerly", run_eagerly)
    is_auto = isinstance(jit_compile, str) and jit_compile == "auto"
    if not is_auto and not isinstance(jit_compile, bool):
        raise UsageError(f"`jit_compile` must be true, false or 'auto'. Received: {jit_compile!r}.")


def get_optimizer(optimizer: Any, name: str = "optimizer") -> keras.optimizers.Optimizer:
    """Turns a name or a configuration into an optimizer; refuses what Keras does not know."""
    known = isinstance(optimizer, (str, dict, keras.optimizers.Optimizer))
    try:
        return keras.optimizers.get(optimizer if known else "")
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"`{name}` must be a keras.optimizers.Optimizer or the name of one, such as 'adam'. "
            f"Received: {optimizer!r}."
        ) from error


def check_keras_settings(policy: Any = None) -> None:
    """Checks that images are channels-last, and that the dtype policy is one of `POLICIES`.

    `policy` is the model's dtype policy, its name or its configuration; `None` (default) means
    Keras's global one.
    """
    if keras.config.image_data_format() != "channels_last":
        raise UsageError(
            "The models take images (height, width, channels). Call "
            "keras.config.set_image_data_format('channels_last') first. Received: "
            f"{keras.config.image_data_format()!r}."
        )
    if keras.config.floatx() != "float32":
        raise UsageError(
            "The models compute in float32, or mixed with a half precision. Call "
            "keras.config.set_floatx('float32') first, and for the mixture "
            f"keras.config.set_dtype_policy. Received: {keras.config.floatx()!r}."
        )
    policy = keras.config.dtype_policy() if policy is None else policy
    if isinstance(policy, dict):
        policy = policy.get("config", {}).get("name")
    policy = getattr(policy, "name", policy)
    if not isinstance(policy, str) or policy not in POLICIES:
        raise UsageError(
            f"The models compute under the dtype policies {', '.join(POLICIES)}. Set one with "
            f"keras.config.set_dtype_policy. Received: {policy!r}."
        )


def check_option_names(model_class: type, options: dict[str, Any]) -> None:
    """Checks the argument names of a model's class, its bases and `keras.Model`."""
    known = {"name", "dtype", "trainable", *option_names(model_class)}
    for name in options:
        one_of(f"option of {model_class.__name__}", name, known)
    if not isinstance(options.get("name"), (str, type(None))):
        raise UsageError(f"`name` must be text. Received: {options['name']!r}.")
    flag("trainable", options.get("trainable", True))


def option_names(model_class: type) -> set[str]:
    """Returns the argument names of a model's class and of its bases in this package."""
    names: set[str] = set()
    for base in model_class.__mro__:
        if base.__module__.startswith("keras.") or "__init__" not in vars(base):
            continue
        parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
        names |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return names - {"self", "encoder", "decoder"}
