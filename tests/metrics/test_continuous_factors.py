"""Continuous factors are scored by what was measured, as closed forms say."""

import warnings

import numpy as np
import pytest
from sklearn.metrics import r2_score

from keras_devae import metrics
from keras_devae.errors import UsageError
from keras_devae.metrics import METRICS, score_codes
from keras_devae.metrics.estimators.regression import neighbour_information, r_squared

ROWS = 6000
NATIVE = ["sap", "dci", "dci_es", "downstream_accuracy"]


@pytest.fixture(scope="module")
def uniform():
    """Two independent quantities, uniform on [0, 1)."""
    return np.random.default_rng(0).random((ROWS, 2))


def sap_of(codes, factors, **options):
    return metrics.sap(codes, factors, continuous=[0, 1], **options)


def test_sap_of_a_sine_is_its_squared_correlation(uniform):
    codes = np.sin(2 * np.pi * uniform)
    score = sap_of(codes, uniform)
    assert score["sap.score"] == pytest.approx(6 / np.pi**2, abs=0.02)
    train = ROWS * 2 // 3
    expected = np.corrcoef(codes[:train, 0], uniform[:train, 0])[0, 1] ** 2
    assert np.array(score.details["score_matrix"])[0, 0] == pytest.approx(expected, abs=1e-12)
    assert sap_of(uniform, uniform)["sap.score"] == pytest.approx(1, abs=0.01)
    # The unit of a factor does not matter.
    assert sap_of(codes, 1e-200 * uniform)["sap.score"] == pytest.approx(score["sap.score"])


def test_information_of_gaussians_has_its_closed_form():
    rng = np.random.default_rng(1)
    value, noise = rng.standard_normal((2, ROWS))
    for rho in (0.3, 0.8, 0.95):
        code = rho * value + np.sqrt(1 - rho**2) * noise
        found = neighbour_information(np.stack([code, noise, 0 * code], axis=1), value, 0)
        assert found[0] == pytest.approx(-0.5 * np.log(1 - rho**2), abs=0.04)
        assert found[2] == 0
    # The score of a Gaussian code is the squared correlation.
    factors, options = value[:, None], {"continuous": [0], "estimator": "knn"}
    score = metrics.mig(np.stack([code, noise], axis=1), factors, **options)
    other = 1 - np.exp(-2 * neighbour_information(noise[:, None], value, 0)[0])
    assert score["mig.score"] == pytest.approx(0.95**2 - other, abs=0.02)
    assert score.settings["continuous"] == {"factor_0": "native"}


def test_dci_of_monotone_codes_is_perfect_and_of_sines_is_not(uniform):
    options = {"continuous": [0, 1], "predictor": "lightgbm"}
    monotone = metrics.dci(np.exp(3 * uniform), uniform, **options)
    assert monotone["dci.disentanglement"] > 0.99 and monotone["dci.completeness"] > 0.99
    assert monotone["dci.r_squared_test"] > 0.99
    assert "dci.informativeness_test" not in monotone
    # A sine has each of its values twice: half of the variance around 1/4 and 3/4 stays unknown.
    sine = metrics.dci(np.sin(2 * np.pi * uniform), uniform, **options)
    assert sine["dci.r_squared_test"] == pytest.approx(0.75, abs=0.02)


def test_r_squared_is_that_of_scikit_learn():
    rng = np.random.default_rng(2)
    values, predicted = rng.random((2, 50))
    assert r_squared(values, predicted) == pytest.approx(r2_score(values, predicted))
    assert r_squared(np.ones(3), np.ones(3)) == 1 and r_squared(np.ones(3), np.zeros(3)) == 0


def test_downstream_accuracy_explains_variance(uniform):
    codes = np.stack([2 * uniform[:, 0] - uniform[:, 1], uniform.sum(axis=1)], axis=1)
    mixed = np.stack([uniform[:, 0], uniform[:, 1] > 0.5], axis=1)
    options = {"predictors": "logistic_regression", "train_sizes": [100, 1000]}
    score = metrics.downstream_accuracy(codes, mixed, continuous=["factor_0"], **options)
    assert score["downstream_accuracy.ridge_regression_1000_r_squared"] > 0.999
    assert 0.95 < score["downstream_accuracy.logistic_regression_1000"] <= 1
    assert list(score.details["r_squared"]["ridge_regression"]["100"]) == ["factor_0"]
    assert list(score.details["most_common_value"]) == ["factor_1"]
    assert all(np.isfinite(list(score.numbers.values())))


def test_all_metrics_take_continuous_factors_and_record_how(uniform):
    rng = np.random.default_rng(3)
    factors = np.stack([uniform[:600, 0], rng.integers(0, 3, 600)], axis=1)
    codes = factors + 0.05 * rng.standard_normal(factors.shape)
    names = [name for name, metric in METRICS.items() if metric.needs_factors]
    options = {"settings": "fast", "factor_names": ["size", "kind"]}
    noise = np.full(codes.shape, -6.0)
    with warnings.catch_warnings():
        # Few samples keep the test quick.
        warnings.simplefilter("ignore", metrics.MetricWarning)
        score = score_codes(codes, factors, names, continuous=["size"], z_log_var=noise, **options)
    for name in names:
        assert score.settings[name]["continuous"] == {"size": METRICS[name].continuous}
        assert score.settings[name]["factor_sizes"] == [20, 3]
    assert [name for name in names if METRICS[name].continuous == "native"] == sorted(
        NATIVE, key=names.index
    )
    # Named, numbered, or measured beside bins of one's own, they are the same.
    binned = np.stack([(factors[:, 0] * 5).astype(int), factors[:, 1]], axis=1)
    given = {"size": factors[:, 0]}
    for one, values in ((0, factors), ([np.int64(0)], factors), (given, binned)):
        one = [one] if one == 0 else one
        again = score_codes(codes, values, ["sap"], continuous=one, **options)
        assert again["sap.score"] == score["sap.score"]
    own = score_codes(codes, binned, ["mig"], continuous=given, **options)
    assert own.settings["mig"]["factor_sizes"] == [5, 3]
    assert own["mig.score"] == metrics.mig(codes, binned)["mig.score"]


def test_estimator_of_mig_is_an_option(uniform):
    options = {"continuous": [0, 1], "metrics": ["mig", "sap"]}
    binned = score_codes(uniform, uniform, **options)
    assert binned.settings["mig"]["continuous"]["factor_0"] == "binned"
    score = score_codes(uniform, uniform, estimator="knn", **options)
    assert score.settings["mig"]["continuous"]["factor_0"] == "native"
    assert score.settings["mig"]["estimator"] == "knn"
    assert score["mig.score"] == pytest.approx(1, abs=0.05)


def test_a_constant_continuous_factor_is_dropped(uniform):
    factors = np.stack([uniform[:, 0], np.full(ROWS, 0.5)], axis=1)
    with pytest.warns(metrics.MetricWarning, match="single value in these samples: factor_1"):
        score = metrics.sap(uniform, factors, continuous=[0, 1])
    assert score.settings["dropped_factors"] == ["factor_1"]


@pytest.mark.parametrize(
    ("continuous", "message"),
    [
        ((), "must be whole numbers.* name a continuous factor in `continuous`"),
        (["factor_0"], "column 1; name a continuous factor"),
        (["sise"], "Unknown continuous factor 'sise'"),
        ([2], "column numbers from 0 to 1. Received: 2"),
        (3, "`continuous` must be"),
        ({"factor_0": [0.5]}, "must be whole numbers"),
    ],
)
def test_wrong_continuous_factors_are_refused(uniform, continuous, message):
    with pytest.raises(UsageError, match=message):
        score_codes(uniform, uniform, ["mig"], continuous=continuous)


def test_wrong_values_and_estimators_are_refused(uniform):
    whole = (3 * uniform).astype(int)
    with pytest.raises(UsageError, match=r"`continuous\['factor_0'\]` must have a value for each"):
        score_codes(uniform, whole, ["mig"], continuous={"factor_0": [0.5]})
    wrong = uniform.copy()
    wrong[3, 1] = np.nan
    with pytest.raises(UsageError, match=r"`continuous\['factor_1'\]` must be finite"):
        score_codes(uniform, wrong, ["mig"], continuous=[0, 1])
    with pytest.raises(UsageError, match="'knn' is for continuous factors"):
        score_codes(uniform, whole, ["mig"], estimator="knn")
    with pytest.raises(UsageError, match="estimator is for mig"):
        score_codes(uniform, whole, ["sap"], estimator="knn")
    with pytest.raises(UsageError, match="Unknown estimator 'nn'"):
        score_codes(uniform, whole, ["mig"], estimator="nn")
    with pytest.raises(UsageError, match="names without factors"):
        score_codes(uniform, metrics=["mutual_information_score"], continuous=["size"])
