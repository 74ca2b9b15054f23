"""The devices that the active backend computes on."""

import contextlib
import functools
from typing import Any

from keras_devae.backend.choosing import EXPORTER, installed_backends
from keras_devae.backend.interface import active, backend_named
from keras_devae.process.machine import computes_bfloat16


@functools.cache
def has_accelerator() -> bool:
    """Tells whether the active backend computes on something faster than the CPU.

    Cached, as layers ask at every step that is not compiled.
    """
    return active().has_accelerator()


def accelerator_facts() -> tuple[str | None, int | None]:
    """Returns the accelerator's name and its peak memory use so far, in MB, each `None` if unknown.

    Both are `None` if the active backend computes on the CPU.
    """
    if not has_accelerator():
        return None, None
    name, peak = active().accelerator_facts()
    return name or "accelerator", None if peak is None else round(peak / 1e6)


def device_memory() -> int | None:
    """Returns the memory of the first accelerator in bytes, or `None` if unknown."""
    return active().device_memory()


def compute_threads() -> int:
    """Returns the number of threads that compute one operation on the CPU."""
    return active().compute_threads()


def computes_with_onednn() -> bool | None:
    """Tells whether the active backend computes on the CPU with oneDNN; `None` if unknown."""
    return active().computes_with_onednn()


def prefers_bfloat16() -> bool:
    """Tells whether the CPU trains faster in mixed bfloat16 than in float32, and as well.

    This was measured for TensorFlow on a processor with bfloat16 instructions. JAX is slower in
    bfloat16; for PyTorch the quality was not compared.
    """
    on_cpu = active().trains_well_in_bfloat16 and not has_accelerator()
    return on_cpu and computes_bfloat16() and bool(computes_with_onednn())


def on_cpu() -> contextlib.AbstractContextManager[Any]:
    """Returns a context manager that places tensors and variables created in it on the CPU.

    It does nothing if JAX was told not to use the CPU.
    """
    return active().on_cpu()


def reserve_accelerators() -> None:
    """Keeps the accelerators for the active backend.

    Keras imports TensorFlow, if installed, when it saves or exports a model. This does nothing if
    TensorFlow is active or missing, or has already used an accelerator.
    """
    if EXPORTER in installed_backends() and active() is not backend_named(EXPORTER):
        backend_named(EXPORTER).hide_accelerators()
