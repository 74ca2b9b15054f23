"""HTML pages: the report of a run, and the comparison of several; imported only when used."""

import importlib

_MODULES = {"write_comparison": "comparison_report", "write_report": "run_report"}

__all__ = sorted(_MODULES)


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module 'keras_devae.reports' has no attribute {name!r}")
    return getattr(importlib.import_module(f"keras_devae.reports.{_MODULES[name]}"), name)


def __dir__():
    return sorted(__all__)
