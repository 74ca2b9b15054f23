"""Keras callbacks."""

from keras_devae.callbacks.progress import ProgressReport
from keras_devae.models.guard import TrainingGuard

__all__ = ["ProgressReport", "TrainingGuard"]
