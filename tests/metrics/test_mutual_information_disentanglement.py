import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.metrics.estimators.importance import completeness_of, disentanglement_of
from keras_devae.metrics.scores.med import med, top_k_codes

CASES = ["a_perfect_dead", "b_rotated", "c_mixed", "d_noise", "h_dsprites_like", "k_nonlinear"]


@pytest.mark.parametrize("case", [*CASES, "f_hidim64"])
def test_scores_on_all_rows_equal_the_authors(case, reference, load_case):
    codes, factors = load_case(case)
    known = reference("supervised")[case]["med_all_rows"]["values"]
    for k in (1, 2, 3, 4):
        scores = med(codes, factors, top_k=k, informativeness=False)
        for key in ("disentanglement", "completeness"):
            assert scores[f"med.{key}"] == pytest.approx(known[key], abs=1e-6)
            assert scores[f"med.top_k_{key}"] == pytest.approx(known[f"top{k}"][key], abs=1e-6)
    details = scores["details"]
    np.testing.assert_allclose(details["importance_matrix"], known["importance_matrix"], atol=1e-6)
    np.testing.assert_allclose(details["per_code"], known["per_code"], atol=1e-6)
    np.testing.assert_allclose(list(details["per_factor"].values()), known["per_factor"], atol=1e-6)


@pytest.mark.parametrize("case", ["b_rotated", "c_mixed", "h_dsprites_like"])
def test_scores_on_training_rows_equal_the_authors(case, reference, load_case):
    codes, factors = load_case(case)
    stored = reference("supervised")[case]
    known = stored["med_public_function"]["values"]["topk2"]
    scores = med(codes, factors, top_k=2, n_train=stored["n_train"])
    assert scores["settings"]["importance_rows"] == "train"
    for key in ("disentanglement", "completeness"):
        assert scores[f"med.{key}"] == pytest.approx(known[key], abs=1e-6)
        assert scores[f"med.top_k_{key}"] == pytest.approx(known[f"top2_{key}"], abs=1e-6)
    for key in ("informativeness_train", "informativeness_test"):
        assert scores[f"med.{key}"] == pytest.approx(known[key], abs=0.01)


def test_top_k_of_matrices_equals_the_authors(reference, reference_inputs):
    matrices = reference_inputs("matrices")
    for name, stored in reference("matrices").items():
        known = stored["alternatives"]["erow MED top-k on this matrix"]
        for key, top in known.items():
            kept = matrices[name][top_k_codes(matrices[name], int(key.removeprefix("top")))]
            for score, function in (
                ("disentanglement", disentanglement_of),
                ("completeness", completeness_of),
            ):
                if np.isfinite(float(top[score])):
                    assert function(kept) == pytest.approx(top[score], abs=1e-6)


def test_rows_of_importance_can_be_chosen():
    random = np.random.default_rng(0)
    factors = random.integers(0, 3, size=(90, 2))
    codes = factors + random.normal(size=(90, 2))
    first = med(codes[:60], factors[:60], informativeness=False)
    chosen = med(codes, factors, importance_rows="train", informativeness=False)
    assert chosen["med.disentanglement"] == first["med.disentanglement"]
    every = med(codes, factors, importance_rows="all", n_train=60)
    plain = med(codes, factors, informativeness=False)
    assert every["med.completeness"] == plain["med.completeness"]
    assert "med.informativeness_test" not in plain
    with pytest.raises(UsageError, match="Did you mean 'train'"):
        med(codes, factors, importance_rows="training")


@pytest.mark.parametrize("top_k", [0, -1, 1.5])
def test_wrong_top_k_is_refused(top_k):
    with pytest.raises(UsageError, match="whole number of at least 1"):
        med(np.eye(4), np.eye(4, dtype=int), top_k=top_k)
