"""Modularity, explicitness and compactness in terms of information: InfoM, InfoE, InfoC."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from keras_devae import checks
from keras_devae.checks import Array, one_of
from keras_devae.metrics.arguments import MOST_SEED_OF_A_FIT, check_bins, check_seed
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.discretization import DISCRETIZERS, binning_settings, discretize
from keras_devae.metrics.estimators.mutual_information import entropy, mutual_information_matrix
from keras_devae.metrics.estimators.scaling import standardized
from keras_devae.metrics.labelled import LabelledCodes, check_labelled, per_factor
from keras_devae.metrics.metric_warnings import warn

ESTIMATORS = ("continuous", "discrete")
# A continuous code whose range is up to this part of the widest code's is inactive.
INACTIVE_RANGE = 1 / 20
# Enough for 20 bins a code to converge, where 100 are not.
ITERATIONS = 1000

METRIC = Metric(
    "infomec",
    takes="labels",
    description="modularity, explicitness, compactness by information (Hsu et al. 2023)",
    numbers={
        "infom": Number(
            "Modularity: 1 if each latent is informative about one factor only.", title="InfoM"
        ),
        "infoe": Number(
            "Explicitness: how much of the factors a linear classifier reads off the codes. 1 is "
            "all.",
            title="InfoE",
        ),
        "infoc": Number(
            "Compactness: 1 if only one latent is informative about each factor.", title="InfoC"
        ),
    },
    fast_rows=2000,
    per_factor="explicitness",
    place=90,
)


def infomec(
    codes: Array,
    factors: Array,
    *,
    estimator: str = "continuous",
    n_neighbors: int = 10,
    bins: int = 20,
    discretizer: str = "histogram",
    factor_names: Iterable[str] | None = None,
    seed: int = 0,
) -> Score:
    """InfoM, InfoE and InfoC (Hsu et al. 2023).

    The information of each active code on each factor is estimated and divided by the factor's
    entropy. InfoM (modularity): for each code, the part of its information that is on one factor.
    InfoC (compactness): for each factor, the part of the information on it that is in one code.
    Both are means, scaled so that 0 is a uniform share and 1 a single one. InfoE (explicitness):
    how much less than log(number of values) the log loss of a logistic regression of the factor on
    all codes is, as a part of it (balanced classes, no penalty, same samples), at least 0.

    Continuous codes are active if their range is above 1/20 of the widest one's, so that the scale
    of a code matters; discrete ones if they vary. An active code without estimated information on
    any factor, and a factor without any from an active code, have no share and are skipped. The
    remainder of pure-noise codes can then still have a high InfoM and InfoC: read them together
    with InfoE. With one factor InfoM is 0 and with one code InfoC is 0, as there is nothing to
    distinguish. Constant factors are dropped, with a `MetricWarning`; if every code is constant all
    three are 0, with a `MetricWarning`.

    The k-NN estimate takes about 50 ms for each active code and factor of 10,000 samples. Where
    codes separate a factor's values perfectly there is no best regression; InfoE ends near 1.

    Args:
        codes: `(n, d)` codes, usually posterior means.
        factors: `(n, f)` whole-number factors.
        estimator: `"continuous"` (default): k-NN (Ross 2014) for InfoM and InfoC, standardised
            codes for InfoE. `"discrete"`: codes in bins, counted, one-hot for InfoE.
        n_neighbors: Neighbours of the k-NN estimate.
        bins: As for `mig`, for `"discrete"`.
        discretizer: As for `mig`, for `"discrete"`.
        factor_names: A name for each factor; `None` for `factor_0`, `factor_1`, ...
        seed: Seed of the noise, 10^-10 of a code's scale, that the k-NN estimate adds to break
            ties.

    Returns:
        `infomec.infom`, `infomec.infoe`, `infomec.infoc`. `details`: `per_factor`, InfoE;
        `active_codes`, `used_codes`, `constant_codes`, indices; `normalized_information` `(active
        codes, varying factors)` as nested lists, which the k-NN estimate can put slightly above 1.
        `settings`: what the estimator does not use is `None`.

    Raises:
        UsageError: If an array or a setting is wrong, or no factor varies.
    """
    one_of("estimator", estimator, ESTIMATORS)
    one_of("discretizer", discretizer, DISCRETIZERS)
    bins, n_neighbors = check_bins(bins), int(checks.at_least("n_neighbors", n_neighbors, 1))
    check_seed(seed, MOST_SEED_OF_A_FIT)
    labelled = check_labelled(codes, factors, factor_names)
    continuous = estimator == "continuous"
    active = _active_codes(labelled, continuous)
    if continuous:
        chosen = labelled.codes[:, active]
        information = _neighbor_information(chosen, labelled, n_neighbors, seed)
        predictors = standardized(labelled.codes)
    else:
        labels = discretize(labelled.codes, bins, discretizer)
        # Without an active code there is nothing to count.
        information = np.zeros((0, len(labelled.names)))
        if active:
            information = mutual_information_matrix(
                labels[:, active], labelled.factors, discretizer="identity"
            )
        predictors = _one_hot(labels)
    information /= entropy(labelled.factors)
    explicitness = _explicitness(predictors, labelled) if active else [0.0] * len(labelled.names)
    used = information.sum(axis=1) > 0
    values = {
        "infom": concentration(information[used]),
        "infoe": np.mean(explicitness),
        "infoc": concentration(information[used].T),
    }
    details = {
        "per_factor": per_factor(labelled.names, explicitness),
        "active_codes": active,
        "used_codes": np.array(active, dtype=int)[used].tolist(),
        "normalized_information": information.tolist(),
        "constant_codes": labelled.constant_codes,
    }
    binning = binning_settings(bins, discretizer)
    settings = {
        "estimator": estimator,
        "n_neighbors": n_neighbors if continuous else None,
        **(dict.fromkeys(binning) if continuous else binning),
        "seed": seed,
        **labelled.settings,
    }
    return METRIC.score(values, details, settings, libraries=("scikit-learn",))


def concentration(shares: Array) -> float:
    """Returns how far the values `(m, k)` of a row are in one column, in the mean over rows.

    With k columns a row's largest value over its sum, less 1/k, over 1 - 1/k: 1 if one column has
    all, 0 if all have the same. Rows of zeros are skipped; 0 without others, and with one column.
    """
    shares = shares[shares.sum(axis=1) > 0]
    count = shares.shape[1]
    if not len(shares) or count == 1:
        return 0.0
    largest = np.mean(shares.max(axis=1) / shares.sum(axis=1))
    return float((largest - 1 / count) / (1 - 1 / count))


def _active_codes(labelled: LabelledCodes, continuous: bool) -> list[int]:
    # Halved before they are subtracted: the range of the largest numbers is beyond float64.
    ranges = labelled.codes.max(axis=0) / 2 - labelled.codes.min(axis=0) / 2
    least = ranges.max() * INACTIVE_RANGE if continuous else 0.0
    varies = np.ones(len(ranges), bool)
    varies[labelled.constant_codes] = False
    return np.flatnonzero(varies & ((ranges > least) | (not continuous))).tolist()


def _neighbor_information(
    codes: Array, labelled: LabelledCodes, n_neighbors: int, seed: int
) -> Array:
    """Estimates the information of each code on each factor, `(codes, factors)`, by k-NN."""
    from sklearn.feature_selection import mutual_info_classif

    information = np.zeros((codes.shape[1], len(labelled.names)))
    columns = standardized(codes)
    alone = []
    for j, (name, factor) in enumerate(zip(labelled.names, labelled.factors.T, strict=True)):
        if np.unique(factor, return_counts=True)[1].max() < 2:
            alone.append(name)
        elif columns.size:
            information[:, j] = mutual_info_classif(
                columns, factor, discrete_features=False, n_neighbors=n_neighbors, random_state=seed
            )
    if alone:
        warn(
            "infomec cannot estimate information on factors each of whose values has one sample "
            f"only, and takes it as 0: {', '.join(alone)}."
        )
    return information


def _one_hot(labels: Array) -> Any:
    from sklearn.preprocessing import OneHotEncoder

    return OneHotEncoder().fit_transform(labels)


def _explicitness(predictors: Any, labelled: LabelledCodes) -> list[float]:
    """Returns what a logistic regression knows of each factor, as a part of knowing all."""
    from keras_devae.metrics.estimators.fitting import run_quietly

    losses, failed = [], []
    for name, factor in zip(labelled.names, labelled.factors.T, strict=True):
        loss, early = run_quietly(partial(_balanced_log_loss, predictors, factor))
        losses.append(loss)
        failed += [name] if early else []
    if failed:
        warn(
            f"The logistic regression of infomec did not converge for {', '.join(failed)}; infoe "
            "may be too low."
        )
    # Balanced, a regression that knows nothing gives every value the same probability.
    ignorance = np.log([len(np.unique(factor)) for factor in labelled.factors.T])
    return np.maximum(0.0, 1 - np.array(losses) / ignorance).tolist()


def _balanced_log_loss(predictors: Any, factor: Array) -> float:
    from sklearn.linear_model import LogisticRegression

    labels = np.unique(factor, return_inverse=True)[1]
    # An infinite C is no penalty.
    model = LogisticRegression(C=np.inf, class_weight="balanced", max_iter=ITERATIONS)
    probabilities = model.fit(predictors, labels).predict_proba(predictors)
    right = probabilities[np.arange(len(labels)), labels]
    return -np.mean(np.log(np.maximum(right, np.finfo(np.float64).eps)))
