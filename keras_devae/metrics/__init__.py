"""Metrics of representations: functions of NumPy arrays that do not depend on Keras.

Every metric returns a `Score`: a dictionary that `json.dump` accepts, with flat keys such as
`mig.score`, `details` on how the numbers came about, and `settings` with everything needed to trace
and repeat them. `score_codes` computes many at once.

`keras_devae.metrics.keras` offers the metrics of codes and factors as Keras metrics.

The functions, and with them SciPy and scikit-learn, are imported on first access.
"""

import importlib
import warnings
from typing import Any

from keras_devae.metrics.base import (
    DEFAULT_METRICS,
    METRICS,
    NAMES,
    SETTINGS,
    SPREAD,
    Metric,
    Number,
    Score,
    meaning_of,
    number_of,
)
from keras_devae.metrics.choosing import (
    check_names,
    check_settings,
    possible_metrics,
    resolved_names,
)

#: Function or class that is not itself a metric -> its module. No module may have the name of a
#: function: importing the module would overwrite the function.
_MODULES = {
    "ACTIVE_NATS": "estimators.posterior",
    "DISCRETIZERS": "estimators.discretization",
    "CodeTable": "samplers",
    "EncodedDataset": "samplers",
    "FewSamplesWarning": "metric_warnings",
    "MetricWarning": "metric_warnings",
    "Sampler": "samplers",
    "active_dimensions": "estimators.posterior",
    "entropy": "estimators.mutual_information",
    "histogram_discretize": "estimators.discretization",
    "kl_per_dimension": "estimators.posterior",
    "modularity_of": "scores.modularity_explicitness",
    "mutual_information_matrix": "estimators.mutual_information",
    "pairwise_entanglement": "estimators.importance",
    "quantile_discretize": "estimators.discretization",
    "score_codes": "measuring",
    "signal_per_dimension": "estimators.posterior",
    "udr": "unsupervised_disentanglement_ranking",
}

__all__ = [
    "DEFAULT_METRICS",
    "METRICS",
    "SETTINGS",
    "SPREAD",
    "Metric",
    "Number",
    "Score",
    "check_names",
    "check_settings",
    "meaning_of",
    "number_of",
    "possible_metrics",
    "resolved_names",
    *NAMES,
    *_MODULES,
]


def __getattr__(name: str) -> Any:
    if name == "evaluate":
        warnings.warn(
            "`keras_devae.metrics.evaluate` is called `score_codes` now; the old name will be "
            "removed in the next version.",
            DeprecationWarning,
            stacklevel=2,
        )
        name = "score_codes"
    if name == "keras":
        return importlib.import_module("keras_devae.metrics.keras")
    if name in _MODULES:
        return getattr(importlib.import_module(f"keras_devae.metrics.{_MODULES[name]}"), name)
    if name in NAMES:
        return METRICS[name].function
    raise AttributeError(f"module 'keras_devae.metrics' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
