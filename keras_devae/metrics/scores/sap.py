"""Separated attribute predictability: how far the best code for a factor is above the next."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from keras_devae.checks import Array, flag
from keras_devae.metrics.arguments import check_recorded_seed
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.continuous_factors import Continuous
from keras_devae.metrics.estimators.importance import gap_of_best_two
from keras_devae.metrics.estimators.linear_svm import fit_lines, sort_code
from keras_devae.metrics.estimators.scaling import column_exponents
from keras_devae.metrics.labelled import Split, check_labelled, per_factor, split_rows

# disentanglement_lib's weight of the loss.
PENALTY = 0.01

METRIC = Metric(
    "sap",
    takes="split",
    description="separated attribute predictability (Kumar et al. 2018)",
    numbers={
        "score": Number(
            "How much better the best latent predicts a factor than the second best does. Higher "
            "is better; even a perfect code reaches about 0.5, of a continuous factor 1."
        )
    },
    continuous="native",
    place=50,
)


def sap(
    codes: Array,
    factors: Array,
    *,
    continuous_factors: bool = False,
    continuous: Continuous = (),
    n_train: int | None = None,
    factor_names: Iterable[str] | None = None,
    seed: int | None = 0,
) -> Score:
    """Separated attribute predictability (Kumar et al. 2018), as computed by disentanglement_lib.

    Each factor is predicted from each code alone; the score is the mean over factors of the gap
    between the two codes that predict it best, in `[0, 1]`. A factor's values are predicted by a
    linear support vector machine, one value against the rest (C 0.01, balanced weights), which is
    scored by its accuracy on the test rows. It is solved exactly, in a fraction of a second; the
    accuracies equal scikit-learn's `LinearSVC` where that converges.

    A line on one code cannot single out a middle value: a perfect code scores about 0.5, not 1. The
    weight C is fixed, so the scale and the offset of a code matter a little. Constant codes predict
    the same value for every row. With one code the second best is taken as 0; where every code is
    constant the score is 0.

    Args:
        codes: `(n, d)` codes, usually posterior means.
        factors: `(n, f)` whole-number factors.
        continuous_factors: Whether factors are quantities. They are then scored by the squared
            correlation with each code over the training rows; a code whose variance is at most
            1e-12 has 0, and a perfect code scores about 1.
        continuous: Names or column numbers of the factors that are quantities, where only some are,
            or with values that are no whole numbers; see `score_codes`.
        n_train: Number of rows that train, the first ones; `None` for two thirds.
        factor_names: As for `mig`.
        seed: As for `mig`.

    Returns:
        `sap.score`. `details`: `per_factor` and `best_codes` by factor name, `score_matrix` `(d,
        varying factors)` as nested lists, `constant_codes`.

    Raises:
        UsageError: If an array or a setting is wrong, or no factor varies.
    """
    flag("continuous_factors", continuous_factors)
    check_recorded_seed(seed)
    labelled = check_labelled(codes, factors, factor_names, continuous=continuous)
    split = split_rows(labelled, n_train)
    scores = _scores(split, continuous_factors)
    collapsed = len(split.constant_codes) == scores.shape[0]
    gaps = np.zeros(scores.shape[1]) if collapsed else gap_of_best_two(scores)
    details = {
        "per_factor": per_factor(split.names, gaps),
        "best_codes": dict(zip(split.names, scores.argmax(axis=0).tolist(), strict=True)),
        "score_matrix": scores.tolist(),
        "constant_codes": split.constant_codes,
    }
    settings = {
        "continuous_factors": bool(continuous_factors),
        "predictor": "squared_correlation" if continuous_factors else "linear_svm",
        "penalty": None if continuous_factors else PENALTY,
        "seed": seed,
        **split.settings,
    }
    return METRIC.score({"score": gaps.mean()}, details, settings)


def _scores(split: Split, all_continuous: bool) -> Array:
    """Scores `(d, f)` of each code for each factor: of quantities on the training rows."""
    from keras_devae.metrics.estimators.regression import squared_correlations

    scores = np.zeros((split.train_codes.shape[1], len(split.names)))
    columns = [split.train_measured.get(name) for name in split.names]
    classes = [i for i, values in enumerate(columns) if values is None]
    if all_continuous:
        whole = split.train_factors.T
        columns = [_numbers(whole[i]) if v is None else v for i, v in enumerate(columns)]
    elif classes:
        scores[:, classes] = _accuracies(split, classes)
    quantities = {i: values for i, values in enumerate(columns) if values is not None}
    if quantities:
        values = np.stack(list(quantities.values()), axis=1)
        scores[:, list(quantities)] = squared_correlations(split.train_codes, values)
    return scores


def _numbers(column: Array) -> Array:
    """Counts from the least value: float64 may not hold large numbers and their distances."""
    return (column.view(np.uint64) - column.min().view(np.uint64)).astype(np.float64)


def _accuracies(split: Split, factors: list[int]) -> Array:
    """Test accuracy `(d, f)` of the values of some factors predicted from each code."""
    train = np.asarray(split.train_codes, dtype=np.float64)
    test = np.asarray(split.test_codes, dtype=np.float64)
    exponents = np.maximum(column_exponents(train), column_exponents(test))
    values = [np.unique(column, return_inverse=True) for column in split.train_factors.T[factors]]
    tested_values = split.test_factors.T[factors]
    scores = np.empty((train.shape[1], len(values)))
    for i in range(len(scores)):
        code = sort_code(train[:, i], exponents[i])
        tested = code.transform(test[:, i])
        for j, (classes, labels) in enumerate(values):
            lines = fit_lines(code, labels, len(classes), PENALTY)
            predicted = classes[lines.predict(tested)]
            scores[i, j] = np.mean(predicted == tested_values[j])
    return scores
