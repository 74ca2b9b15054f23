import json

import numpy as np
import pytest

from keras_devae.metrics import MetricWarning
from keras_devae.metrics.scores.modularity_explicitness import (
    modularity_explicitness,
    modularity_of,
    modularity_per_code,
)

CASES = ["a_perfect_dead", "b_rotated", "c_mixed", "d_noise", "h_dsprites_like", "k_nonlinear"]
NAME = "modularity_explicitness"


@pytest.mark.parametrize("case", [*CASES, "f_hidim64"])
def test_scores_equal_disentanglement_lib(case, reference, load_case):
    codes, factors = load_case(case)
    stored = reference("supervised")[case]
    n_train = stored["n_train"]
    scores = modularity_explicitness(codes, factors, information_rows="all", n_train=n_train)
    known = stored["modularity"]["values"]
    assert scores[f"{NAME}.modularity_score"] == pytest.approx(known["modularity"], abs=1e-6)
    per_code = scores["details"]["modularity_per_code"]
    np.testing.assert_allclose(per_code, known["per_code"], atol=1e-6)
    for key in ("explicitness_score_train", "explicitness_score_test"):
        known = stored["explicitness"]["values"][key]
        assert scores[f"{NAME}.{key}"] == pytest.approx(known, abs=2e-4)


@pytest.mark.parametrize("case", CASES)
def test_information_is_of_the_training_rows_where_they_are_named(case, reference, load_case):
    codes, factors = load_case(case)
    stored = reference("supervised")[case]
    scores = modularity_explicitness(codes, factors, n_train=stored["n_train"])
    known = stored["modularity_train_rows"]["values"]["modularity"]
    assert scores[f"{NAME}.modularity_score"] == pytest.approx(known, abs=1e-6)
    assert scores["settings"]["information_rows"] == "train"


def test_modularity_of_matrices_equals_disentanglement_lib(reference, reference_inputs):
    matrices = reference_inputs("matrices")
    for name, stored in reference("matrices").items():
        if name == "one_factor":
            continue
        known = stored["values"]
        assert modularity_of(matrices[name]) == pytest.approx(known["modularity"], abs=1e-6)
        per_code = modularity_per_code(matrices[name])
        np.testing.assert_allclose(per_code, known["modularity_per_code"], atol=1e-6)


def test_modularity_with_one_factor_is_whether_a_code_tells_anything():
    np.testing.assert_array_equal(modularity_per_code([[0.3], [0.0]]), [1.0, 0.0])
    assert modularity_of([[1e-200, 0.0]]) == 1.0


def test_missing_values_are_left_out_with_a_warning():
    random = np.random.default_rng(0)
    factors = np.array([0, 1] * 20 + [1, 2] * 10)[:, None]
    codes = factors + 0.01 * random.normal(size=(60, 2))
    with pytest.warns(MetricWarning, match="left out values .* of shape") as record:
        scores = modularity_explicitness(codes, factors, n_train=40, factor_names=["shape"])
    assert record[0].filename == __file__
    assert scores[f"{NAME}.explicitness_score_train"] == pytest.approx(1.0)
    assert 0 <= scores[f"{NAME}.explicitness_score_test"] <= 1


def test_solver_that_stops_early_is_a_warning_that_names_the_metric(monkeypatch):
    from keras_devae.metrics.estimators import fitting

    class Hasty(fitting.LogisticRegression):
        def __init__(self):
            super().__init__(max_iter=1)

    monkeypatch.setattr(fitting, "LogisticRegression", Hasty)
    factors = np.arange(30)[:, None] % 3
    codes = factors + np.random.default_rng(0).normal(size=(30, 3))
    with pytest.warns(MetricWarning, match=f"{NAME}: the logistic regression .*factor_0") as record:
        modularity_explicitness(codes, factors)
    assert record[0].filename == __file__


def test_result_is_json():
    factors = np.arange(30)[:, None] % 3
    scores = modularity_explicitness(factors * 1.0, factors)
    assert json.loads(json.dumps(scores)) == scores
