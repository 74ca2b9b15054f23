"""Disentanglement, completeness and informativeness, from the importances of boosted trees."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np

from keras_devae import checks
from keras_devae.checks import Array, one_of
from keras_devae.metrics.arguments import MOST_SEED_OF_A_FIT, check_seed
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.continuous_factors import Continuous
from keras_devae.metrics.estimators.importance import importance_scores, pairwise_entanglement
from keras_devae.metrics.labelled import Split, check_labelled, per_factor, split_rows

#: Predictor -> the distributions that compute it.
PREDICTORS = {"gradient_boosting": ("scikit-learn",), "lightgbm": ("scikit-learn", "lightgbm")}

METRIC = Metric(
    "dci",
    takes="split",
    description="disentanglement, completeness, informativeness (Eastwood and Williams 2018)",
    numbers={
        "disentanglement": Number(
            "1 if each latent matters for one factor only.", title="DCI disentanglement"
        ),
        "completeness": Number("1 if each factor is predicted from one latent only."),
        "informativeness_train": Number(
            "Accuracy of predicting the factors from the codes, on the images that the predictor "
            "was fitted to."
        ),
        "informativeness_test": Number(
            "Accuracy of predicting the factors from the codes, on other images. Higher: the codes "
            "hold more of the factors, in whatever form."
        ),
        "r_squared_train": Number(
            "Share of the continuous factors' variance that is predicted from the codes, on the "
            "images that the predictor was fitted to."
        ),
        "r_squared_test": Number(
            "Share of the continuous factors' variance that is predicted from the codes, on other "
            "images; at most 1, negative if predicting the mean would be better. Higher: the codes "
            "hold more of the factors, in whatever form."
        ),
    },
    fast={"predictor": "lightgbm"},
    per_factor="completeness",
    takes_workers=True,
    continuous="native",
    place=40,
)


def dci(
    codes: Array,
    factors: Array,
    *,
    predictor: str = "gradient_boosting",
    n_train: int | None = None,
    continuous: Continuous = (),
    factor_names: Iterable[str] | None = None,
    seed: int = 0,
    workers: int | None = None,
) -> Score:
    """Disentanglement, completeness, informativeness (Eastwood and Williams 2018).

    As computed by disentanglement_lib: boosted trees predict each factor from all codes. The
    importance of each code for each factor gives disentanglement (a code is important for only one
    factor) and completeness (a factor has only one important code), weighted by importance.
    Informativeness is the accuracy of the predictions; in the paper it is an error.

    `"gradient_boosting"` is scikit-learn's `GradientBoostingClassifier()` with `random_state=seed`,
    with one factor per thread. With 10,000 training rows it takes one to three seconds per value of
    each factor, divided by the number of threads. `"lightgbm"` is about 40 times as fast; on the
    reference cases of the tests it differs by at most 0.02 in disentanglement and 0.03 in
    completeness. On a trained model, none of whose codes was pure, its disentanglement was 0.04
    higher.

    A continuous factor is predicted by regression: by scikit-learn's `GradientBoostingRegressor()`
    or LightGBM's, with the same trees. Its importances count like all others; the quality of its
    prediction is a share of its variance, with keys of its own, and informativeness is of the other
    factors only.

    Constant codes are left out and count neither as codes nor in the base of completeness:
    appending some changes nothing. Where every code is constant, disentanglement and completeness
    are 0 and informativeness is the share of the most frequent value. With one factor each
    important code has disentanglement 1; with one code each factor has completeness 1.

    Args:
        codes: `(n, d)` codes, usually posterior means. Trees compare them in float32.
        factors: `(n, f)` whole-number factors.
        predictor: `"gradient_boosting"` (default) or `"lightgbm"`.
        n_train: Number of rows that train, the first ones; `None` for two thirds.
        continuous: Names or column numbers of the factors that are measured quantities, see
            `score_codes`. Default: none.
        factor_names: A name for each factor; `None` for `factor_0`, `factor_1`, ...
        seed: Seed of the predictor, from 0 to 2^32 - 1.
        workers: Number of threads; `None` for as many as there are usable processors, or one with
            LightGBM, whose threads wait for each other on a busy machine. The result does not
            depend on it.

    Returns:
        `dci.disentanglement`, `dci.completeness`, `dci.informativeness_train`,
        `dci.informativeness_test`; with continuous factors `dci.r_squared_train` and
        `dci.r_squared_test`, and informativeness only if there are others. `details`:
        `importance_matrix` `(d, varying factors)` and `per_code` as lists, `per_factor`,
        `informativeness_train` and `informativeness_test`, or `r_squared_train` and
        `r_squared_test`, by factor name, `constant_codes`, and `pairwise_entanglement` by the two
        names, see `keras_devae.metrics.pairwise_entanglement`.

    Raises:
        UsageError: If an array or a setting is wrong, no factor varies, or LightGBM is asked for
            and not installed.
    """
    from keras_devae.metrics.estimators.boosting import boost, boost_with_lightgbm

    libraries = PREDICTORS[one_of("predictor", predictor, PREDICTORS)]
    check_seed(seed, MOST_SEED_OF_A_FIT)
    if workers is not None:
        checks.at_least("workers", workers, 1)
    labelled = check_labelled(codes, factors, factor_names, continuous=continuous)
    split = split_rows(labelled, n_train)
    varying = np.delete(np.arange(split.train_codes.shape[1]), split.constant_codes)
    # Trees need a code, even if it is a constant one.
    used = varying if len(varying) else [0]
    fitted = split._replace(
        train_codes=split.train_codes[:, used], test_codes=split.test_codes[:, used]
    )
    fit = boost if predictor == "gradient_boosting" else boost_with_lightgbm
    boosted = fit(fitted, seed, workers)
    matrix = np.zeros((split.train_codes.shape[1], len(split.names)))
    matrix[used] = boosted.importances
    values, details = importance_scores(matrix, split.names, split.constant_codes)
    details["pairwise_entanglement"] = _by_pair(matrix, split.names)
    for number, names in _of_kinds(split).items():
        for part, scores in (("train", boosted.train_scores), ("test", boosted.test_scores)):
            by_name = per_factor(split.names, scores)
            details[f"{number}_{part}"] = {name: by_name[name] for name in names}
            values[f"{number}_{part}"] = float(np.mean([by_name[name] for name in names]))
    settings = {"predictor": predictor, "seed": seed, **split.settings}
    return METRIC.score(values, details, settings, libraries)


def _by_pair(matrix: Array, names: tuple[str, ...]) -> dict[str, float]:
    """Returns the entanglement of each pair of factors, by their names with a comma between."""
    # Sums of gains can be below 0 by a rounding error.
    entanglement = pairwise_entanglement(np.maximum(matrix, 0))
    pairs = itertools.combinations(range(len(names)), 2)
    return {f"{names[i]},{names[j]}": float(entanglement[i, j]) for i, j in pairs}


def _of_kinds(split: Split) -> dict[str, list[str]]:
    """Returns the names of the factors by what their predictions are scored with."""
    kinds = {
        "informativeness": [name for name in split.names if name not in split.train_measured],
        "r_squared": list(split.train_measured),
    }
    return {number: names for number, names in kinds.items() if names}
