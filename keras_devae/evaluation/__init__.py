"""Scores of trained models, what their latent dimensions hold, and codes that are computed once.

Names are imported on first access, because they import NumPy and SciPy.
"""

from keras_devae.process.imports import lazy_names

#: Name -> the module that holds it.
_MODULES = {
    "EncoderFile": "encoder_files",
    "Encoding": "encoding",
    "FunctionEncoder": "function_encoder",
    "KnownCodes": "known_codes",
    "Latents": "measured_latents",
    "correct_pair": "label_correction",
    "evaluate": "evaluating",
    "information_of_layers": "latents",
    "measure_latents": "latents",
}

__all__ = list(_MODULES)


__getattr__, __dir__ = lazy_names(__name__, _MODULES)
