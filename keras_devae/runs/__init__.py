"""Runs: their configuration, their folder, training and what follows it.

The contents are imported on first use, so that the command line can read the settings for its help
without them.
"""

import importlib

_MODULES = {
    "PRESETS": "config.presets",
    "Run": "run",
    "RunConfig": "config.run_config",
    "RunDirectory": "folder",
    "find_runs": "listing",
}

__all__ = sorted(_MODULES)


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module 'keras_devae.runs' has no attribute {name!r}")
    return getattr(importlib.import_module(f"keras_devae.runs.{_MODULES[name]}"), name)


def __dir__():
    return sorted(__all__)
