"""Disentangled representation learning on images with Keras 3.

`import keras_devae` registers every model and layer with Keras, so that saved models load without
further ado. The command line is the exception, and so are the processes of a study: they answer
`--help` and choose the backend before any is imported, and so find this package's contents where
they first use them.
"""

import importlib
import os
import sys
import warnings

from keras_devae.models.declarations import MODEL_CATALOGUE
from keras_devae.process.startup import prepare_process, warn_if_slow
from keras_devae.version import __version__

prepare_process()

_SUBMODULES = (
    "backend",
    "callbacks",
    "comparison",
    "data",
    "errors",
    "evaluation",
    "explorer",
    "export",
    "figures",
    "input",
    "layers",
    "losses",
    "metrics",
    "models",
    "networks",
    "reports",
    "reproduction",
    "runs",
    "schedules",
    "studies",
)
_MODELS = tuple(declaration.class_name for declaration in MODEL_CATALOGUE.values())

#: Names of version 0.1.0 -> where their contents are now.
_FORMER = {
    "distribution": "backend.replicas",
    "encoding": "evaluation.encoding",
    "experiments": "runs",
    "latents": "evaluation.latents",
    "pictures": "figures.of_models",
    "pipeline": "input.batches",
}

__all__ = ["__version__", *_MODELS, *_SUBMODULES]


def __getattr__(name):
    if name in _MODELS:
        return getattr(importlib.import_module("keras_devae.models"), name)
    if name in _SUBMODULES:
        return importlib.import_module(f"keras_devae.{name}")
    if name in _FORMER:
        now = f"keras_devae.{_FORMER[name]}"
        warnings.warn(
            f"keras_devae.{name} is now {now}; the old name goes with the next version.",
            DeprecationWarning,
            stacklevel=2,
        )
        return importlib.import_module(now)
    raise AttributeError(f"module 'keras_devae' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)


_program = os.path.basename(sys.argv[0]) if sys.argv else ""
_is_command = _program in ("keras-devae", "keras-devae.exe", "keras-devae-script.py")
# While `python -m keras_devae.cli` looks for its module, Python's argv[0] is "-m".
_modules_run = ("keras_devae.cli", "keras_devae.studies.worker")
_is_command |= _program == "-m" and any(module in sys.orig_argv for module in _modules_run)
if not _is_command:
    # Registers every class with Keras.
    _ = importlib.import_module("keras_devae.models").MODELS
    warn_if_slow(importlib.import_module("keras_devae.backend").computes_with_onednn())
