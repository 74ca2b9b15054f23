"""Boosted trees of LightGBM, which bins codes first: a fraction of the time of scikit-learn's.

LightGBM is imported when it is needed, so that all else works where it is missing.
"""

import numpy as np

from keras_devae.errors import UsageError
from keras_devae.metrics.boosting import (
    DEPTH,
    LEARNING_RATE,
    STAGES,
    Boosted,
    float32_codes,
)
from keras_devae.metrics.inputs import Split
from keras_devae.process.machine import usable_cores


def boost_with_lightgbm(split: Split, seed: int, workers: int | None = None) -> Boosted:
    """Fits and tests a classifier of each factor, with as many and as deep trees as `boost`.

    Args:
        split: The samples; codes of any finite size.
        seed: Seed of every factor's classifier.
        workers: Number of threads, or `None` for one: beside other work, more of them spend most of
            their time waiting for each other. The result is the same with any number.

    Returns:
        The `Boosted`; importances are gains.

    Raises:
        UsageError: If LightGBM is not installed.
    """
    lightgbm = _import_lightgbm()
    train, test = float32_codes(split.train_codes, split.test_codes)
    # More than there are processors only wait for each other, and too many are not to be had.
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
        # With its default of 20 rows it finds no tree in a small sample.
        "min_data_in_leaf": min(20, max(1, len(train) // 100)),
    }
    columns = []
    for of_train, of_test in zip(split.train_factors.T, split.test_factors.T, strict=True):
        values, labels = np.unique(of_train, return_inverse=True)
        task = {"objective": "binary"}
        if len(values) > 2:
            task = {"objective": "multiclass", "num_class": len(values)}
        data = lightgbm.Dataset(train, labels, params={"verbosity": -1})
        model = lightgbm.train({**fixed, **task}, data, STAGES)
        gains = model.feature_importance("gain")
        accuracies = [
            np.mean(values[_classes(model.predict(codes, num_threads=threads))] == column)
            for codes, column in ((train, of_train), (test, of_test))
        ]
        columns.append((gains / (gains.sum() or 1.0), *accuracies))
    importances, of_train, of_test = zip(*columns, strict=True)
    return Boosted(np.stack(importances, axis=1), np.array(of_train), np.array(of_test))


def _classes(probabilities):
    if probabilities.ndim == 1:
        return (probabilities > 0.5).astype(np.int64)
    return probabilities.argmax(axis=1)


def _import_lightgbm():
    try:
        import lightgbm
    except ImportError as error:
        raise UsageError(
            "The predictor 'lightgbm' needs LightGBM, which is not installed: "
            "`pip install lightgbm`, or use predictor='gradient_boosting'."
        ) from error
    return lightgbm
