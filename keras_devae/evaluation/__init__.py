"""Scores of trained models, what their latent dimensions hold, and codes that are computed once.

Names are imported when they are first asked for, as they bring NumPy and SciPy along.
"""

from keras_devae.process.imports import lazy_names

#: Name -> the module that holds it.
_MODULES = {
    "Encoding": "encoding",
    "Latents": "latents",
    "evaluate": "evaluating",
    "information_of_layers": "latents",
    "measure_latents": "latents",
}

__all__ = list(_MODULES)


__getattr__, __dir__ = lazy_names(__name__, _MODULES)
