"""How well random forests of growing depth predict each factor from all codes.

Continuous factors are predicted by regression, all others by classification.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from keras_devae.checks import Array
from keras_devae.metrics.estimators.boosting import Target, float32_codes, targets_of
from keras_devae.metrics.estimators.fitting import run_quietly
from keras_devae.metrics.labelled import Split
from keras_devae.process.machine import usable_cores

# A forest of deep trees for many classes holds hundreds of megabytes.
MOST_THREADS = 4


class ForestCurves(NamedTuple):
    """Test scores `(depths, f)`, accuracies or R squared, and importances `(depths, d, f)`.

    Importances of a factor sum to 1, or to 0 if no tree has a split.
    """

    scores: Array
    importances: Array


def grow_forests(
    split: Split, depths: Sequence[int], trees: int, seed: int, workers: int | None = None
) -> ForestCurves:
    """Fits and tests scikit-learn's random forests of each depth for each factor.

    `workers` is the number of threads, of which at most 4 are used (`None`: one per usable
    processor); it does not affect the result.
    """
    train, test = float32_codes(split.train_codes, split.test_codes)

    def grown(target: Target) -> list[tuple[float, Array]]:
        return _curve(target, train, test, depths, trees, seed)

    threads = min(workers or usable_cores(), MOST_THREADS)
    with ThreadPoolExecutor(threads) as pool:
        curves, _ = run_quietly(lambda: list(pool.map(grown, targets_of(split))))
    scores = np.array([[score for score, _ in curve] for curve in curves]).T
    importances = np.array([[found for _, found in curve] for curve in curves])
    return ForestCurves(scores, np.moveaxis(importances, 0, -1))


def _curve(
    target: Target, train: Array, test: Array, depths: Sequence[int], trees: int, seed: int
) -> list[tuple[float, Array]]:
    """Returns the test score and the importances `(d,)` for each depth, in ascending order."""
    kind = RandomForestRegressor if target.is_measured else RandomForestClassifier
    curve: list[tuple[float, Array]] = []
    for depth in depths:
        model = kind(n_estimators=trees, max_depth=depth, random_state=seed)
        model.fit(train, target.train)
        score = target.quality(target.test, model.predict(test))
        curve.append((score, model.feature_importances_))
        if max(tree.get_depth() for tree in model.estimators_) < depth:
            # No tree was cut off: with more depth, all of them would be the same.
            return curve + curve[-1:] * (len(depths) - len(curve))
    return curve
