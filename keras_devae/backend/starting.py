"""Starts a process's backend: fast, quietly and, if asked to, deterministically."""

import os
import sys
import warnings

from keras_devae.process.machine import instruction_sets

#: Environment variable that tells TensorFlow whether to compute with oneDNN.
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
_DETERMINISTIC_XLA = "--xla_gpu_deterministic_ops=true"


def enable_onednn() -> None:
    """Turns on TensorFlow's oneDNN where it is faster, unless the environment says otherwise.

    TensorFlow leaves oneDNN off on processors with AVX2 but no newer instructions, and runs the
    networks there at less than half their speed. Once TensorFlow is imported it is too late;
    `warn_if_slow` says so after Keras is imported. Losses change only by rounding, as they do
    between processors.
    """
    if "AVX2" in instruction_sets() and "tensorflow" not in sys.modules:
        os.environ.setdefault(ONEDNN, "1")


def is_started() -> bool:
    """Tells whether Keras or TensorFlow is already imported."""
    return not {"keras", "tensorflow"}.isdisjoint(sys.modules)


def warn_if_slow(uses_onednn: bool | None) -> None:
    """Warns if TensorFlow was imported too early for oneDNN to be turned on.

    `uses_onednn` says whether TensorFlow uses it; `None` if unknown.
    """
    if uses_onednn is False and ONEDNN not in os.environ and "AVX2" in instruction_sets():
        warnings.warn(
            "TensorFlow was imported before keras_devae and computes without oneDNN, at less than "
            "half its speed on this processor. Import keras_devae first, or set "
            f"{ONEDNN}=1 in the environment.",
            # Points to the line that imports this package.
            stacklevel=3,
        )


def start_backend(
    name: str | None = None, configured: str | None = None, deterministic: bool = False
) -> None:
    """Chooses Keras's backend and imports Keras with it, without start-up notices.

    Args:
        name: See `select_backend`.
        configured: Backend to use if it is installed and neither `name` nor `KERAS_BACKEND` names
            one, e.g. a run's backend; default `None`.
        deterministic: Whether every later computation in this process must be reproducible to the
            bit; default false. Random operations then need a seed.

    Raises:
        UsageError: See `select_backend`.
    """
    # Imported here to keep the package's own import fast.
    from keras_devae.backend.choosing import preferred_backend, select_backend
    from keras_devae.backend.interface import active

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if deterministic:
        # Both are read when the GPU is first used: XLA's flags by JAX, the other by PyTorch.
        flags = os.environ.get("XLA_FLAGS", "")
        if _DETERMINISTIC_XLA not in flags:
            os.environ["XLA_FLAGS"] = f"{flags} {_DETERMINISTIC_XLA}".strip()
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    select_backend(preferred_backend(name, configured))
    _import_quietly()
    if deterministic:
        active().use_deterministic_operations()


def _import_quietly() -> None:
    """Imports Keras with its backend, without the notices that TensorFlow's libraries print.

    They write to the standard error from C++, which no setting turns off. Errors are still raised.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    try:
        import keras  # noqa: F401

        from keras_devae.backend.devices import has_accelerator

        has_accelerator()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silence)
