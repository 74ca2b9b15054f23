import json

import numpy as np
import pytest
import threadpoolctl
from sklearn.linear_model import LogisticRegression

from keras_devae.errors import UsageError
from keras_devae.metrics.metric_warnings import MetricWarning
from keras_devae.metrics.scores import downstream_accuracy as module
from keras_devae.metrics.scores.downstream_accuracy import downstream_accuracy

LOGISTIC = {"predictors": "logistic_regression"}
BOOSTING = {"predictors": "gradient_boosting"}


def separable(count=300, seed=0):
    factors = np.random.default_rng(seed).integers(0, [3, 2], size=(count, 2))
    return factors + 0.01 * np.random.default_rng(seed + 1).normal(size=(count, 2)), factors


def test_keys_and_details():
    codes, factors = separable()
    sizes, names = (10, 100), ["shape", "size"]
    scores = downstream_accuracy(codes, factors, train_sizes=sizes, factor_names=names, seed=4)
    expected = {
        f"downstream_accuracy.{name}_{size}" for name in module.PREDICTORS for size in sizes
    }
    assert {key for key in scores if "." in key} == expected
    assert scores["downstream_accuracy.logistic_regression_100"] == 1
    assert scores["downstream_accuracy.gradient_boosting_100"] > 0.95
    for name in module.PREDICTORS:
        for size in sizes:
            accuracies = scores["details"]["accuracies"][name][str(size)]
            assert list(accuracies) == names
            mean = np.mean(list(accuracies.values()))
            assert scores[f"downstream_accuracy.{name}_{size}"] == pytest.approx(mean)
    assert scores["settings"]["n_train"] == 200 and scores["settings"]["seed"] == 4
    assert scores["settings"]["train_sizes"] == [10, 100]
    assert json.loads(json.dumps(scores)) == scores


def test_sample_efficiency_needs_both_sizes(monkeypatch):
    monkeypatch.setattr(module, "FEW", 5)
    monkeypatch.setattr(module, "MANY", 150)
    codes, factors = separable()
    codes = codes + np.random.default_rng(3).normal(size=codes.shape)
    scores = downstream_accuracy(codes, factors, **LOGISTIC, train_sizes=(5, 150))
    few, many = (scores[f"downstream_accuracy.logistic_regression_{n}"] for n in (5, 150))
    efficiency = scores["downstream_accuracy.logistic_regression_sample_efficiency"]
    assert efficiency == pytest.approx(few / many) and few < many
    scores = downstream_accuracy(codes, factors, **LOGISTIC, train_sizes=(5,))
    assert not any("efficiency" in key for key in scores)


def test_more_labels_help_and_noise_stays_at_chance(load_case):
    codes, factors = load_case("a_perfect_dead")
    scores = downstream_accuracy(codes, factors, **LOGISTIC, train_sizes=(10, 100, 1000))
    accuracies = [value for key, value in scores.items() if "." in key]
    assert accuracies == sorted(accuracies) and accuracies[-1] > 0.99
    noise = downstream_accuracy(*load_case("d_noise"), **LOGISTIC, train_sizes=[1000])
    chance = np.mean(list(noise["details"]["most_common_value"].values()))
    assert noise["downstream_accuracy.logistic_regression_1000"] == pytest.approx(chance, abs=0.05)


def test_only_the_first_rows_train():
    codes, factors = separable()
    scores = downstream_accuracy(codes, factors, **LOGISTIC, train_sizes=[50], n_train=200)
    changed = codes.copy()
    changed[50:200] = 77
    assert scores == downstream_accuracy(
        changed, factors, **LOGISTIC, train_sizes=[50], n_train=200
    )


def test_sizes_above_the_training_rows_are_left_out():
    codes, factors = separable()
    with pytest.warns(MetricWarning, match="above the 200 rows that train: 1000, 10000") as record:
        scores = downstream_accuracy(codes, factors, **LOGISTIC)
    assert record[0].filename == __file__
    assert scores["settings"]["train_sizes"] == [10, 100]
    with pytest.warns(MetricWarning, match="above the 200 rows that train: 201"):
        scores = downstream_accuracy(codes, factors, **LOGISTIC, train_sizes=[201])
    # Where none is left, all rows that train do.
    assert scores["settings"]["train_sizes"] == [200]


@pytest.mark.parametrize("predictor", [LOGISTIC, BOOSTING])
def test_single_class_in_a_size_is_predicted(predictor):
    factors = np.array([[0]] * 5 + [[1]] * 5 + [[0]] * 3 + [[1]])
    scores = downstream_accuracy(
        factors * 1.0, factors, **predictor, train_sizes=[5], n_train=10, factor_names=["f"]
    )
    name = predictor["predictors"]
    assert scores[f"downstream_accuracy.{name}_5"] == 0.75
    assert scores["details"]["most_common_value"] == {"f": 0.75}


def test_factor_constant_over_the_training_rows_is_dropped():
    codes, factors = separable()
    factors[:200, 1] = 0
    with pytest.warns(MetricWarning, match="first 200 rows, which train: factor_1") as record:
        scores = downstream_accuracy(codes, factors, **LOGISTIC, train_sizes=[100])
    assert record[0].filename == __file__
    assert list(scores["details"]["most_common_value"]) == ["factor_0"]


@pytest.mark.parametrize("predictor", [LOGISTIC, BOOSTING])
def test_more_values_than_half_the_samples(predictor):
    random = np.random.default_rng(0)
    factors = random.permutation(60)[:, None]
    with pytest.warns(MetricWarning, match="'factor_0' has 60 different values in 60 rows"):
        scores = downstream_accuracy(factors * 1.0, factors, **predictor, train_sizes=[40])
    assert scores[f"downstream_accuracy.{predictor['predictors']}_40"] == 0


@pytest.mark.parametrize("predictor", [LOGISTIC, BOOSTING])
def test_threads_do_not_matter(predictor):
    codes, factors = separable()
    results = []
    for threads in (1, 2):
        with threadpoolctl.threadpool_limits(limits=threads):
            results.append(downstream_accuracy(codes, factors, **predictor, train_sizes=[100]))
    assert results[0] == results[1]


def test_regression_that_does_not_converge_warns(monkeypatch):
    monkeypatch.setattr(module, "_classifier", lambda name, seed: LogisticRegression(max_iter=1))
    with pytest.warns(MetricWarning, match="downstream_accuracy did not converge") as record:
        downstream_accuracy(*separable(), **LOGISTIC, train_sizes=[100])
    assert record[0].filename == __file__


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"predictors": ["forest"]}, "Unknown predictor 'forest'"),
        ({"predictors": []}, "`predictors`"),
        ({"train_sizes": []}, "`train_sizes`"),
        ({"train_sizes": [0, 10]}, "`train_sizes`"),
        ({"train_sizes": [2.5]}, "`train_sizes`"),
        ({"train_sizes": 100}, "`train_sizes`"),
        ({"n_train": 300}, "`n_train`"),
    ],
)
def test_wrong_use_is_refused_in_a_sentence(keywords, message):
    with pytest.raises(UsageError, match=message):
        downstream_accuracy(*separable(), **keywords)
