"""Modularity and explicitness: one factor per code, and factors that are linear in the codes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.metrics.arguments import check_recorded_seed
from keras_devae.metrics.arrays import check_codes
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.discretization import binning_settings
from keras_devae.metrics.estimators.mutual_information import mutual_information_matrix
from keras_devae.metrics.labelled import (
    Split,
    check_counted_rows,
    check_labelled,
    per_factor,
    split_rows,
)
from keras_devae.metrics.metric_warnings import warn

METRIC = Metric(
    "modularity_explicitness",
    takes="split",
    description="modularity and explicitness (Ridgeway and Mozer 2018)",
    numbers={
        "modularity_score": Number("1 if each latent is informative about one factor only."),
        "explicitness_score_train": Number(
            "How well a logistic regression tells the values of the factors apart (area under the "
            "curve), on the images it was fitted to."
        ),
        "explicitness_score_test": Number(
            "How well a logistic regression tells the values of the factors apart (area under the "
            "curve), on other images. 0.5 is chance."
        ),
    },
    fast_rows=2000,
    per_factor="explicitness",
    is_binned=True,
    place=60,
)


def modularity_explicitness(
    codes: Array,
    factors: Array,
    *,
    bins: int = 20,
    discretizer: str = "histogram",
    information_rows: str | None = None,
    n_train: int | None = None,
    factor_names: Iterable[str] | None = None,
    seed: int | None = 0,
) -> Score:
    """Modularity and explicitness (Ridgeway and Mozer 2018), as in disentanglement_lib.

    Modularity is the mean over codes of how far each code is informative about one factor only, by
    the mutual information. Explicitness is the area under the ROC curve of a logistic regression
    from all standardised codes to a factor, the mean over its values, one against the rest, and
    over factors; 0.5 is a guess.

    Noise does not have modularity 0: finite samples give every code a little information, and its
    proportions count, not its amount. Independent codes score about 0.5, and dead ones that are not
    exactly constant lift or lower the mean arbitrarily. Constant codes count as 0 in the mean, as
    there; where every code is constant modularity is 0 and explicitness 0.5. With one factor, each
    informative code has modularity 1.

    Values of a factor that are missing in the training or the test rows have no curve: they are
    left out of the mean over values, with a `MetricWarning`; a factor without any counts as 0.5.

    Args:
        codes: `(n, d)` codes, usually posterior means.
        factors: `(n, f)` whole-number factors.
        bins: As for `mig`.
        discretizer: As for `mig`.
        factor_names: As for `mig`.
        seed: As for `mig`.
        information_rows: Rows that information is counted on, `"all"` or `"train"`; `None` for all
            if `n_train` is `None`, and the training rows (as the study does) otherwise.
        n_train: Number of rows that train the regressions, the first ones; `None` for two thirds.

    Returns:
        `modularity_explicitness.modularity_score`, `.explicitness_score_train`,
        `.explicitness_score_test`. `details`: `modularity_per_code`, `mutual_information` `(d,
        varying factors)` in nats as nested lists, explicitness by factor name on the training rows
        (`explicitness_train`) and the test rows (`per_factor`), `constant_codes`.

    Raises:
        UsageError: If an array or a setting is wrong, no factor varies, or real codes meet
            `"identity"`.
    """
    check_recorded_seed(seed)
    labelled = check_labelled(codes, factors, factor_names)
    rows = check_counted_rows("information_rows", information_rows, n_train)
    split = split_rows(labelled, n_train)
    counted = labelled.codes, labelled.factors
    if rows == "train":
        counted = split.train_codes, split.train_factors
    information = mutual_information_matrix(*counted, bins=bins, discretizer=discretizer)
    train, test = _explicitness(split)
    details = {
        "modularity_per_code": modularity_per_code(information).tolist(),
        "mutual_information": information.tolist(),
        "explicitness_train": per_factor(split.names, train),
        "per_factor": per_factor(split.names, test),
        "constant_codes": labelled.constant_codes,
    }
    settings = {
        **binning_settings(bins, discretizer),
        "information_rows": rows,
        "predictor": "logistic_regression",
        "seed": seed,
        **split.settings,
    }
    values = {
        "modularity_score": modularity_of(information),
        "explicitness_score_train": np.mean(train),
        "explicitness_score_test": np.mean(test),
    }
    libraries = ("scikit-learn", "scipy")
    return METRIC.score(values, details, settings, libraries)


def modularity_per_code(matrix: Array) -> Array:
    """Returns how far each code is informative about one factor only, `(d,)` in `[0, 1]`.

    1 minus the squared values of the other factors in its row of the mutual information `(d, f)`,
    as a share of what they would be if all were as large as the largest. A row of zeros has 0; with
    one factor, other rows have 1.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    largest = matrix.max(axis=1, keepdims=True)
    squares = np.square(matrix / np.where(largest > 0, largest, 1.0))
    others = np.maximum(0.0, squares.sum(axis=1) - 1.0) / max(1, matrix.shape[1] - 1)
    return np.where(largest[:, 0] > 0, 1.0 - others, 0.0)


def modularity_of(matrix: Array) -> float:
    """Returns the mean modularity of codes.

    Args:
        matrix: `(d, f)` mutual information of at least 0, one row per code, one column per factor.

    Returns:
        A number in `[0, 1]`; rows of zeros count as 0.

    Raises:
        UsageError: If it is not a matrix of finite numbers of at least 0.
    """
    matrix = check_codes(matrix, "matrix")
    if matrix.min() < 0:
        raise UsageError(
            "`matrix` must hold mutual information, which is at least 0. Received: "
            f"{matrix.min():g}."
        )
    return float(modularity_per_code(matrix).mean())


def _explicitness(split: Split) -> list[list[float]]:
    """Returns the mean area over the values of each factor, on the training and the test rows."""
    from keras_devae.metrics.estimators.fitting import fit_factors

    fitted = fit_factors(split, "modularity_explicitness")
    parts = ((fitted.train, split.train_factors), (fitted.test, split.test_factors))
    areas = [
        [
            _areas(model.predict_proba(codes), column, model.classes_)
            for model, column in zip(fitted.models, factors.T, strict=True)
        ]
        for codes, factors in parts
    ]
    tested = zip(split.names, areas[1], split.test_factors.T, fitted.models, strict=True)
    incomplete = [
        name
        for name, known, column, model in tested
        if np.isnan(known).any() or not np.isin(column, model.classes_).all()
    ]
    if incomplete:
        warn(
            "modularity_explicitness: left out values that are missing in the training or the test "
            f"rows, of {', '.join(incomplete)}."
        )
    return [[_mean_area(known) for known in part] for part in areas]


def _areas(scores: Array, labels: Array, classes: Array) -> Array:
    """Returns the area under the curve of each class against the rest; NaN without samples."""
    from scipy.stats import rankdata

    positive = labels[:, None] == classes
    members = positive.sum(axis=0)
    pairs = members * (len(labels) - members)
    ranks = rankdata(scores, axis=0)
    above = np.sum(ranks * positive, axis=0) - members * (members + 1) / 2
    return np.where(pairs > 0, above / np.where(pairs > 0, pairs, 1), np.nan)


def _mean_area(areas: Array) -> float:
    known = areas[~np.isnan(areas)]
    return float(known.mean()) if len(known) else 0.5
