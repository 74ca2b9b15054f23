"""Measures of representations: functions of NumPy arrays that know nothing of Keras.

Every metric returns a dictionary that `json.dump` takes: flat keys such as `mig.score`, `details`
with what lies behind them, and `settings` with all that is needed to trace and repeat them.
`evaluate` computes many at once.
"""

from keras_devae.metrics.beta_vae import beta_vae_score
from keras_devae.metrics.dci import dci
from keras_devae.metrics.discretization import DISCRETIZERS, histogram_discretize
from keras_devae.metrics.downstream import downstream_accuracy
from keras_devae.metrics.elbo import elbo_decomposition
from keras_devae.metrics.factor_vae import factor_vae_score
from keras_devae.metrics.gaussian_correlation import (
    gaussian_total_correlation,
    wasserstein_correlation,
)
from keras_devae.metrics.infomec import infomec
from keras_devae.metrics.inputs import MetricWarning
from keras_devae.metrics.interventional_robustness import irs
from keras_devae.metrics.modularity_explicitness import modularity_explicitness, modularity_of
from keras_devae.metrics.mutual_information import entropy, mutual_information_matrix
from keras_devae.metrics.mutual_information_disentanglement import med
from keras_devae.metrics.mutual_information_gap import mig
from keras_devae.metrics.mutual_information_score import mutual_information_score
from keras_devae.metrics.posterior import active_variables, kl, kl_per_dimension
from keras_devae.metrics.reconstruction import reconstruction_error
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
from keras_devae.metrics.sampling import (
    CodeTable,
    EncodedDataset,
    Sampler,
)
from keras_devae.metrics.separated_attribute_predictability import sap
from keras_devae.metrics.suite import evaluate
from keras_devae.metrics.unsupervised_disentanglement_ranking import udr

__all__ = [
    "DEFAULT_METRICS",
    "DISCRETIZERS",
    "METRICS",
    "SETTINGS",
    "CodeTable",
    "EncodedDataset",
    "Metric",
    "MetricWarning",
    "Sampler",
    "active_variables",
    "beta_vae_score",
    "check_names",
    "check_settings",
    "dci",
    "downstream_accuracy",
    "elbo_decomposition",
    "entropy",
    "evaluate",
    "factor_vae_score",
    "gaussian_total_correlation",
    "histogram_discretize",
    "infomec",
    "irs",
    "kl",
    "kl_per_dimension",
    "med",
    "mig",
    "modularity_explicitness",
    "modularity_of",
    "mutual_information_matrix",
    "mutual_information_score",
    "possible_metrics",
    "reconstruction_error",
    "resolved_names",
    "sap",
    "udr",
    "wasserstein_correlation",
]
