"""Training runs: their configuration and folder, training, and scoring the trained model.

Names are imported on first use, so that the command line can read the settings for its help without
importing the rest.
"""

from keras_devae.process.imports import lazy_names

_MODULES = {
    "PRESETS": "config.presets",
    "Run": "run",
    "RunConfig": "config.run_config",
    "RunDirectory": "folder",
    "find_runs": "listing",
}

__all__ = sorted(_MODULES)


__getattr__, __dir__ = lazy_names(__name__, _MODULES)
