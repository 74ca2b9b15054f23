"""The software and the machine that a run uses."""

import os
import platform
from collections.abc import Mapping
from typing import Any

from keras_devae.backend import (
    BACKENDS,
    accelerator_facts,
    compute_threads,
    computes_with_onednn,
    has_accelerator,
    installed_backends,
)
from keras_devae.process.allocator import allocator
from keras_devae.process.machine import (
    installed_versions,
    instruction_sets,
    onednn_limit,
    processor_name,
    total_memory,
    usable_cores,
)
from keras_devae.version import __version__


def describe_environment() -> dict[str, Any]:
    """Returns versions, backend and machine as a JSON-serializable dictionary."""
    # Imported late, as reading what other runs used needs no backend.
    import keras

    packages = ("keras", *BACKENDS.values(), "numpy", "h5py", "scikit-learn", "matplotlib")
    return {
        "keras_devae": __version__,
        "backend": keras.backend.backend(),
        "device": "accelerator" if has_accelerator() else "cpu",
        **describe_computing(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": installed_versions(packages),
    }


def describe_machine() -> dict[str, Any]:
    """Returns processor, cores, load, memory and versions as a JSON-serializable dictionary.

    It imports no backend. Only cores that this process may use count; the load is the mean number
    of processes ready to run over the last minute.
    """
    packages = ("keras", "numpy", *(BACKENDS[name] for name in installed_backends()))
    return {
        **_describe_processor(),
        "cores": usable_cores(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "memory_megabytes": total_memory(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": {"keras_devae": __version__, **installed_versions(packages)},
    }


def describe_computing() -> dict[str, Any]:
    """Returns what determines this process's speed, as a JSON-serializable dictionary.

    Its keys are `processor`; `instruction_sets`, a list; `onednn`, whether the backend uses oneDNN,
    and `onednn_limit`, the newest instruction set that it may use, each `None` if unknown or not
    set; `threads`; `allocator`, in words; and `accelerator`, its name or `None`.
    """
    return {
        **_describe_processor(),
        "onednn": computes_with_onednn(),
        "threads": compute_threads(),
        "accelerator": accelerator_facts()[0],
    }


def _describe_processor():
    return {
        "processor": processor_name(),
        "instruction_sets": list(instruction_sets()),
        "onednn_limit": onednn_limit(),
        "allocator": allocator(),
    }


def computing_text(computing: Mapping[str, Any]) -> str:
    """Describes in words what `describe_computing` returned, leaving out what is missing."""
    if computing.get("accelerator"):
        return computing["accelerator"]
    threads = computing.get("threads")
    onednn = onednn_text(computing)
    parts = [
        _processor_text(computing),
        threads and f"{threads} thread{'s' * (threads > 1)}",
        onednn and f"oneDNN {onednn}",
        computing.get("allocator") and f"allocator: {computing['allocator']}",
    ]
    return "; ".join(part for part in parts if part)


def _processor_text(computing):
    sets = ", ".join(computing.get("instruction_sets") or ())
    return " with ".join(filter(None, (computing.get("processor"), sets)))


def precision_text(mixed_precision: str | None) -> str:
    """Describes the setting `mixed_precision` of a run in words."""
    return "float32" if mixed_precision in (None, "off") else f"mixed {mixed_precision}"


def onednn_text(computing: Mapping[str, Any]) -> str | None:
    """Returns `"on"` or `"off"` for oneDNN, and its newest instruction set if that is limited.

    Returns `None` if this is unknown or the backend does not use oneDNN.
    """
    if computing.get("onednn") is None:
        return None
    limit = computing.get("onednn_limit")
    up_to = f" up to {limit}" if limit else ""
    return f"on{up_to}" if computing["onednn"] else "off"


def environment_text(environment: Mapping[str, Any]) -> str:
    """Describes in words what `describe_environment` returned, leaving out what is missing."""
    packages, backend = environment.get("packages", {}), environment.get("backend")
    parts = [
        f"Keras {packages.get('keras')} on {backend} {packages.get(backend)}",
        f"Python {environment.get('python')}",
        environment.get("accelerator") or _processor_text(environment) or environment.get("device"),
        environment.get("platform"),
    ]
    return ", ".join(part for part in parts if part)
