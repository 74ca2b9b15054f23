"""Runs: their configuration, their folder, training and what follows it."""

from keras_devae.runs.config.presets import PRESETS
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.folder import RunDirectory
from keras_devae.runs.listing import find_runs
from keras_devae.runs.run import Run

__all__ = ["PRESETS", "Run", "RunConfig", "RunDirectory", "find_runs"]
