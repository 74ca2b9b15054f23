"""Boosted trees that predict each factor from all codes, and how important each code was.

Continuous factors are predicted by regression, all others by classification.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.metrics.estimators.fitting import run_quietly
from keras_devae.metrics.estimators.regression import r_squared
from keras_devae.metrics.estimators.scaling import column_exponents, standardized
from keras_devae.metrics.labelled import Split
from keras_devae.process.machine import usable_cores

# The defaults of GradientBoostingClassifier and GradientBoostingRegressor.
STAGES = 100
LEARNING_RATE = 0.1
DEPTH = 3
# Columns beyond these powers of two are rescaled to about 1, so that float32 and the trees can tell
# their values apart: scikit-learn's trees treat values closer than 1e-7 as equal.
SMALL, LARGE = -20, 100


class Boosted(NamedTuple):
    """The result of predicting each factor by boosted trees.

    Each column of `importances` `(d, f)` sums to 1, or to 0 if no tree has a split; scores are
    `(f,)`: accuracies, or R squared of continuous factors.
    """

    importances: Array
    train_scores: Array
    test_scores: Array


class Target(NamedTuple):
    """What is predicted: the classes or, if `is_measured`, the values of a factor."""

    train: Array
    test: Array
    is_measured: bool

    def score(self, predict: Callable[[Array], Array], train: Array, test: Array) -> list[float]:
        """Returns how well it is predicted from the codes of the two parts."""
        parts = ((self.train, predict(train)), (self.test, predict(test)))
        return [self.quality(known, predicted) for known, predicted in parts]

    def quality(self, known: Array, predicted: Array) -> float:
        """Returns the accuracy or, of measured values, R squared of predictions `(n,)`."""
        if self.is_measured:
            return r_squared(known, predicted)
        return float(np.mean(known == predicted))


def boost(split: Split, seed: int, workers: int | None = None, stages: int = STAGES) -> Boosted:
    """Fits and tests scikit-learn's gradient boosting with its defaults per factor, in threads.

    The seed, every predictor's `random_state`, breaks ties between splits. `workers` is the number
    of threads (`None`: one per usable processor) and does not affect the result; `stages` is the
    number of trees for each value.
    """
    train, test = float32_codes(split.train_codes, split.test_codes)

    def fitted(target: Target) -> tuple[Array, Callable[[Array], Array]]:
        kind = GradientBoostingRegressor if target.is_measured else GradientBoostingClassifier
        model = kind(n_estimators=stages, random_state=seed)
        model.fit(train, target.train)
        trees = (tree.tree_ for tree in model.estimators_.ravel())
        # `feature_importances_` averages these first, which changes the last digit.
        gains = sum(tree.compute_feature_importances(normalize=False) for tree in trees)
        return gains / (gains.sum() or 1.0), model.predict

    # Factors with the most values take longest, so they start first.
    targets = targets_of(split)
    sizes = [-1 if one.is_measured else -len(np.unique(one.train)) for one in targets]
    order = np.argsort(sizes, kind="stable")
    with ThreadPoolExecutor(workers or usable_cores()) as pool:
        models, _ = run_quietly(lambda: list(pool.map(fitted, [targets[i] for i in order])))
    return _tested([models[place] for place in np.argsort(order)], targets, train, test)


def boost_with_lightgbm(split: Split, seed: int, workers: int | None = None) -> Boosted:
    """Fits and tests a LightGBM predictor per factor, with as many and as deep trees as `boost`.

    LightGBM bins codes first and takes a fraction of the time; importances are gains. It uses one
    thread by default: on a busy machine, several threads spend most of their time waiting for each
    other. The number of threads does not affect the result.
    """
    try:
        import lightgbm
    except ImportError as error:
        raise UsageError(
            "The predictor 'lightgbm' needs LightGBM, which is not installed: "
            "`pip install lightgbm`, or use predictor='gradient_boosting'."
        ) from error
    train, test = float32_codes(split.train_codes, split.test_codes)
    # More threads than processors only wait for each other, and too many cannot be started.
    threads = min(workers or 1, usable_cores())
    fixed = {
        "max_depth": DEPTH,
        "num_leaves": 2**DEPTH,
        "learning_rate": LEARNING_RATE,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        "verbosity": -1,
        "seed": seed % 2**31,
        # With the default of 20 rows, LightGBM finds no split in a small sample.
        "min_data_in_leaf": min(20, max(1, len(train) // 100)),
    }

    def fitted(target: Target) -> tuple[Array, Callable[[Array], Array]]:
        task: dict[str, Any] = {"objective": "binary"}
        values, labels = np.unique(target.train, return_inverse=True)
        if target.is_measured:
            task, labels = {"objective": "regression"}, target.train
        elif len(values) > 2:
            task = {"objective": "multiclass", "num_class": len(values)}
        data = lightgbm.Dataset(train, labels, params={"verbosity": -1})
        model = lightgbm.train({**fixed, **task}, data, STAGES)
        gains = model.feature_importance("gain")

        def predict(codes: Array) -> Array:
            found = np.asarray(model.predict(codes, num_threads=threads))
            if target.is_measured:
                return found
            places = found > 0.5 if found.ndim == 1 else found.argmax(axis=1)
            return values[places.astype(np.int64)]

        return gains / (gains.sum() or 1.0), predict

    targets = targets_of(split)
    return _tested([fitted(target) for target in targets], targets, train, test)


def float32_codes(train: Array, test: Array) -> tuple[Array, Array]:
    """Returns finite codes `(n, d)` and `(m, d)` as float32, for the trees.

    Columns whose largest value is beyond 2^100 or below 2^-20 are multiplied by a power of two.
    """
    codes = np.concatenate([train, test]).astype(np.float64, copy=False)
    exponents = column_exponents(codes)
    exponents = np.where((exponents > LARGE) | (exponents < SMALL), exponents, 0)
    codes = np.ldexp(codes, -exponents).astype(np.float32)
    return codes[: len(train)], codes[len(train) :]


def targets_of(split: Split) -> list[Target]:
    """Returns what is predicted of each factor.

    Measured values are standardised, so that trees tell values of any unit apart.
    """
    targets = []
    for name, known, asked in zip(
        split.names, split.train_factors.T, split.test_factors.T, strict=True
    ):
        if (values := split.train_measured.get(name)) is None:
            targets.append(Target(known, asked, False))
            continue
        both = np.concatenate([values, split.test_measured[name]])
        both = standardized(both[:, None], len(values))[:, 0]
        targets.append(Target(both[: len(values)], both[len(values) :], True))
    return targets


def _tested(
    models: list[tuple[Array, Callable[[Array], Array]]],
    targets: list[Target],
    train: Array,
    test: Array,
) -> Boosted:
    """Combines importances with the scores of the predictors of each factor."""
    scores = [
        target.score(predict, train, test)
        for target, (_, predict) in zip(targets, models, strict=True)
    ]
    return Boosted(np.stack([found for found, _ in models], axis=1), *np.transpose(scores))
