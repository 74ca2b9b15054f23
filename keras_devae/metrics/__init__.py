"""Measures of representations: functions of NumPy arrays that know nothing of Keras.

Every metric returns a dictionary that `json.dump` takes: flat keys such as `mig.score`, `details`
with what lies behind them, and `settings` with all that is needed to trace and repeat them.
"""

from keras_devae.metrics.discretization import DISCRETIZERS, histogram_discretize
from keras_devae.metrics.inputs import MetricWarning
from keras_devae.metrics.mutual_information import entropy, mutual_information_matrix
from keras_devae.metrics.mutual_information_gap import mig
from keras_devae.metrics.posterior import active_variables, kl, kl_per_dimension
from keras_devae.metrics.reconstruction import reconstruction_error
from keras_devae.metrics.registry import METRICS, Metric, check_names

__all__ = [
    "DISCRETIZERS",
    "METRICS",
    "Metric",
    "MetricWarning",
    "active_variables",
    "check_names",
    "entropy",
    "histogram_discretize",
    "kl",
    "kl_per_dimension",
    "mig",
    "mutual_information_matrix",
    "reconstruction_error",
]
