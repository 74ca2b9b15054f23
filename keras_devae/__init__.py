"""Disentangled representation learning on images with Keras 3.

`import keras_devae` registers every model and layer with Keras, so that saved models load without
further ado. The command line is the exception, and so are the processes of a study: they answer
`--help` and choose the backend before any is imported, and so find this package's contents where
they first use them.
"""

import importlib
import os
import sys

from keras_devae.startup import prepare_process, warn_if_slow
from keras_devae.version import __version__

prepare_process()

_SUBMODULES = (
    "backend",
    "callbacks",
    "data",
    "distribution",
    "encoding",
    "errors",
    "evaluation",
    "experiments",
    "explorer",
    "export",
    "figures",
    "latents",
    "layers",
    "losses",
    "metrics",
    "models",
    "networks",
    "pictures",
    "pipeline",
    "schedules",
)
_MODELS = (
    "DEFT",
    "DIPVAE",
    "ICA",
    "PCA",
    "VAE",
    "AnnealedVAE",
    "BetaTCVAE",
    "BetaVAE",
    "CascadeVAE",
    "CascadeVAEC",
    "ControlVAE",
    "DeVAE",
    "DeVAELinear",
    "DeVAEParallel",
    "DeVAESingle",
    "DynamicVAE",
    "FactorVAE",
    "JointVAE",
)

__all__ = ["__version__", *_MODELS, *_SUBMODULES]


def __getattr__(name):
    if name in _MODELS:
        return getattr(importlib.import_module("keras_devae.models"), name)
    if name in _SUBMODULES:
        return importlib.import_module(f"keras_devae.{name}")
    raise AttributeError(f"module 'keras_devae' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)


_program = os.path.basename(sys.argv[0]) if sys.argv else ""
_is_command = _program in ("keras-devae", "keras-devae.exe", "keras-devae-script.py")
# While `python -m keras_devae.cli` looks for its module, Python's argv[0] is "-m".
_modules_run = ("keras_devae.cli", "keras_devae.experiments.studies.worker")
_is_command |= _program == "-m" and any(module in sys.orig_argv for module in _modules_run)
if not _is_command:
    importlib.import_module("keras_devae.models")
    warn_if_slow(importlib.import_module("keras_devae.backend").computes_with_onednn())
