"""Keras's backends: which one is active, what it can do, and training on several devices.

Only this package names TensorFlow, JAX and PyTorch. Each is imported only on first use, and so are
the names here.
"""

from keras_devae.process.imports import lazy_names

#: Name -> the module that holds it.
_MODULES = {
    "BACKENDS": "choosing",
    "accelerator_facts": "devices",
    "chosen_backend": "choosing",
    "compiles_several_steps": "compilation",
    "compiles_with_xla": "compilation",
    "compute_threads": "devices",
    "computed_first": "compilation",
    "computes_with_onednn": "devices",
    "data_parallel": "replicas",
    "device_memory": "devices",
    "differentiated_as": "compilation",
    "has_accelerator": "devices",
    "installed_backends": "choosing",
    "join_steps": "compilation",
    "on_cpu": "devices",
    "on_host": "compilation",
    "preferred_backend": "choosing",
    "prefers_bfloat16": "devices",
    "reserve_accelerators": "devices",
    "select_backend": "choosing",
    "start_backend": "starting",
    "steps_in_one_call": "compilation",
    "take_rows": "compilation",
    "without_file_notices": "compilation",
    "without_tracing_advice": "compilation",
    "xla_calls_host": "compilation",
}

__all__ = list(_MODULES)


__getattr__, __dir__ = lazy_names(__name__, _MODULES)
