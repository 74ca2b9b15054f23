"""Logistic regressions from all codes to each factor, which several metrics score."""

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.linear_model import LogisticRegression

from keras_devae.metrics.fitting import run_quietly
from keras_devae.metrics.inputs import MetricWarning, Split
from keras_devae.metrics.standardization import standardized


class FactorModels(NamedTuple):
    """A fitted model for each factor, and the codes it takes.

    Attributes:
        models: `f` fitted estimators.
        train: Standardised training codes `(n_train, d)`.
        test: Test codes, shifted and scaled like the training codes.
    """

    models: list[LogisticRegression]
    train: np.ndarray
    test: np.ndarray


def fit_factors(split: Split, metric: str, stacklevel: int = 3) -> FactorModels:
    """Fits scikit-learn's `LogisticRegression()` to each factor on standardised codes.

    Args:
        split: The samples.
        metric: Name of the metric, for the warning.
        stacklevel: Where warnings point to, as for `warnings.warn`; 3 is the caller's caller.

    Returns:
        The `FactorModels`. Where a solver stopped at its 100 iterations before it converged, a
        `MetricWarning` names the metric and the factors; its model is used as it is.
    """
    rows = len(split.train_codes)
    codes = standardized(np.concatenate([split.train_codes, split.test_codes]), rows)
    models, stopped = [], []
    for name, column in zip(split.names, split.train_factors.T, strict=True):
        model = LogisticRegression()
        _, early = run_quietly(lambda model=model, column=column: model.fit(codes[:rows], column))
        models.append(model)
        stopped += [name] if early else []
    if stopped:
        warnings.warn(
            f"{metric}: the logistic regression stopped after {model.max_iter} iterations before "
            f"it converged, for {', '.join(stopped)}; the scores are of what it had reached.",
            MetricWarning,
            stacklevel=stacklevel,
        )
    return FactorModels(models, codes[:rows], codes[rows:])
