"""Runs: their configuration, folder, training and what follows it.

`training` and `finishing` are imported by name, because they need Keras.
"""

from keras_devae.runs.config.presets import PRESETS
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.folder import RunDirectory, find_runs

__all__ = ["PRESETS", "RunConfig", "RunDirectory", "find_runs"]
