"""Disentangled representation learning on images with Keras 3.

`import keras_devae` imports no backend. Every model and layer is registered with Keras as soon as
both are imported, in either order, so that `keras.models.load_model` loads saved models with no
further step.
"""

import importlib
import sys
from typing import Any

from keras_devae.backend.starting import enable_onednn, is_started, warn_if_slow
from keras_devae.process.allocator import allocator
from keras_devae.process.imports import CallOnceImported, FormerModule, warn_of_former_name
from keras_devae.version import __version__ as __version__

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
    "presets",
    "reports",
    "reproduction",
    "runs",
    "schedules",
    "studies",
    "suggestions",
)
#: Name of a module in version 0.1.0 -> its present name.
_FORMER = {
    "distribution": "backend.replicas",
    "encoding": "evaluation.encoding",
    "experiments": "runs",
    "experiments.benchmark": "runs.benchmark",
    "experiments.report": "reports",
    "experiments.reproduction": "reproduction",
    "experiments.studies": "studies",
    "latents": "evaluation.latents",
    "pictures": "figures.of_models",
    "pipeline": "input.batches",
}


def _models() -> list[str]:
    # Imported on demand, to keep the package's import fast.
    catalogue = importlib.import_module("keras_devae.models.catalogue").MODEL_CATALOGUE
    return [declaration.class_name for declaration in catalogue.values()]


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return ["__version__", *_models(), *_SUBMODULES]
    if name in _SUBMODULES:
        return importlib.import_module(f"keras_devae.{name}")
    if not name.startswith("_") and name in _models():
        return getattr(importlib.import_module("keras_devae.models"), name)
    if name in _FORMER:
        present = f"keras_devae.{_FORMER[name]}"
        warn_of_former_name(f"keras_devae.{name}", present)
        return importlib.import_module(present)
    raise AttributeError(f"module 'keras_devae' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__getattr__("__all__"))


def _register_models() -> None:
    """Imports all models, which registers them and their layers with Keras."""
    _ = importlib.import_module("keras_devae.models").MODELS


for _former, _present in _FORMER.items():
    sys.modules[f"keras_devae.{_former}"] = FormerModule(
        f"keras_devae.{_former}", f"keras_devae.{_present}"
    )
enable_onednn()
allocator()
if is_started():
    _register_models()
    warn_if_slow(importlib.import_module("keras_devae.backend").computes_with_onednn())
else:
    CallOnceImported("keras", "keras_devae", _register_models)
