"""What the active backend computes on."""

import contextlib
import functools
from typing import Any

from keras_devae.backend.choosing import EXPORTER, installed_backends
from keras_devae.backend.interface import active, backend_named
from keras_devae.process.machine import computes_bfloat16


@functools.cache
def has_accelerator() -> bool:
    """Tells whether the active backend computes on something faster than the CPU.

    Asked once: layers want to know it at every step that is not compiled.
    """
    return active().has_accelerator()


def accelerator_facts() -> tuple[str | None, int | None]:
    """Returns what computes in place of the CPU.

    Returns:
        The pair of its name and the peak of its memory so far, in MB; `(None, None)` where the
        active backend computes on the CPU.
    """
    if not has_accelerator():
        return None, None
    name, peak = active().accelerator_facts()
    return name or "accelerator", None if peak is None else round(peak / 1e6)


def device_memory() -> int | None:
    """Returns the bytes of memory of the first accelerator, or `None` if unknown."""
    return active().device_memory()


def compute_threads() -> int:
    """Returns with how many threads the active backend computes one operation on the CPU."""
    return active().compute_threads()


def computes_with_onednn() -> bool | None:
    """Tells whether the active backend computes on the CPU with oneDNN; `None` if unknown."""
    return active().computes_with_onednn()


def prefers_bfloat16() -> bool:
    """Tells whether the CPU trains faster in mixed bfloat16 than in float32, and as well.

    That was measured for TensorFlow on a processor with instructions for bfloat16. On JAX it is
    slower; for PyTorch the quality was not compared.
    """
    on_cpu = active().trains_well_in_bfloat16 and not has_accelerator()
    return on_cpu and computes_bfloat16() and bool(computes_with_onednn())


def on_cpu() -> contextlib.AbstractContextManager[Any]:
    """Returns a context manager that places what is made in it on the CPU.

    It does nothing where JAX was told to leave the CPU alone.
    """
    return active().on_cpu()


def reserve_accelerators() -> None:
    """Keeps the accelerators for the active backend.

    Keras imports an installed TensorFlow when it saves a model, and exports with it. Nothing
    happens where TensorFlow is active or missing, or once it has used an accelerator.
    """
    if EXPORTER in installed_backends() and active() is not backend_named(EXPORTER):
        backend_named(EXPORTER).hide_accelerators()
