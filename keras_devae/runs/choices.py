"""What a run leaves to the machine: how its steps are compiled, grouped and fed."""

import math

from keras_devae.backend import (
    chosen_backend,
    compiles_several_steps,
    compiles_with_xla,
    device_memory,
    has_accelerator,
    prefers_bfloat16,
    xla_calls_host,
)
from keras_devae.errors import UsageError
from keras_devae.input.resident import stored_shape
from keras_devae.models import MODELS
from keras_devae.models.declarations import MODEL_CATALOGUE
from keras_devae.runs.environment import computing_text, describe_computing

#: Most steps of one compiled call. A call's overhead is spread over them; a loss that is not finite
#: is noticed at its end.
MOST_STEPS_PER_EXECUTION = 100
#: Share of the device's memory that the images of a data set may take.
RESIDENT_SHARE = 0.25


def completed_config(config, dataset):
    """Fills in what depends on the backend and the device.

    On a CPU, every step is a call of its own, on batches from the host, without XLA where there is
    a choice; in bfloat16 where that is faster and as good, else in float32. On an accelerator,
    steps are compiled by XLA (on PyTorch not), in float16 where that is safe, up to
    `MOST_STEPS_PER_EXECUTION` in one call (on PyTorch one), and images lie on the device if they
    take at most `RESIDENT_SHARE` of its memory and the run sees each of them at least once.

    Args:
        config: A `RunConfig`, resolved for its data set.
        dataset: The data set.

    Returns:
        A `RunConfig` without open choices.

    Raises:
        UsageError: If the backend cannot run several steps at a time.
    """
    steps = config.compute.steps_per_execution
    if (steps or 1) > 1 and not compiles_several_steps():
        raise UsageError(f"On PyTorch `steps_per_execution` must be 1. Received: {steps}.")
    return config.replace(
        backend=chosen_backend(),
        mixed_precision=config.compute.mixed_precision or _precision(config),
        jit_compile=_compiles(config)
        if config.compute.jit_compile is None
        else config.compute.jit_compile,
        steps_per_execution=steps or _steps_per_execution(config),
        resident=_fits(config, dataset)
        if config.compute.resident is None
        else config.compute.resident,
    )


def describe_choices(config):
    """Says in one line how a run computes in this process, and on what.

    Args:
        config: A completed `RunConfig`.
    """
    precision = (
        "float32"
        if config.compute.mixed_precision == "off"
        else f"mixed {config.compute.mixed_precision}"
    )
    steps = config.compute.steps_per_execution
    choices = (
        "accelerator" if has_accelerator() else "CPU",
        precision,
        f"XLA {'on' if config.compute.jit_compile else 'off'}",
        f"{steps} step{'s' * (steps > 1)} a call",
        "images on the device" if config.compute.resident else "images from the host",
    )
    return f"{', '.join(choices)}; {computing_text(describe_computing())}"


def _precision(config):
    # What is fitted in one go is as exact as scikit-learn makes it.
    if MODEL_CATALOGUE[config.model.name].fitted:
        return "off"
    if has_accelerator():
        return "float16"
    return "bfloat16" if prefers_bfloat16() else "off"


def _compiles(config):
    """Tells whether XLA suits the backend, the device and the model."""
    calls_host = MODELS[config.model.name].calls_host
    return compiles_with_xla() and (xla_calls_host() or not calls_host)


def _steps_per_execution(config):
    """Returns the most steps in one call that end where something else is to happen."""
    if not (compiles_several_steps() and has_accelerator()):
        return 1
    tracked = (config.evaluation.track_every,) if config.evaluation.track else ()
    length = math.gcd(config.training.steps, config.training.checkpoint_every, *tracked)
    return max(n for n in range(1, MOST_STEPS_PER_EXECUTION + 1) if length % n == 0)


def _fits(config, dataset):
    """Tells whether keeping the images on the device is possible and worth the while."""
    memory = device_memory() if has_accelerator() else None
    # Several devices take parts of batches of images.
    if memory is None or config.compute.distribute or MODEL_CATALOGUE[config.model.name].fitted:
        return False
    size = math.prod(stored_shape(dataset, dataset.image_shape))
    return (
        size <= RESIDENT_SHARE * memory
        and config.training.steps * config.training.batch_size >= len(dataset)
    )
