"""What Keras takes beside images, and a model that learns from images alone does not."""

import inspect
import warnings
from typing import Any

import keras

from keras_devae.checks import at_least, finite_at_least, flag, one_of, shown
from keras_devae.errors import UsageError

#: Dtype policies under which the networks compute; the latents and the loss are float32 in each.
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")

_REASONS = {
    "y": "The model learns from images alone, which are its targets too: it takes no labels",
    "sample_weight": "Sample weights are not supported: repeat the images instead",
    "class_weight": "The model knows no classes to weight",
    "loss": "The model minimises an objective of its own, which its class and options choose",
    "loss_weights": "The weights of the loss's terms are options of the model's class",
    "metrics": (
        "`fit` shows every term of the loss by itself, and keras_devae.callbacks.MetricsCallback "
        "measures codes: there are no outputs and labels to compare"
    ),
}
_REASONS["weighted_metrics"] = _REASONS["metrics"]
#: Arguments of `compile` that say nothing to these models.
IGNORED = ("loss", "loss_weights", "metrics", "weighted_metrics")


def refuse(**given: Any) -> None:
    """Refuses what the model would otherwise ignore.

    Args:
        **given: Arguments of Keras's methods by name. `None` and empty lists say nothing.

    Raises:
        UsageError: At the first that says something.
    """
    for name, value in given.items():
        if value is None or (isinstance(value, (list, tuple, dict)) and not value):
            continue
        received = type(value).__name__ if hasattr(value, "shape") else shown(value)
        raise UsageError(f"{_REASONS[name]}. Leave `{name}` out. Received: {received}.")


def check_labels(labels: Any, sample_weight: Any, image_shape: tuple[int, ...]) -> None:
    """Checks what comes behind the images of a batch.

    Labels there are passed over with a warning, since data sets bring them along unasked; images
    are targets, which would be ignored.

    Args:
        labels: The second part of a batch, or `None`.
        sample_weight: The third part of a batch, or `None`.
        image_shape: The model's `(height, width, channels)`.

    Raises:
        UsageError: If they are images, or there are sample weights.
    """
    refuse(sample_weight=sample_weight)
    if labels is None:
        return
    if tuple(getattr(labels, "shape", ())[1:]) == tuple(image_shape):
        refuse(y=labels)
    warnings.warn(
        "The batches hold labels behind the images, which the model does not use.", stacklevel=3
    )


def held_out_images(validation_data: Any) -> Any:
    """Returns the images of what `fit` of Keras takes as `validation_data`.

    Raises:
        UsageError: If there are labels or sample weights beside them.
    """
    if not isinstance(validation_data, tuple):
        return validation_data
    images, labels, weights = (*validation_data, None, None, None)[:3]
    refuse(y=labels, sample_weight=weights)
    return images


def check_names(method: str, given: Any, known: tuple[str, ...]) -> None:
    """Raises a `UsageError` for an argument that a method of Keras's does not have."""
    for name in given:
        one_of(f"argument of `{method}`", name, known)


def check_callbacks(callbacks: Any) -> None:
    """Raises a `UsageError` unless all are callbacks of Keras."""
    kinds = (keras.callbacks.Callback, keras.callbacks.CallbackList)
    for callback in callbacks:
        if not isinstance(callback, kinds):
            raise UsageError(
                "`callbacks` must be keras.callbacks.Callback objects. Received: "
                f"{shown(callback)}."
            )


def check_verbose(verbose: Any) -> None:
    """Raises a `UsageError` for anything but "auto", 0, 1 and 2."""
    is_number = isinstance(verbose, (bool, int)) and verbose in (0, 1, 2)
    if not is_number and not (isinstance(verbose, str) and verbose == "auto"):
        raise UsageError(f"`verbose` must be 'auto', 0, 1 or 2. Received: {shown(verbose)}.")


def check_fit(batch_size: Any, epochs: Any, initial_epoch: Any, callbacks: Any, **steps: Any):
    """Checks the numbers and callbacks that `fit` takes.

    Raises:
        UsageError: If a number is not whole or too small, or a callback is none.
    """
    at_least("epochs", epochs, 0)
    at_least("initial_epoch", initial_epoch, 0)
    for name, value in {"batch_size": batch_size, **steps}.items():
        if value is not None:
            at_least(name, value, 1)
    check_callbacks(callbacks)


def check_split(validation_split: Any, validation_data: Any, images: Any) -> None:
    """Checks the share of the images that is held out.

    Raises:
        UsageError: If it is not at least 0 and below 1, or the images are not an array, or there
            are others for validation.
    """
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
    """Checks how training is compiled.

    Raises:
        UsageError: If a value is none that Keras knows.
    """
    at_least("steps_per_execution", steps_per_execution, 1)
    flag("run_eagerly", run_eagerly)
    is_auto = isinstance(jit_compile, str) and jit_compile == "auto"
    if not is_auto and not isinstance(jit_compile, bool):
        raise UsageError(f"`jit_compile` must be true, false or 'auto'. Received: {jit_compile!r}.")


def get_optimizer(optimizer: Any, name: str = "optimizer") -> keras.optimizers.Optimizer:
    """Turns a name or a configuration into an optimizer.

    Raises:
        UsageError: If Keras knows no such optimizer.
    """
    known = isinstance(optimizer, (str, dict, keras.optimizers.Optimizer))
    try:
        return keras.optimizers.get(optimizer if known else "")
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"`{name}` must be a keras.optimizers.Optimizer or the name of one, such as 'adam'. "
            f"Received: {optimizer!r}."
        ) from error


def check_settings(policy: Any = None) -> None:
    """Checks Keras's global settings, which the networks and the loss would not follow.

    Args:
        policy: The model's dtype policy, its name or its configuration; `None` (default) for
            Keras's global one.

    Raises:
        UsageError: If images are to come channels first, or numbers are not float32, alone or
            mixed with a half precision.
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


def check_options(model_class: type, options: dict[str, Any]) -> None:
    """Checks the names of a model's options.

    Args:
        model_class: The class.
        options: Arguments by name, of the class or of a base.

    Raises:
        UsageError: If one is unknown, with the close matches, or no argument for `keras.Model`.
    """
    known = {"name", "dtype", "trainable", *option_names(model_class)}
    for name in options:
        one_of(f"option of {model_class.__name__}", name, known)
    if not isinstance(options.get("name"), (str, type(None))):
        raise UsageError(f"`name` must be text. Received: {options['name']!r}.")
    flag("trainable", options.get("trainable", True))


def option_names(model_class: type) -> set[str]:
    """Returns the names of the arguments of a model's class and of its bases in this package."""
    names = set()
    for base in model_class.__mro__:
        if base.__module__.startswith("keras.") or "__init__" not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters.values()
        plain = (p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL))
        names |= {parameter.name for parameter in plain}
    return names - {"self", "encoder", "decoder", "controller"}
