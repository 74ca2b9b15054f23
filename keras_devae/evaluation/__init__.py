"""Scores of trained models, what their latent dimensions hold, and codes that are computed once.

Names are imported when they are first asked for, as they bring NumPy and SciPy along.
"""

import importlib
from typing import Any

#: Name -> the module that holds it.
_MODULES = {
    "Encoding": "encoding",
    "Latents": "latents",
    "evaluate": "evaluating",
    "information_of_layers": "latents",
    "measure_latents": "latents",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'keras_devae.evaluation' has no attribute {name!r}")
    return getattr(importlib.import_module(f"keras_devae.evaluation.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
