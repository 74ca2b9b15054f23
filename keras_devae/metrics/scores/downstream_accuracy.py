"""How well factors are predicted from codes, by the number of labelled samples."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from keras_devae.checks import Array, listed, shown
from keras_devae.errors import UsageError
from keras_devae.metrics.arguments import MOST_SEED_OF_A_FIT, check_names_of, check_seed, is_whole
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.estimators.scaling import standardized
from keras_devae.metrics.labelled import Split, check_labelled, per_factor, split_rows
from keras_devae.metrics.metric_warnings import warn

# Those of the study: its efficiency compares a hundred labels with ten thousand.
FEW, MANY = 100, 10_000
SIZES = (10, FEW, 1000, MANY)
#: Predictor -> what it is called in a sentence.
PREDICTORS = {"logistic_regression": "a logistic regression", "gradient_boosting": "boosted trees"}

METRIC = Metric(
    "downstream_accuracy",
    takes="split",
    description=(
        "accuracy of predictors of the factors from few and many labels (Locatello et al. 2019)"
    ),
    numbers={
        f"{name}_{number}": Number(meaning)
        for name, words in PREDICTORS.items()
        for number, meaning in (
            *(
                (
                    size,
                    f"Share of the factors' values that {words} predicts correctly from the codes, "
                    f"after {size:,} labelled images. Higher is better.",
                )
                for size in SIZES
            ),
            (
                "sample_efficiency",
                f"Accuracy of {words} after 100 labelled images as a share of that after 10,000: "
                "near 1, few labels are enough.",
            ),
        )
    },
    fast={"predictors": ("logistic_regression",), "train_sizes": (10, 100, 1000)},
    place=100,
)


def downstream_accuracy(
    codes: Array,
    factors: Array,
    *,
    predictors: Iterable[str] = tuple(PREDICTORS),
    train_sizes: Iterable[int] = SIZES,
    n_train: int | None = None,
    factor_names: Iterable[str] | None = None,
    seed: int = 0,
) -> Score:
    """Accuracy of predicting each factor from all codes (Locatello et al. 2019).

    Predictors are trained on the first 10, 100, ... rows and tested on the rows from `n_train` on;
    an accuracy is the mean over factors. The sample efficiency is the accuracy with 100 samples
    divided by that with 10,000, where both were asked for.

    The predictors are cheaper than the study's, and numbers close to but not the same as its:
    `"logistic_regression"` is scikit-learn's `LogisticRegression` (C = 1) on codes standardised by
    the training rows, where the study chooses C by 10-fold cross-validation; `"gradient_boosting"`
    is `HistGradientBoostingClassifier` (100 rounds, no early stopping), where the study uses
    `GradientBoostingClassifier`. Boosting leaves have at least 20 samples, so that from 10 samples
    it predicts the most common value. All four sizes take it about 35 s with the 113 values of the
    factors of dSprites and 10 codes, and more with more codes.

    Constant factors, and those constant over the first `n_train` rows, are dropped with a
    `MetricWarning`. A factor with a single value in the rows of a size is predicted to have it
    always. Collapsed codes give the accuracy of a constant prediction, with a `MetricWarning`.
    Neither predictor depends on the scale of a code.

    Args:
        codes: `(n, d)` codes, usually posterior means, in random order.
        factors: `(n, f)` whole-number factors.
        predictors: `"logistic_regression"`, `"gradient_boosting"`, or both (default).
        train_sizes: Numbers of training rows. Those above `n_train` are left out, with a
            `MetricWarning`.
        n_train: Number of rows that can train, the rest test; `None` for two thirds, rounded down.
        factor_names: A name for each factor; `None` for `factor_0`, `factor_1`, ...
        seed: Seed of the predictors. As they are set, nothing in them is random.

    Returns:
        For each predictor and size `downstream_accuracy.<predictor>_<size>`, and for each predictor
        with both sizes `downstream_accuracy.<predictor>_sample_efficiency`. `details`: `accuracies`
        by predictor, size (a string) and factor name; `most_common_value`, by factor name, the
        accuracy of predicting the value that is most common in the first `n_train` rows;
        `constant_codes`. `settings`: `train_sizes` are those used.

    Raises:
        UsageError: If an array or a setting is wrong, or no factor varies.
    """
    predictors = check_names_of("predictor", predictors, PREDICTORS)
    sizes = _check_sizes(train_sizes)
    check_seed(seed, MOST_SEED_OF_A_FIT)
    split = split_rows(check_labelled(codes, factors, factor_names), n_train)
    n_train = split.settings["n_train"]
    used = [size for size in sizes if size <= n_train] or [n_train]
    if left_out := ", ".join(str(size) for size in sizes if size not in used):
        warn(
            f"downstream_accuracy leaves out train sizes above the {n_train} rows that train: "
            f"{left_out}."
        )
    failed: dict[str, bool] = {}
    accuracies = _accuracies(split, predictors, used, seed, failed)
    if failed:
        warn(
            "The logistic regression of downstream_accuracy did not converge for "
            f"{', '.join(failed)}; its accuracy may be slightly off."
        )
    details = {
        "accuracies": {
            name: {str(size): per_factor(split.names, one) for size, one in by_size.items()}
            for name, by_size in accuracies.items()
        },
        "most_common_value": per_factor(split.names, _most_common_accuracy(split)),
        "constant_codes": split.constant_codes,
    }
    settings = {"predictors": predictors, "train_sizes": used, "seed": seed, **split.settings}
    values = _values(accuracies)
    return METRIC.score(values, details, settings, libraries=("scikit-learn",))


def _accuracies(
    split: Split, predictors: list[str], sizes: list[int], seed: int, failed: dict[str, bool]
) -> dict[str, dict[int, list[float]]]:
    """Returns accuracies by predictor and size, each with one value per factor.

    The names of factors whose predictor stopped before it converged become keys of `failed`.
    """
    from keras_devae.metrics.estimators.fitting import run_quietly

    accuracies: dict[str, dict[int, list[float]]] = {name: {} for name in predictors}
    codes = np.concatenate([split.train_codes, split.test_codes])
    for size in sizes:
        columns = standardized(codes, size)
        train, test = columns[:size], columns[len(split.train_codes) :]
        for name in predictors:
            accuracies[name][size] = []
            labels = zip(split.names, split.train_factors.T, split.test_factors.T, strict=True)
            for factor, known, asked in labels:
                predictor = _predictor(name, seed)
                task = partial(_accuracy, predictor, train, known[:size], test, asked)
                accuracy, early = run_quietly(task)
                accuracies[name][size].append(accuracy)
                failed.update({factor: True} if early else {})
    return accuracies


def _accuracy(predictor: Any, train: Array, known: Array, test: Array, asked: Array) -> float:
    if np.all(known == known[0]):
        return np.mean(asked == known[0])
    return np.mean(predictor.fit(train, known).predict(test) == asked)


def _predictor(name: str, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    if name == "logistic_regression":
        return LogisticRegression(max_iter=1000, random_state=seed)
    return HistGradientBoostingClassifier(early_stopping=False, random_state=seed)


def _values(accuracies: dict[str, dict[int, list[float]]]) -> dict[str, float]:
    values: dict[str, float] = {}
    for name, by_size in accuracies.items():
        means = {size: float(np.mean(one)) for size, one in by_size.items()}
        values.update({f"{name}_{size}": mean for size, mean in means.items()})
        if FEW in means and MANY in means:
            # No sample right out of many is no efficiency either.
            values[f"{name}_sample_efficiency"] = means[FEW] / means[MANY] if means[MANY] else 0.0
    return values


def _most_common_accuracy(split: Split) -> list[float]:
    commonest = []
    for known, asked in zip(split.train_factors.T, split.test_factors.T, strict=True):
        values, counts = np.unique(known, return_counts=True)
        commonest.append(np.mean(asked == values[counts.argmax()]))
    return commonest


def _check_sizes(train_sizes: Iterable[int]) -> list[int]:
    sizes = listed("train_sizes", train_sizes, "whole numbers of at least 1")
    if not sizes or not all(map(is_whole, sizes)) or min(sizes) < 1:
        raise UsageError(
            f"`train_sizes` must be whole numbers of at least 1. Received: {shown(sizes)}."
        )
    return sorted({int(size) for size in sizes})
