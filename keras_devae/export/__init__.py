"""Exports encoder and decoder for use without this package.

Each name is imported on first access, so that the formats can be listed without Keras.
"""

from keras_devae.process.imports import lazy_names

_MODULES = {
    "FORMATS": "formats",
    "QUANTIZATIONS": "formats",
    "check_export": "formats",
    "loading_code": "formats",
    "Endpoint": "functions",
    "endpoints": "functions",
    "export_file": "exporting",
    "export_model": "exporting",
}

__all__ = [*_MODULES]

__getattr__, __dir__ = lazy_names(__name__, _MODULES)
