"""Measures of representations: functions of NumPy arrays that know nothing of Keras.

Every metric returns a dictionary that `json.dump` takes: flat keys such as `mig.score`, `details`
with what lies behind them, and `settings` with all that is needed to trace and repeat them.
`evaluate` computes many at once.

Names and settings of metrics are known at once; the functions, and with them SciPy and
scikit-learn, are imported when the first of them is asked for.
"""

import importlib

from keras_devae.metrics.registry import (
    DEFAULT_METRICS,
    METRICS,
    SETTINGS,
    Metric,
    check_names,
    check_settings,
    possible_metrics,
    resolved_names,
)

#: Function or class -> the module that holds it. No module has the name of a function: importing
#: it would put it in the function's place.
_MODULES = {
    "ACTIVE_NATS": "posterior",
    **{name: metric.module for name, metric in METRICS.items()},
    "DISCRETIZERS": "discretization",
    "CodeTable": "sampling",
    "EncodedDataset": "sampling",
    "FewSamplesWarning": "cautions",
    "MetricWarning": "cautions",
    "Sampler": "sampling",
    "active_dimensions": "posterior",
    "entropy": "mutual_information",
    "evaluate": "suite",
    "histogram_discretize": "discretization",
    "kl_per_dimension": "posterior",
    "modularity_of": "modularity_and_explicitness",
    "mutual_information_matrix": "mutual_information",
    "quantile_discretize": "discretization",
    "signal_per_dimension": "posterior",
    "udr": "unsupervised_disentanglement_ranking",
}

__all__ = [
    "DEFAULT_METRICS",
    "METRICS",
    "SETTINGS",
    "Metric",
    "check_names",
    "check_settings",
    "possible_metrics",
    "resolved_names",
    *_MODULES,
]


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module 'keras_devae.metrics' has no attribute {name!r}")
    return getattr(importlib.import_module(f"keras_devae.metrics.{_MODULES[name]}"), name)


def __dir__():
    return sorted(__all__)
