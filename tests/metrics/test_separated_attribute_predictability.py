import numpy as np
import pytest
from sklearn.svm import LinearSVC

from keras_devae.metrics.estimators.linear_svm import fit_lines, sort_code
from keras_devae.metrics.scores.sap import sap

CASES = ["a_perfect_dead", "b_rotated", "c_mixed", "d_noise", "h_dsprites_like", "k_nonlinear"]
CASES += ["f_hidim64"]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("kind", "tolerance"), [("discrete", 0.01), ("continuous", 1e-6)])
def test_scores_equal_disentanglement_lib(case, kind, tolerance, reference, load_case):
    codes, factors = load_case(case)
    stored = reference("supervised")[case]
    scores = sap(codes, factors, continuous_factors=kind == "continuous", n_train=stored["n_train"])
    known = stored[f"sap_{kind}"]["values"]
    assert scores["sap.score"] == pytest.approx(known["sap"], abs=tolerance)
    matrix = scores["details"]["score_matrix"]
    np.testing.assert_allclose(matrix, known["score_matrix"], atol=tolerance)
    gaps = list(scores["details"]["per_factor"].values())
    np.testing.assert_allclose(gaps, known["per_factor"], atol=tolerance)


@pytest.mark.parametrize("class_count", [2, 3, 7])
@pytest.mark.parametrize(("scale", "offset"), [(1, 0), (0.01, 0), (30, 0), (1, 5), (1, -20)])
def test_lines_equal_those_of_liblinear(class_count, scale, offset):
    random = np.random.default_rng(class_count)
    labels = random.integers(0, class_count, size=300) * random.integers(0, 2, size=300)
    labels[:class_count] = np.arange(class_count)
    values = scale * (random.normal(size=300) + labels % 3) + offset
    code = sort_code(values, int(np.frexp(np.abs(values).max())[1]))
    lines = fit_lines(code, labels, class_count, 0.01)
    slopes = lines.slopes * 2.0**-code.exponent
    intercepts = lines.intercepts - lines.slopes * code.centre
    model = LinearSVC(C=0.01, class_weight="balanced", dual=False, tol=1e-10, max_iter=10_000)
    model.fit(values[:, None], labels)
    np.testing.assert_allclose(slopes, model.coef_[:, 0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(intercepts, model.intercept_, rtol=1e-4, atol=1e-6)
    assert np.array_equal(lines.predict(code.transform(values)), model.predict(values[:, None]))


def test_continuous_score_is_the_squared_correlation_over_the_training_rows():
    random = np.random.default_rng(0)
    factors = random.integers(0, 5, size=(90, 2))
    codes = random.normal(size=(90, 3)) + factors[:, :1]
    scores = sap(codes, factors, continuous_factors=True, n_train=60)
    known = np.corrcoef(codes[:60].T, factors[:60].T)[:3, 3:] ** 2
    np.testing.assert_allclose(scores["details"]["score_matrix"], known, atol=1e-12)
    ranked = np.sort(known, axis=0)
    assert scores["sap.score"] == pytest.approx((ranked[-1] - ranked[-2]).mean(), abs=1e-12)


def test_dead_code_has_no_correlation():
    factors = np.arange(12)[:, None] % 3
    codes = np.concatenate([factors, factors * 1e-7], axis=1)
    matrix = sap(codes, factors, continuous_factors=True)["details"]["score_matrix"]
    np.testing.assert_allclose(matrix, [[1], [0]], atol=1e-12)


def test_code_of_large_scale_is_solved():
    random = np.random.default_rng(1)
    factors = random.integers(0, 3, size=(600, 1))
    codes = np.concatenate([factors + 0.1 * random.normal(size=(600, 1))] * 2, axis=1)
    codes[:, 1] *= 1e6
    matrix = sap(codes, factors)["details"]["score_matrix"]
    assert matrix[1] == pytest.approx(matrix[0], abs=0.06)
    assert sap(codes[:, 1:] * 1e290, factors)["sap.score"] == pytest.approx(matrix[1][0], abs=0.06)


def test_value_missing_in_the_training_rows_is_never_right():
    factors = np.array([0, 1] * 10 + [2] * 5)[:, None]
    scores = sap(factors * 1.0, factors, n_train=20)
    assert scores["sap.score"] == 0.0


def test_settings_are_recorded():
    factors = np.array([[0], [1], [0], [1]])
    settings = sap(factors * 1.0, factors, seed=5)["settings"]
    assert settings["predictor"] == "linear_svm" and settings["penalty"] == 0.01
    assert settings["n_train"] == 2 and settings["seed"] == 5
