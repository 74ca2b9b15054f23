"""Figures: functions that take arrays and return a `matplotlib.figure.Figure`.

None of them uses pyplot: they need no display and change no global state. matplotlib is imported
when the first of them is asked for, so that training goes without it.
"""

import importlib

#: Function -> the module that holds it.
_MODULES = {
    "box_plots": "boxes",
    "check_file": "saving",
    "contact_sheet": "contact_sheets",
    "factor_scatter": "scatter_plots",
    "freezing_curves": "freezing",
    "information_curves": "method_curves",
    "information_diffusion": "latent_curves",
    "information_map": "information_maps",
    "information_over_layers": "information_maps",
    "kl_bars": "divergence_bars",
    "kl_per_latent": "latent_curves",
    "learning_curves": "panels",
    "note_below": "notes",
    "pixels_of": "animations",
    "reconstructions": "reconstruction_rows",
    "save": "saving",
    "save_animation": "animations",
    "score_scatter": "scatter_plots",
    "traversal": "traversals",
}

__all__ = list(_MODULES)


def __getattr__(name):
    if name == "of_models":
        return importlib.import_module("keras_devae.figures.of_models")
    if name not in _MODULES:
        raise AttributeError(f"module 'keras_devae.figures' has no attribute {name!r}")
    return getattr(importlib.import_module(f"keras_devae.figures.{_MODULES[name]}"), name)


def __dir__():
    return sorted(__all__)
