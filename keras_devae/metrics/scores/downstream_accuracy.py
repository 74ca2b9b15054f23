"""How well factors are predicted from codes, by the number of labelled samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from keras_devae.checks import Array, listed, shown
from keras_devae.errors import UsageError
from keras_devae.metrics.arguments import MOST_SEED_OF_A_FIT, check_names_of, check_seed, is_whole
from keras_devae.metrics.base import Metric, Number, Score
from keras_devae.metrics.continuous_factors import Continuous
from keras_devae.metrics.estimators.scaling import standardized
from keras_devae.metrics.labelled import Split, check_labelled, per_factor, split_rows
from keras_devae.metrics.metric_warnings import warn

# Those of the study: its efficiency compares a hundred labels with ten thousand.
FEW, MANY = 100, 10_000
SIZES = (10, FEW, 1000, MANY)
#: Predictor -> what it is called in a sentence.
PREDICTORS = {"logistic_regression": "a logistic regression", "gradient_boosting": "boosted trees"}
#: Predictor -> its counterpart for continuous factors, and what that is called in a sentence.
REGRESSIONS = {
    "logistic_regression": ("ridge_regression", "a ridge regression"),
    "gradient_boosting": ("gradient_boosting", "boosted trees"),
}

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
    }
    | {
        f"{name}_{size}_r_squared": Number(
            f"Share of the continuous factors' variance that {words} predicts from the codes, "
            f"after {size:,} labelled images; at most 1, negative if predicting the mean would be "
            "better. Higher is better."
        )
        for name, words in REGRESSIONS.values()
        for size in SIZES
    },
    continuous="native",
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
    continuous: Continuous = (),
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

    Continuous factors are predicted by regression, scikit-learn's `Ridge()` in place of the
    logistic regression and `HistGradientBoostingRegressor` in place of the classifier, and scored
    by R squared under keys of their own; accuracies are of the other factors only.

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
        continuous: Names or column numbers of the factors that are measured quantities, see
            `score_codes`. Default: none.
        factor_names: A name for each factor; `None` for `factor_0`, `factor_1`, ...
        seed: Seed of the predictors. As they are set, nothing in them is random.

    Returns:
        For each predictor and size `downstream_accuracy.<predictor>_<size>`, and for each predictor
        with both sizes `downstream_accuracy.<predictor>_sample_efficiency`. With continuous factors
        `downstream_accuracy.<regression>_<size>_r_squared`, and the others only if there are other
        factors. `details`: `accuracies` and, with continuous factors, `r_squared`, by predictor,
        size (a string) and factor name; `most_common_value`, by factor name, the accuracy of
        predicting the value that is most common in the first `n_train` rows; `constant_codes`.
        `settings`: `train_sizes` are those used.

    Raises:
        UsageError: If an array or a setting is wrong, or no factor varies.
    """
    predictors = check_names_of("predictor", predictors, PREDICTORS)
    sizes = _check_sizes(train_sizes)
    check_seed(seed, MOST_SEED_OF_A_FIT)
    labelled = check_labelled(codes, factors, factor_names, continuous=continuous)
    split = split_rows(labelled, n_train)
    n_train = split.settings["n_train"]
    used = [size for size in sizes if size <= n_train] or [n_train]
    if left_out := ", ".join(str(size) for size in sizes if size not in used):
        warn(
            f"downstream_accuracy leaves out train sizes above the {n_train} rows that train: "
            f"{left_out}."
        )
    classes, quantities = _targets(split)
    failed: dict[str, bool] = {}
    accuracies = _scores(split, classes, _classifier, predictors, used, seed, failed)
    if failed:
        warn(
            "The logistic regression of downstream_accuracy did not converge for "
            f"{', '.join(failed)}; its accuracy may be slightly off."
        )
    explained = _scores(split, quantities, _regressor, predictors, used, seed, failed)
    explained = {REGRESSIONS[name][0]: by_size for name, by_size in explained.items()}
    details = {
        "accuracies": _by_factor(accuracies, classes),
        **({"r_squared": _by_factor(explained, quantities)} if quantities else {}),
        "most_common_value": {one.name: _most_common_accuracy(one) for one in classes},
        "constant_codes": split.constant_codes,
    }
    settings = {"predictors": predictors, "train_sizes": used, "seed": seed, **split.settings}
    values = {**_values(accuracies), **_values_of_regression(explained)}
    return METRIC.score(values, details, settings, libraries=("scikit-learn",))


class _Target(NamedTuple):
    """What is predicted of a factor, on the rows that train and on those that test."""

    name: str
    known: Array
    asked: Array


def _targets(split: Split) -> tuple[list[_Target], list[_Target]]:
    """Returns the classes of the factors that have them, and the values of the continuous ones."""
    columns = zip(split.names, split.train_factors.T, split.test_factors.T, strict=True)
    classes = [_Target(*of) for of in columns if of[0] not in split.train_measured]
    quantities = [
        _Target(name, known, split.test_measured[name])
        for name, known in split.train_measured.items()
    ]
    return classes, quantities


def _scores(
    split: Split,
    targets: list[_Target],
    make: Callable[[str, int], Any],
    predictors: list[str],
    sizes: list[int],
    seed: int,
    failed: dict[str, bool],
) -> dict[str, dict[int, list[float]]]:
    """Returns scores by predictor and size, each with one value per target; none of no targets.

    The names of factors whose predictor stopped before it converged become keys of `failed`.
    """
    from keras_devae.metrics.estimators.fitting import run_quietly

    if not targets:
        return {}
    scores: dict[str, dict[int, list[float]]] = {name: {} for name in predictors}
    codes = np.concatenate([split.train_codes, split.test_codes])
    for size in sizes:
        columns = standardized(codes, size)
        train, test = columns[:size], columns[len(split.train_codes) :]
        for name in predictors:
            scores[name][size] = []
            for target in targets:
                score = _accuracy if make is _classifier else _r_squared
                task = partial(score, make(name, seed), train, target.known[:size], test)
                value, early = run_quietly(partial(task, target.asked))
                scores[name][size].append(value)
                failed.update({target.name: True} if early else {})
    return scores


def _accuracy(predictor: Any, train: Array, known: Array, test: Array, asked: Array) -> float:
    if np.all(known == known[0]):
        return np.mean(asked == known[0])
    return np.mean(predictor.fit(train, known).predict(test) == asked)


def _r_squared(predictor: Any, train: Array, known: Array, test: Array, asked: Array) -> float:
    from keras_devae.metrics.estimators.regression import r_squared

    # In deviations of the rows that train, so that the penalty does not depend on the unit.
    both = standardized(np.concatenate([known, asked])[:, None], len(known))[:, 0]
    known, asked = both[: len(known)], both[len(known) :]
    return r_squared(asked, predictor.fit(train, known).predict(test))


def _classifier(name: str, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    if name == "logistic_regression":
        return LogisticRegression(max_iter=1000, random_state=seed)
    return HistGradientBoostingClassifier(early_stopping=False, random_state=seed)


def _regressor(name: str, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import Ridge

    if name == "logistic_regression":
        return Ridge()
    return HistGradientBoostingRegressor(early_stopping=False, random_state=seed)


def _by_factor(
    scores: dict[str, dict[int, list[float]]], targets: list[_Target]
) -> dict[str, dict[str, dict[str, float]]]:
    names = [target.name for target in targets]
    return {
        name: {str(size): per_factor(names, one) for size, one in by_size.items()}
        for name, by_size in scores.items()
    }


def _values_of_regression(scores: dict[str, dict[int, list[float]]]) -> dict[str, float]:
    return {
        f"{name}_{size}_r_squared": float(np.mean(one))
        for name, by_size in scores.items()
        for size, one in by_size.items()
    }


def _values(accuracies: dict[str, dict[int, list[float]]]) -> dict[str, float]:
    values: dict[str, float] = {}
    for name, by_size in accuracies.items():
        means = {size: float(np.mean(one)) for size, one in by_size.items()}
        values.update({f"{name}_{size}": mean for size, mean in means.items()})
        if FEW in means and MANY in means:
            # No sample right out of many is no efficiency either.
            values[f"{name}_sample_efficiency"] = means[FEW] / means[MANY] if means[MANY] else 0.0
    return values


def _most_common_accuracy(target: _Target) -> float:
    values, counts = np.unique(target.known, return_counts=True)
    return float(np.mean(target.asked == values[counts.argmax()]))


def _check_sizes(train_sizes: Iterable[int]) -> list[int]:
    sizes = listed("train_sizes", train_sizes, "whole numbers of at least 1")
    if not sizes or not all(map(is_whole, sizes)) or min(sizes) < 1:
        raise UsageError(
            f"`train_sizes` must be whole numbers of at least 1. Received: {shown(sizes)}."
        )
    return sorted({int(size) for size in sizes})
