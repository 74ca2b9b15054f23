"""The models: one file per method, each holding only that method's objective.

Each class, and with it Keras, is imported on first access.
"""

import importlib
from typing import Any

from keras_devae.models.declarations import MODEL_CATALOGUE

#: Class -> its module; a model's module is named as the model is on the command line.
_MODULES = {
    **{declaration.class_name: name for name, declaration in MODEL_CATALOGUE.items()},
    "LossTerms": "loss_terms",
    "TrainingGuard": "training_callbacks",
}

__all__ = ["MODELS", *_MODULES]


def __getattr__(name: str) -> Any:
    if name == "MODELS":
        # Name on the command line -> class.
        models = {key: __getattr__(entry.class_name) for key, entry in MODEL_CATALOGUE.items()}
        globals()["MODELS"] = models
        return models
    if name not in _MODULES:
        raise AttributeError(f"module 'keras_devae.models' has no attribute {name!r}")
    return getattr(importlib.import_module(f"keras_devae.models.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
