import json
import warnings

import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.metrics.metric_warnings import MetricWarning
from keras_devae.metrics.scores import infomec as module
from keras_devae.metrics.scores.infomec import (
    ESTIMATORS,
    concentration,
    infomec,
)

CASES = ["a_perfect_dead", "b_rotated", "c_mixed", "d_noise", "h_dsprites_like", "k_nonlinear"]


def quietly(*arguments, **keywords):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetricWarning)
        return infomec(*arguments, **keywords)


@pytest.mark.parametrize("case", CASES)
def test_continuous_values_equal_the_authors(case, reference, load_case):
    entry = reference("supervised")[case]["infomec_continuous"]
    definition = entry["by_definition"]
    scores = infomec(*load_case(case))
    # The k-NN estimate of codes without information is mostly the jitter's.
    tolerance = 0.01 if case == "d_noise" else 1e-3
    assert scores["infomec.infom"] == pytest.approx(definition["infom"], abs=tolerance)
    assert scores["infomec.infoc"] == pytest.approx(definition["infoc"], abs=tolerance)
    assert scores["infomec.infoe"] == pytest.approx(entry["values"]["infoe"], abs=2e-3)
    assert scores["details"]["used_codes"] == definition["codes_used"]
    active = np.flatnonzero(entry["values"]["active_latents"])
    assert scores["details"]["active_codes"] == active.tolist()
    nmi = np.array(entry["values"]["nmi"]).T[active]
    np.testing.assert_allclose(scores["details"]["normalized_information"], nmi, atol=2e-3)


@pytest.mark.parametrize("case", CASES)
def test_discrete_values_equal_the_authors(case, reference, load_case):
    expected = reference("supervised")[case]["infomec_discrete_20bin"]["values"]
    scores = infomec(*load_case(case), estimator="discrete")
    assert scores["infomec.infom"] == pytest.approx(expected["infom"], abs=1e-6)
    assert scores["infomec.infoc"] == pytest.approx(expected["infoc"], abs=1e-6)
    assert scores["infomec.infoe"] == pytest.approx(expected["infoe"], abs=2e-3)
    nmi = np.array(expected["nmi"]).T
    np.testing.assert_allclose(scores["details"]["normalized_information"], nmi, atol=1e-6)


def test_constant_factor_is_dropped(reference, load_case):
    expected = reference("supervised")["j_constant_factor"]["constants_dropped"]["values"]
    with pytest.warns(MetricWarning, match=r"factor_1\.$") as record:
        scores = infomec(*load_case("j_constant_factor"))
    assert record[0].filename == __file__
    for key in ("infom", "infoe", "infoc"):
        reference_value = expected["infomec_seed0"][key]
        assert scores[f"infomec.{key}"] == pytest.approx(reference_value, abs=1e-3)
    assert list(scores["details"]["per_factor"]) == ["factor_0", "factor_2", "factor_3"]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_collapsed_codes_score_0(estimator, load_case):
    with pytest.warns(MetricWarning, match="no active latent dimension"):
        scores = infomec(*load_case("e_collapsed"), estimator=estimator)
    assert [scores[f"infomec.{key}"] for key in ("infom", "infoe", "infoc")] == [0, 0, 0]
    assert json.loads(json.dumps(scores)) == scores


def test_concentration_by_hand():
    # Shares 0.8 and 0.5 of two columns, a row without any.
    shares = np.array([[4.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    assert concentration(shares) == pytest.approx((0.65 - 0.5) / 0.5)
    assert concentration(np.eye(3)) == pytest.approx(1)
    assert concentration(np.ones((3, 3))) == pytest.approx(0)
    assert concentration(np.zeros((3, 3))) == 0
    assert concentration(np.ones((3, 1))) == 0
    assert concentration(np.ones((0, 3))) == 0


def test_code_with_a_small_range_is_inactive_if_continuous():
    factors = np.random.default_rng(0).integers(0, 4, size=(300, 2))
    codes = factors * [1.0, 0.04]
    scores = infomec(codes, factors)
    assert scores["details"]["active_codes"] == [0]
    assert scores["infomec.infoc"] == 0
    assert scores["infomec.infoe"] > 0.99
    assert infomec(codes, factors, estimator="discrete")["details"]["active_codes"] == [0, 1]
    assert infomec(codes * [1, 1.5], factors)["details"]["active_codes"] == [0, 1]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_one_factor_is_finite(estimator):
    factors = np.tile([0, 1, 2], 30)[:, None]
    codes = factors + 0.1 * np.random.default_rng(0).normal(size=(90, 2))
    scores = quietly(codes, factors, estimator=estimator)
    assert scores["infomec.infom"] == 0
    assert 0 <= scores["infomec.infoc"] <= 1 and scores["infomec.infoe"] > 0.9


def test_values_with_one_sample_each_have_no_estimate():
    codes = np.random.default_rng(0).normal(size=(6, 2))
    factors = np.stack([np.arange(6), [0, 0, 0, 1, 1, 1]], axis=1)
    with pytest.warns(MetricWarning, match="one sample only.*: factor_0") as record:
        scores = infomec(codes, factors)
    assert record[0].filename == __file__
    assert np.all(np.array(scores["details"]["normalized_information"])[:, 0] == 0)


def test_regression_that_does_not_converge_warns(monkeypatch, load_case):
    monkeypatch.setattr(module, "ITERATIONS", 2)
    with pytest.warns(MetricWarning, match="infomec did not converge") as record:
        infomec(*load_case("b_rotated"))
    assert record[0].filename == __file__


def test_seed_decides_the_noise():
    random = np.random.default_rng(0)
    factors = random.integers(0, 3, size=(200, 2))
    codes = np.round(random.normal(size=(200, 3)), 1)
    first = infomec(codes, factors, seed=3)
    assert first == infomec(codes, factors, seed=3)
    assert first["settings"]["seed"] == 3 and first["settings"]["n_neighbors"] == 10
    assert first["settings"]["bins"] is None


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"estimator": "neighbours"}, "Unknown estimator"),
        ({"n_neighbors": 0}, "`n_neighbors`"),
        ({"bins": 1}, "`bins`"),
    ],
)
def test_wrong_settings_are_refused(keywords, message):
    factors = np.array([[0], [1], [0], [1]])
    with pytest.raises(UsageError, match=message):
        infomec(factors * 1.0, factors, **keywords)
