"""Keras callbacks for plain `model.fit`: progress, and measurements while a model trains."""

from keras_devae.callbacks.information import InformationCallback, SampledInformationCallback
from keras_devae.callbacks.kl import KLCallback
from keras_devae.callbacks.metrics import MetricsCallback
from keras_devae.callbacks.progress import ProgressReport
from keras_devae.callbacks.speed import SpeedCallback
from keras_devae.callbacks.traversal_images import TraversalCallback
from keras_devae.models.training_callbacks import TrainingGuard

__all__ = [
    "InformationCallback",
    "KLCallback",
    "MetricsCallback",
    "ProgressReport",
    "SampledInformationCallback",
    "SpeedCallback",
    "TrainingGuard",
    "TraversalCallback",
]
