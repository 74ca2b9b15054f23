"""Runs: their configuration, folder, training and what follows it.

`training` and `finishing` are imported by name, because they need Keras.
"""

from keras_devae.experiments.config import RunConfig
from keras_devae.experiments.presets import PRESETS
from keras_devae.experiments.run_directory import RunDirectory, find_runs

__all__ = ["PRESETS", "RunConfig", "RunDirectory", "find_runs"]
