"""Figures: functions that take arrays and return a `matplotlib.figure.Figure`.

None of them uses pyplot: they need no display and change no global state. matplotlib is imported
when the first of them is asked for, so that training goes without it.
"""

import importlib

#: Function -> the module that holds it.
_MODULES = {
    "contact_sheet": "contact_sheets",
    "information_diffusion": "latent_curves",
    "kl_per_latent": "latent_curves",
    "learning_curves": "curves",
    "reconstructions": "reconstruction_rows",
    "save": "saving",
    "traversal": "traversals",
}

__all__ = list(_MODULES)


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module 'keras_devae.figures' has no attribute {name!r}")
    return getattr(importlib.import_module(f"keras_devae.figures.{_MODULES[name]}"), name)


def __dir__():
    return sorted(__all__)
