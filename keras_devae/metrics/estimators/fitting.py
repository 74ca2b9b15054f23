"""Fits scikit-learn estimators for metrics: without its warnings, in one thread."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from keras_devae.checks import Array
from keras_devae.metrics.estimators.scaling import standardized
from keras_devae.metrics.labelled import Split
from keras_devae.metrics.metric_warnings import warn

# Factors may have many values: each value is a class, however few samples it has.
MANY_CLASSES = "The number of unique classes is greater than"

_Value = TypeVar("_Value")


def run_quietly(function: Callable[[], _Value]) -> tuple[_Value, bool]:
    """Calls a function that fits estimators; returns its value and whether any did not converge.

    Passes warnings on, except convergence warnings and scikit-learn's doubt that labels with many
    values are classes. Limits BLAS and OpenMP to one thread: about as fast on a metric's few rows,
    up to a hundred times faster on a busy machine, where threads wait for each other, and the same
    numbers everywhere.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        warnings.filterwarnings("ignore", message=MANY_CLASSES)
        with threadpool_limits(limits=1):
            value = function()
    others = [one for one in caught if not issubclass(one.category, ConvergenceWarning)]
    for one in others:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return value, len(others) < len(caught)


class FactorModels(NamedTuple):
    """A fitted model for each factor, and its input, the standardised codes `(n, d)`."""

    models: list[LogisticRegression]
    train: Array
    test: Array


def fit_factors(split: Split, metric: str) -> FactorModels:
    """Fits scikit-learn's `LogisticRegression()` to each factor on standardised codes.

    A `MetricWarning` names the metric and the factors whose solver did not converge within its 100
    iterations; the model is used as it is.
    """
    rows = len(split.train_codes)
    codes = standardized(np.concatenate([split.train_codes, split.test_codes]), rows)
    models, stopped = [], []
    for name, column in zip(split.names, split.train_factors.T, strict=True):
        model = LogisticRegression()
        _, early = run_quietly(partial(model.fit, codes[:rows], column))
        models.append(model)
        stopped += [name] if early else []
    if stopped:
        warn(
            f"{metric}: the logistic regression stopped after {model.max_iter} iterations before "
            f"it converged, for {', '.join(stopped)}; the scores are of what it had reached."
        )
    return FactorModels(models, codes[:rows], codes[rows:])
