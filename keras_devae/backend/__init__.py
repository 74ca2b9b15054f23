"""Keras's backends: which one is active, what it can do, and training on several devices.

Only this package names TensorFlow, JAX and PyTorch. None of them is imported before it is used.
"""

from keras_devae.backend.choosing import (
    BACKENDS,
    chosen_backend,
    installed_backends,
    preferred_backend,
    select_backend,
)
from keras_devae.backend.compilation import (
    compiles_several_steps,
    compiles_with_xla,
    computed_first,
    differentiated_as,
    on_host,
    steps_in_one_call,
    take_rows,
    xla_calls_host,
)
from keras_devae.backend.devices import (
    accelerator_facts,
    compute_threads,
    computes_with_onednn,
    device_memory,
    has_accelerator,
    on_cpu,
    prefers_bfloat16,
    reserve_accelerators,
)
from keras_devae.backend.replicas import data_parallel
from keras_devae.backend.starting import start_backend

__all__ = [
    "BACKENDS",
    "accelerator_facts",
    "chosen_backend",
    "compiles_several_steps",
    "compiles_with_xla",
    "compute_threads",
    "computed_first",
    "computes_with_onednn",
    "data_parallel",
    "device_memory",
    "differentiated_as",
    "has_accelerator",
    "installed_backends",
    "on_cpu",
    "on_host",
    "preferred_backend",
    "prefers_bfloat16",
    "reserve_accelerators",
    "select_backend",
    "start_backend",
    "steps_in_one_call",
    "take_rows",
    "xla_calls_host",
]
