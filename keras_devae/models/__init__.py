"""The models: one file per method, each holding only that method's objective.

Each class, and with it Keras, is imported on first access.
"""

from typing import TYPE_CHECKING, Any

from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.process.imports import lazy_names

#: Class -> its module; a model's module is named as the model is on the command line.
_MODULES = {
    **{declaration.class_name: name for name, declaration in MODEL_CATALOGUE.items()},
    "ImageModel": "image_model",
    "LossTerms": "loss_terms",
    "TrainingGuard": "training_callbacks",
}

__all__ = ["MODELS", *_MODULES]


if TYPE_CHECKING:
    from keras_devae.models.image_model import ImageModel

    #: Name on the command line -> class.
    MODELS: dict[str, type[ImageModel]]

_get, __dir__ = lazy_names(__name__, {"MODELS": "", **_MODULES})


def __getattr__(name: str) -> Any:
    if name == "MODELS":
        models = {key: _get(entry.class_name) for key, entry in MODEL_CATALOGUE.items()}
        globals()["MODELS"] = models
        return models
    return _get(name)
