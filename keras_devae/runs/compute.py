"""Chooses how a run computes its steps: precision, compilation and devices."""

import math

from keras_devae.backend import (
    chosen_backend,
    compiles_several_steps,
    compiles_with_xla,
    device_memory,
    has_accelerator,
    prefers_bfloat16,
    replicas,
    xla_calls_host,
)
from keras_devae.data import Dataset
from keras_devae.errors import UsageError
from keras_devae.input.resident import stored_shape
from keras_devae.models import MODELS
from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.environment import computing_text, describe_computing, precision_text

#: Maximum number of steps per compiled call. Its overhead is spread over them, but a loss that is
#: not finite is noticed only at its end.
MOST_STEPS_PER_EXECUTION = 100
#: Largest fraction of the device's memory that a data set's images may take.
RESIDENT_SHARE = 0.25


def completed_config(config: RunConfig, dataset: Dataset) -> RunConfig:
    """Fills in the settings of a resolved configuration that depend on backend and device.

    On a CPU, each call runs one step on a batch from the host, without XLA if possible, in bfloat16
    if that is faster and trains as well, else in float32. On an accelerator, XLA compiles the steps
    (except on PyTorch), in float16 if that is safe, up to `MOST_STEPS_PER_EXECUTION` per call (one
    on PyTorch). Images are kept on the device if they take at most `RESIDENT_SHARE` of its memory
    and the run sees each at least once. On several devices, TensorFlow gets the settings it
    supports there.

    Raises:
        UsageError: If the backend cannot run several steps per call.
    """
    config = _with_supported_distribution(config)
    asked = config.compute
    steps = asked.steps_per_execution
    if (steps or 1) > 1 and not compiles_several_steps():
        raise UsageError(f"On PyTorch `steps_per_execution` must be 1. Received: {steps}.")
    return config.replace(
        backend=chosen_backend(),
        mixed_precision=asked.mixed_precision or _precision(config),
        jit_compile=_compiles(config) if asked.jit_compile is None else asked.jit_compile,
        steps_per_execution=steps or _steps_per_execution(config),
        resident=_fits(config, dataset) if asked.resident is None else asked.resident,
    )


def _with_supported_distribution(config):
    """Fills in the only settings that `check_distribution` allows if devices split batches."""
    asked = config.compute
    with replicas.scope(asked.distribute) as devices:
        if devices == 1 or not replicas.splits_batches():
            return config
    return config.replace(
        jit_compile=bool(asked.jit_compile),
        mixed_precision=asked.mixed_precision or "off",
        steps_per_execution=asked.steps_per_execution or 1,
        resident=bool(asked.resident),
    )


def describe_compute(config: RunConfig) -> str:
    """Describes in one line how a run with a completed configuration computes in this process."""
    compute = config.compute
    steps = compute.steps_per_execution or 1
    parts = (
        "accelerator" if has_accelerator() else "CPU",
        precision_text(compute.mixed_precision),
        f"XLA {'on' if compute.jit_compile else 'off'}",
        f"{steps} step{'s' * (steps > 1)} per call",
        "images on the device" if compute.resident else "images from the host",
    )
    return f"{', '.join(parts)}; {computing_text(describe_computing())}"


def _precision(config):
    # Models that are fitted in one go have scikit-learn's precision.
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
    """Returns the most steps per call such that checkpoints and measurements fall at call ends."""
    if not (compiles_several_steps() and has_accelerator()):
        return 1
    tracked = (config.evaluation.track_every,) if config.evaluation.track else ()
    length = math.gcd(config.training.steps, config.training.checkpoint_every, *tracked)
    return max(n for n in range(1, MOST_STEPS_PER_EXECUTION + 1) if length % n == 0)


def _fits(config, dataset):
    """Tells whether keeping the images on the device is possible and worthwhile."""
    memory = device_memory() if has_accelerator() else None
    # Several devices divide batches of images among them.
    if memory is None or config.compute.distribute or MODEL_CATALOGUE[config.model.name].fitted:
        return False
    size = math.prod(stored_shape(dataset, dataset.image_shape))
    seen = config.training.steps * config.training.batch_size
    return size <= RESIDENT_SHARE * memory and seen >= len(dataset)
