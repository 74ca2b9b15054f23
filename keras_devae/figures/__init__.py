"""Figures: functions that take arrays and return a `matplotlib.figure.Figure`.

None of them uses pyplot: they need no display and change no global state. A notebook shows the
figure that a cell ends with. matplotlib is imported only when the first of them is used, so
training does not need it. Figures of a model and a data set are in `keras_devae.figures.of_models`.
"""

from __future__ import annotations

from keras_devae.process.imports import lazy_names

#: Function -> the module that holds it.
_MODULES = {
    "box_plots": "boxes",
    "check_file": "saving",
    "contact_sheet": "image_grids",
    "factor_scatter": "scatter_plots",
    "freezing_curves": "freezing",
    "front_curves": "fronts",
    "information_curves": "latent_curves",
    "information_diffusion": "latent_curves",
    "information_map": "information_maps",
    "information_over_layers": "information_maps",
    "kl_bars": "divergence_bars",
    "kl_per_latent": "latent_curves",
    "learning_curves": "history_curves",
    "note_below": "canvas",
    "pixels_of": "saving",
    "reconstructions": "image_grids",
    "save": "saving",
    "save_animation": "saving",
    "score_scatter": "scatter_plots",
    "traversal": "image_grids",
}

__all__ = list(_MODULES)


__getattr__, __dir__ = lazy_names(__name__, {**_MODULES, "of_models": ""})
