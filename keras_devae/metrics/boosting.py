"""Gradient boosting of several factors at once, equal to scikit-learn's and parallel.

scikit-learn's `GradientBoostingClassifier` grows its trees one after the other. Those of one stage,
one for each value of each factor, do not depend on each other: here threads grow them at the same
time, for all factors. Trees are scikit-learn's, in the same random state each, so that the result
is the same up to rounding, with any number of workers.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit
from scipy.stats import gmean
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.tree import DecisionTreeRegressor

from keras_devae.metrics.inputs import Split
from keras_devae.metrics.scaling import column_exponents
from keras_devae.process.machine import usable_cores

# The defaults of GradientBoostingClassifier.
STAGES = 100
LEARNING_RATE = 0.1
DEPTH = 3
# Columns are brought next to 1 where float32, or the trees, could not tell their values apart:
# scikit-learn's trees take values closer than 1e-7 as equal.
SMALL, LARGE = -20, 100
# Probabilities of 0 have no logarithm, and leaves without curvature no Newton step.
EPSILON = np.finfo(np.float64).eps
NO_CURVATURE = 1e-150
# Its criterion's name depends on the version; one that is deprecated has no effect any more.
CRITERION = getattr(GradientBoostingClassifier(), "criterion", "deprecated")
CRITERION = "squared_error" if CRITERION == "deprecated" else CRITERION


class Boosted(NamedTuple):
    """What predicting each factor by boosted trees gave.

    Attributes:
        importances: `(d, f)`, each column with sum 1, or 0 where no tree has a split.
        train_accuracies: `(f,)`.
        test_accuracies: `(f,)`.
    """

    importances: np.ndarray
    train_accuracies: np.ndarray
    test_accuracies: np.ndarray


def boost(split: Split, seed: int, workers: int | None = None, stages: int = STAGES) -> Boosted:
    """Fits and tests a classifier of each factor: `GradientBoostingClassifier()`.

    Args:
        split: The samples; codes of any finite size.
        seed: `random_state` of every factor's classifier; it breaks ties between splits.
        workers: Number of threads, or `None` for as many as there are usable processors. The result
            is the same with any number.
        stages: Number of trees for each value.

    Returns:
        The `Boosted`.
    """
    train, test = float32_codes(split.train_codes, split.test_codes)
    # Trees read a column at a time when they grow, and a row at a time when they predict.
    columns = np.asfortranarray(train)
    factors = [_Factor(column, len(test), seed, train.shape[1]) for column in split.train_factors.T]
    with ThreadPoolExecutor(workers or usable_cores()) as pool:
        for _ in range(stages):
            trees = [tree for factor in factors for tree in factor.next_trees()]
            gains = pool.map(lambda tree: tree.grow(columns, train, test), trees)
            # Added in the order of the trees, whichever was ready first: sums depend on it.
            for tree, gain in zip(trees, gains, strict=True):
                tree.factor.gains += gain
    train_columns, test_columns = split.train_factors.T, split.test_factors.T
    return Boosted(
        np.stack([factor.importances() for factor in factors], axis=1),
        np.array([f.accuracy("train", c) for f, c in zip(factors, train_columns, strict=True)]),
        np.array([f.accuracy("test", c) for f, c in zip(factors, test_columns, strict=True)]),
    )


def float32_codes(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns codes as trees take them, float32, with very large and very small columns scaled.

    Args:
        train: `(n, d)` finite codes.
        test: `(m, d)` finite codes.

    Returns:
        Float32 arrays `(n, d)` and `(m, d)`. Columns whose largest value is beyond 2^100 or below
        2^-20 are multiplied by a power of two.
    """
    codes = np.concatenate([train, test]).astype(np.float64, copy=False)
    exponents = column_exponents(codes)
    exponents = np.where((exponents > LARGE) | (exponents < SMALL), exponents, 0)
    codes = np.ldexp(codes, -exponents).astype(np.float32)
    return codes[: len(train)], codes[len(train) :]


class _Factor:
    """How far the boosting of one factor has come: its raw predictions and its importances."""

    def __init__(self, column, test_count, seed, code_count):
        self.values, self.labels = np.unique(column, return_inverse=True)
        count = len(self.values)
        shares = np.clip(np.bincount(self.labels) / len(column), EPSILON, 1 - EPSILON)
        # One tree a stage tells two values apart.
        self.classes = [1] if count == 2 else list(range(count))
        self.step = 1.0 if count == 2 else (count - 1) / count
        start = logit(shares[1:]) if count == 2 else np.log(shares / gmean(shares))
        self.raw = {
            "train": np.repeat(start[:, None], len(column), axis=1),
            "test": np.repeat(start[:, None], test_count, axis=1),
        }
        self.random = np.random.RandomState(seed)
        self.gains = np.zeros(code_count)

    def next_trees(self) -> list["_Tree"]:
        """Returns the trees of the next stage, to be grown in any order."""
        residuals = _residuals(self.labels, self.raw["train"])
        return [
            _Tree(self, i, (self.labels == value).astype(np.float64), target, self._next_random())
            for i, (value, target) in enumerate(zip(self.classes, residuals, strict=True))
        ]

    def _next_random(self):
        """Copies the random state, and advances it by the one draw that a tree makes of it."""
        copy = np.random.RandomState()
        copy.set_state(self.random.get_state(legacy=False))
        self.random.randint(0, np.iinfo(np.int32).max)
        return copy

    def importances(self):
        total = self.gains.sum()
        return self.gains / total if total > 0 else self.gains

    def accuracy(self, part, column):
        raw = self.raw[part]
        chosen = (raw[0] >= 0).astype(np.int64) if len(raw) == 1 else raw.argmax(axis=0)
        return np.mean(self.values[chosen] == column)


class _Tree(NamedTuple):
    """A tree to grow: for which factor and value, and towards which residuals."""

    factor: _Factor
    index: int
    truth: np.ndarray
    residuals: np.ndarray
    random: np.random.RandomState

    def grow(self, columns, train, test):
        """Fits the tree, adds it to the raw predictions, and returns what each code gained."""
        model = DecisionTreeRegressor(
            criterion=CRITERION, max_depth=DEPTH, random_state=self.random
        ).fit(columns, self.residuals, check_input=False)
        leaves = model.tree_.apply(train)
        steps = np.zeros(model.tree_.node_count)
        for leaf in np.flatnonzero(model.tree_.children_left < 0):
            steps[leaf] = LEARNING_RATE * self._newton_step(np.flatnonzero(leaves == leaf))
        self.factor.raw["train"][self.index] += steps[leaves]
        self.factor.raw["test"][self.index] += steps[model.tree_.apply(test)]
        return model.tree_.compute_feature_importances(normalize=False)

    def _newton_step(self, rows):
        # Summed the way that scikit-learn does: the last digit decides between splits that tie.
        residuals = self.residuals[rows]
        probabilities = self.truth[rows] - residuals
        curvature = np.mean(probabilities * (1 - probabilities))
        if abs(curvature) < NO_CURVATURE:
            return 0.0
        return np.mean(residuals) * self.factor.step / curvature


def _residuals(labels, raw):
    """What raw predictions `(trees, n)` leave of the labels: truth minus probability."""
    try:
        from sklearn._loss import HalfBinomialLoss, HalfMultinomialLoss
    except ImportError:
        return _own_residuals(labels, raw)
    # This private class has been there since scikit-learn 1.1, and equals to the last digit.
    loss = HalfBinomialLoss() if len(raw) == 1 else HalfMultinomialLoss(n_classes=len(raw))
    raw = raw[0] if len(raw) == 1 else raw.T
    residuals = -loss.gradient(y_true=labels.astype(np.float64), raw_prediction=raw)
    return np.ascontiguousarray(np.atleast_2d(residuals.T))


def _own_residuals(labels, raw):
    if len(raw) == 1:
        return labels[None, :] - expit(raw)
    odds = np.exp(raw - raw.max(axis=0))
    return (labels == np.arange(len(raw))[:, None]) - odds / odds.sum(axis=0)
