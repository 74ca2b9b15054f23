"""Chooses Keras's backend before Keras is imported."""

import importlib.util
import os
import sys
from pathlib import Path

from keras_devae.errors import UsageError, unknown_name

#: Name of a Keras backend -> package that provides it, in order of preference on a CPU.
BACKENDS = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}

#: The backend that Keras saves and exports models with, whichever is active.
EXPORTER = "tensorflow"
#: Environment variables that keep a process from taking all of a GPU's memory for itself.
SHARED_MEMORY = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}


def installed_backends() -> list[str]:
    """Returns the names of the backends that can be imported here, without importing them."""
    return [name for name in BACKENDS if importlib.util.find_spec(name) is not None]


def select_backend(name: str | None = None) -> None:
    """Chooses Keras's backend for this process, before Keras is imported.

    Args:
        name: `"tensorflow"`, `"jax"` or `"torch"`. It takes precedence over the environment
            variable `KERAS_BACKEND`, which takes precedence over Keras's configuration file. If
            none names one (`name` is `None` by default), the first installed of the three is used.

    Raises:
        UsageError: If the backend is unknown or not installed, or if Keras is already imported with
            another one.
    """
    chosen = name or _default_backend()
    if chosen not in BACKENDS:
        raise unknown_name("backend", chosen, BACKENDS)
    if chosen not in installed_backends():
        raise UsageError(
            f"The backend {chosen!r} is not installed here. "
            f"Install it with `pip install {BACKENDS[chosen]}`, or choose one of: "
            f"{', '.join(installed_backends()) or 'none is installed'}."
        )
    if "keras" in sys.modules and chosen_backend() != chosen:
        raise UsageError(
            f"Keras is already imported with the backend {chosen_backend()!r} and cannot change to "
            f"{chosen!r}. Set KERAS_BACKEND={chosen} before Keras is imported."
        )
    os.environ["KERAS_BACKEND"] = chosen


def preferred_backend(name: str | None = None, configured: str | None = None) -> str | None:
    """Returns the backend to pass to `select_backend`, `None` for its default.

    Args:
        name: The backend that the user asks for, or `None`; takes precedence over `KERAS_BACKEND`.
        configured: A run's backend, used if it is installed and neither of those names one.
    """
    named = name or os.environ.get("KERAS_BACKEND")
    return named or (configured if configured in installed_backends() else None)


def chosen_backend() -> str:
    """Returns the name of the backend: Keras's once it is imported, else the chosen one."""
    if "keras" in sys.modules:
        return sys.modules["keras"].backend.backend()
    return _default_backend()


def _default_backend() -> str:
    named = os.environ.get("KERAS_BACKEND") or _configured_backend()
    return named or next(iter(installed_backends()), "tensorflow")


def _configured_backend() -> str | None:
    """Returns the backend that Keras's configuration file names, or `None`."""
    import json

    home = os.environ.get("KERAS_HOME", os.path.join(os.path.expanduser("~"), ".keras"))
    try:
        return json.loads(Path(home, "keras.json").read_text(encoding="utf-8")).get("backend")
    except (OSError, ValueError):
        return None
