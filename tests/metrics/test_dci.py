import sys

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from thoroughness import quick_first

from keras_devae.errors import UsageError
from keras_devae.metrics.estimators import boosting
from keras_devae.metrics.estimators.boosting import boost
from keras_devae.metrics.labelled import check_labelled, split_rows
from keras_devae.metrics.scores.dci import dci

FAST = ["a_perfect_dead", "b_rotated", "c_mixed", "d_noise", "k_nonlinear"]
SLOW = ["f_hidim64", "h_dsprites_like"]
SCORES = ("disentanglement", "completeness")


@pytest.fixture
def split():
    random = np.random.default_rng(0)
    factors = random.integers(0, [2, 5, 3], size=(360, 3))
    codes = factors @ random.normal(size=(3, 4)) + 0.3 * random.normal(size=(360, 4))
    return split_rows(check_labelled(codes, factors), 240)


@pytest.mark.parametrize(
    "case",
    [
        *quick_first(FAST, {"a_perfect_dead", "c_mixed"}),
        *(pytest.param(case, marks=pytest.mark.slow) for case in SLOW),
    ],
)
def test_scores_equal_disentanglement_lib(case, reference, load_case):
    codes, factors = load_case(case)
    stored = reference("supervised")[case]
    known = stored["dci_gbt"]["values"]
    scores = dci(codes, factors, n_train=stored["n_train"])
    for key in SCORES:
        assert scores[f"dci.{key}"] == pytest.approx(known[key], abs=0.005)
    for key in ("informativeness_train", "informativeness_test"):
        assert scores[f"dci.{key}"] == pytest.approx(known[key], abs=0.02)


def test_boosting_equals_that_of_scikit_learn(split):
    boosted = boost(split, seed=3, workers=2, stages=15)
    for j, column in enumerate(split.train_factors.T):
        model = GradientBoostingClassifier(random_state=3, n_estimators=15)
        model.fit(split.train_codes, column)
        np.testing.assert_allclose(
            boosted.importances[:, j], model.feature_importances_, atol=1e-12
        )
        predicted = model.predict(split.test_codes)
        assert boosted.test_scores[j] == np.mean(predicted == split.test_factors[:, j])
        predicted = model.predict(split.train_codes)
        assert boosted.train_scores[j] == np.mean(predicted == column)


def test_number_of_workers_changes_nothing(split):
    one, two = (boost(split, seed=0, workers=workers, stages=15) for workers in (1, 2))
    for left, right in zip(one, two, strict=True):
        np.testing.assert_array_equal(left, right)


def test_tiny_and_huge_codes_have_the_importances_of_ordinary_ones(split):
    known = boost(split, seed=0, stages=3).importances
    scales = np.exp2([900, 0, -900, 400])
    scaled = split._replace(
        train_codes=split.train_codes * scales, test_codes=split.test_codes * scales
    )
    np.testing.assert_allclose(boost(scaled, seed=0, stages=3).importances, known, atol=0.01)


def test_constant_codes_change_nothing(monkeypatch, split):
    monkeypatch.setattr(boosting.boost, "__defaults__", (None, 5))
    codes = np.concatenate([split.train_codes, split.test_codes])
    factors = np.concatenate([split.train_factors, split.test_factors])
    padded = np.concatenate([codes[:, :1] * 0 + 2.5, codes, codes * 0], axis=1)
    with pytest.warns(UserWarning, match="codes are constant"):
        scores = dci(padded, factors)
    plain = dci(codes, factors)
    assert {key: scores[key] for key in scores if key.startswith("dci.")} == {
        key: plain[key] for key in plain if key.startswith("dci.")
    }
    matrix = np.array(scores["details"]["importance_matrix"])
    np.testing.assert_array_equal(matrix[1:5], plain["details"]["importance_matrix"])
    assert scores["details"]["constant_codes"] == [0, 5, 6, 7, 8]


@pytest.mark.parametrize("case", FAST)
def test_lightgbm_comes_close(case, reference, load_case):
    pytest.importorskip("lightgbm")
    _compare_lightgbm(case, reference, load_case)


@pytest.mark.slow
@pytest.mark.parametrize("case", SLOW)
def test_lightgbm_comes_close_on_larger_cases(case, reference, load_case):
    pytest.importorskip("lightgbm")
    _compare_lightgbm(case, reference, load_case)


def _compare_lightgbm(case, reference, load_case):
    codes, factors = load_case(case)
    stored = reference("supervised")[case]
    known = stored["dci_gbt"]["values"]
    scores = dci(codes, factors, predictor="lightgbm", n_train=stored["n_train"], workers=1)
    assert scores["dci.disentanglement"] == pytest.approx(known["disentanglement"], abs=0.02)
    assert scores["dci.completeness"] == pytest.approx(known["completeness"], abs=0.03)
    known = known["informativeness_test"]
    assert scores["dci.informativeness_test"] == pytest.approx(known, abs=0.03)


@pytest.mark.thorough
def test_lightgbm_does_not_depend_on_workers(load_case):
    pytest.importorskip("lightgbm")
    codes, factors = load_case("d_noise")
    one, two = (dci(codes, factors, predictor="lightgbm", workers=n) for n in (1, 2))
    assert one == two
    assert one["settings"]["lightgbm_version"]


def test_lightgbm_that_is_missing_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(UsageError, match="pip install lightgbm"):
        dci(np.eye(4), np.eye(4, dtype=int)[:, :2], predictor="lightgbm", n_train=3)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"predictor": "lightgmb"}, "Did you mean 'lightgbm'"),
        ({"workers": 0}, "`workers` must be a whole number of at least 1"),
        ({"seed": -1}, "`seed` must be a whole number from 0 to 4,294,967,295"),
        ({"n_train": 4}, "`n_train` must leave"),
    ],
)
def test_wrong_settings_are_refused(keywords, message):
    with pytest.raises(UsageError, match=message):
        dci(np.eye(4), np.eye(4, dtype=int), **keywords)


@pytest.mark.parametrize("rows", [30, 90, 300])
def test_lightgbm_finds_trees_in_few_rows(rows):
    factors = np.random.default_rng(0).integers(3, size=(rows, 2))
    scores = dci(factors * 1.0, factors, predictor="lightgbm", workers=1)
    assert scores["dci.disentanglement"] > 0.95
    assert scores["dci.informativeness_test"] > 0.9
