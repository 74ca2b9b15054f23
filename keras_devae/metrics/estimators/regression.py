"""Information about, and predictions of, factors that are measured quantities."""

from __future__ import annotations

import numpy as np
from sklearn.feature_selection import mutual_info_regression

from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.metrics.estimators.fitting import run_quietly
from keras_devae.metrics.estimators.scaling import standardized, unit_scaled

# disentanglement_lib's variance of a dead code.
DEAD_VARIANCE = 1e-12
#: Neighbours of a sample in the estimate of mutual information, scikit-learn's default.
NEIGHBOURS = 3


def squared_correlations(codes: Array, values: Array) -> Array:
    """Squared correlation `(d, f)` of codes `(n, d)` with finite float64 values `(n, f)`.

    It is 0 for a code whose variance is at most 1e-12, and for constant values.
    """
    scaled, exponents = unit_scaled(codes)
    centred = scaled - scaled.mean(axis=0)
    values = unit_scaled(values)[0]
    values = values - values.mean(axis=0)
    count = max(1, len(centred) - 1)
    variances = np.sum(np.square(centred), axis=0) / count
    of_values = np.sum(np.square(values), axis=0) / count
    with np.errstate(over="ignore"):
        alive = np.ldexp(np.sqrt(variances), exponents) > np.sqrt(DEAD_VARIANCE)
    used = alive[:, None] & (of_values > 0)
    products = np.where(used, variances[:, None] * of_values, 1.0)
    return np.where(used, np.square(centred.T @ values / count) / products, 0.0)


def r_squared(values: Array, predicted: Array) -> float:
    """Returns the share of the values' variance that predictions `(n,)` explain.

    At most 1; negative where their mean would be a better prediction. For values that are all
    equal it is 1 if they are predicted exactly, else 0, as in scikit-learn.
    """
    shifted = values - values.mean()
    error, total = np.sum(np.square(values - predicted)), np.sum(np.square(shifted))
    if not total:
        return float(error == 0)
    return float(1 - error / total)


def neighbour_information(codes: Array, values: Array, seed: int) -> Array:
    """Estimates the mutual information `(d,)`, in nats, of codes `(n, d)` with values `(n,)`.

    By the distances of nearest neighbours (Kraskov et al. 2004), as scikit-learn's
    `mutual_info_regression` does, on standardised codes; 0 for a constant code. The seed
    draws the small noise that tells equal values apart.
    """
    if len(codes) <= NEIGHBOURS:
        raise UsageError(
            f"The estimator 'knn' needs more than {NEIGHBOURS} rows. Received: {len(codes)}."
        )
    columns, target = standardized(codes), standardized(values[:, None])[:, 0]
    varying = np.flatnonzero(columns.any(axis=0))
    information = np.zeros(columns.shape[1])
    if len(varying):
        information[varying], _ = run_quietly(
            lambda: mutual_info_regression(
                columns[:, varying], target, n_neighbors=NEIGHBOURS, random_state=seed
            )
        )
    return information
