import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.metrics.scores.irs import irs

CASES = ["a_perfect_dead", "b_rotated", "c_mixed", "d_noise", "h_dsprites_like", "k_nonlinear"]


@pytest.mark.parametrize("case", [*CASES, "f_hidim64"])
@pytest.mark.parametrize("quantile", [0.99, 1.0])
def test_scores_equal_disentanglement_lib_on_raw_factors(case, quantile, reference, load_case):
    codes, factors = load_case(case)
    known = reference("supervised")[case][f"irs_q{quantile}"]["raw_factor_values"]
    scores = irs(codes, factors, quantile=quantile)
    details = scores["details"]
    assert scores["irs.score"] == pytest.approx(known["avg_score"], abs=1e-6)
    assert scores["irs.active_codes"] == codes.shape[1]
    np.testing.assert_allclose(details["irs_matrix"], known["IRS_matrix"], atol=1e-6)
    np.testing.assert_allclose(details["per_code"], known["disentanglement_scores"], atol=1e-6)
    np.testing.assert_allclose(details["max_deviations"], known["max_deviations"], rtol=1e-6)
    assert details["parents"] == [f"factor_{parent}" for parent in known["parents"]]


def test_perfect_code_scores_one_and_noise_little():
    random = np.random.default_rng(0)
    factors = random.integers(0, [3, 5, 4], size=(5000, 3))
    assert irs(factors * 1.0, factors)["irs.score"] == pytest.approx(1.0)
    assert irs(random.normal(size=(5000, 4)), factors, quantile=1.0)["irs.score"] < 0.2


def test_common_scale_does_not_matter():
    random = np.random.default_rng(1)
    factors = random.integers(0, 4, size=(300, 2))
    codes = factors + random.normal(size=(300, 2)) * [0.1, 1.0]
    score = irs(codes, factors)["irs.score"]
    for scale in (1e300, 1e-290, 2.0**20):
        assert irs(codes * scale, factors)["irs.score"] == pytest.approx(score, abs=1e-9)


def test_code_next_to_a_huge_one_keeps_its_score_and_loses_its_weight():
    factors = np.tile([0, 1, 2], 30)[:, None]
    noise = np.random.default_rng(2).normal(size=(90, 1))
    scores = irs(np.concatenate([noise * 1e300, factors * 1e-300], axis=1), factors)
    assert scores["details"]["per_code"][1] == pytest.approx(1.0)
    assert scores["irs.score"] == pytest.approx(scores["details"]["per_code"][0])


def test_code_that_strays_farther_within_a_value_counts_as_zero():
    codes = np.array([[0.0], [3.0], [2.0], [2.0]])
    factors = np.array([[0], [0], [1], [1]])
    scores = irs(codes, factors, quantile=1.0)
    assert 0 <= scores["irs.score"] <= 1


@pytest.mark.parametrize("quantile", [-0.1, 1.5, float("nan")])
def test_quantile_outside_its_range_is_refused(quantile):
    with pytest.raises(UsageError, match="between 0 and 1"):
        irs(np.eye(3), np.eye(3, dtype=int), quantile=quantile)
