"""Comparison of finished runs, groups and selection without factors: `keras-devae compare`.

Names are imported on first access, because they import NumPy.
"""

from keras_devae.process.imports import lazy_names

#: Name -> the module that holds it.
_MODULES = {
    "Comparison": "comparing",
    "compare_runs": "comparing",
}

__all__ = list(_MODULES)


__getattr__, __dir__ = lazy_names(__name__, _MODULES)
