"""HTML pages: reports of runs and encoders, and comparisons; imported only when needed."""

from keras_devae.process.imports import lazy_names

_MODULES = {
    "write_comparison": "comparison_report",
    "write_encoder_report": "encoder_report",
    "write_report": "run_report",
}

__all__ = sorted(_MODULES)


__getattr__, __dir__ = lazy_names(__name__, _MODULES)
