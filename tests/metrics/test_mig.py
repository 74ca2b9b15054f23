import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_devae
from keras_devae.errors import UsageError
from keras_devae.metrics import (
    MetricWarning,
    entropy,
    mig,
    mutual_information_matrix,
)
from keras_devae.metrics.estimators import mutual_information

VARYING = ["a_perfect_dead", "b_rotated", "c_mixed", "d_noise", "h_dsprites_like", "k_nonlinear"]
CASES = [*VARYING, "e_collapsed", "j_constant_factor"]
DSPRITES, SHAPES3D = (3, 6, 40, 32, 32), (10, 10, 10, 8, 4, 15)


def quietly(function, *arguments, **keywords):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MetricWarning)
        return function(*arguments, **keywords)


def full_grid(sizes):
    return np.indices(sizes, dtype=np.int8).reshape(len(sizes), -1).T


@pytest.mark.parametrize("case", CASES)
def test_mutual_information_and_entropy_equal_disentanglement_lib(case, expected, load_case):
    codes, factors = load_case(case)
    reference = expected["mig"][case]
    matrix = mutual_information_matrix(codes, factors)
    assert matrix.dtype == np.float64
    np.testing.assert_allclose(matrix, reference["mi_matrix"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(entropy(factors), reference["factor_entropy"], rtol=1e-6, atol=1e-6)
    assert matrix.min() >= 0 and entropy(factors).min() >= 0


@pytest.mark.parametrize("case", VARYING)
def test_score_and_gaps_equal_disentanglement_lib(case, expected, load_case):
    codes, factors = load_case(case)
    reference = expected["mig"][case]
    scores = mig(codes, factors)
    assert scores["mig.score"] == pytest.approx(reference["mig"], abs=1e-6)
    gaps = scores["details"]["per_factor"]
    assert list(gaps) == [f"factor_{index}" for index in range(factors.shape[1])]
    np.testing.assert_allclose(list(gaps.values()), reference["per_factor"], atol=1e-6)


def test_float32_codes_give_the_same_score(load_case):
    codes, factors = load_case("h_dsprites_like")
    assert mig(codes.astype(np.float32), factors) == mig(codes, factors)


def test_constant_factor_is_dropped_with_a_warning_naming_it(expected, load_case):
    codes, factors = load_case("j_constant_factor")
    names = ["shape", "colour", "x", "y"]
    with pytest.warns(MetricWarning, match=r"colour\.$") as record:
        scores = mig(codes, factors, factor_names=names)
    assert record[0].filename == __file__
    reference = expected["mig"]["j_constant_factor"]
    assert scores["mig.score"] == pytest.approx(reference["mig_without_constant_factors"], abs=1e-6)
    without = mig(codes, factors[:, [0, 2, 3]], factor_names=["shape", "x", "y"])
    assert {key: value for key, value in scores.items() if key.startswith("mig.")} == {
        key: value for key, value in without.items() if key.startswith("mig.")
    }
    assert scores["settings"]["dropped_factors"] == ["colour"]
    assert scores["settings"]["factor_names"] == names
    assert "mig.colour" not in scores and set(scores["details"]["entropies"]) == {"shape", "x", "y"}


def test_collapsed_codes_score_zero_with_a_warning(load_case):
    codes, factors = load_case("e_collapsed")
    with pytest.warns(MetricWarning, match="no active latent dimension"):
        scores = mig(codes, factors)
    assert scores["mig.score"] == 0.0
    assert set(scores["details"]["per_factor"].values()) == {0.0}


def test_constant_codes_are_named_and_change_nothing(load_case):
    codes, factors = load_case("c_mixed")
    padded = np.concatenate([codes, np.full((len(codes), 2), 3.5)], axis=1)
    with pytest.warns(MetricWarning, match="2 of 8 codes are constant.*6, 7"):
        scores = mig(padded, factors)
    assert scores["mig.score"] == mig(codes, factors)["mig.score"]
    assert scores["details"]["constant_codes"] == [6, 7]


def test_many_constant_codes_are_not_all_listed():
    codes = np.zeros((4, 100))
    codes[:, 0] = [0, 1, 0, 1]
    with pytest.warns(MetricWarning, match=r"99 of 100 .*: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, \.\.\."):
        mig(codes, [[0], [1], [0], [1]])


def test_single_code_is_compared_with_zero():
    factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 5)
    scores = mig(factors[:, :1] * 2.5, factors)
    assert scores["details"]["per_factor"]["factor_0"] == pytest.approx(1.0, abs=1e-12)
    assert scores["details"]["per_factor"]["factor_1"] == 0.0
    assert scores["mig.score"] == pytest.approx(0.5, abs=1e-12)


def test_gap_by_hand():
    # Code 0 is the factor; code 1 tells only whether it is 0: H = log 4, I = H(1/4).
    factor = np.tile([0, 1, 2, 3], 25)
    codes = np.stack([factor, factor == 0], axis=1).astype(float)
    binary = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    scores = mig(codes, factor[:, None], factor_names=["f"])
    assert scores["mig.score"] == pytest.approx(1 - binary / math.log(4), abs=1e-12)
    assert scores["details"]["most_informative_codes"] == {"f": 0}
    np.testing.assert_allclose(
        scores["details"]["mutual_information"], [[math.log(4)], [binary]], atol=1e-12
    )


@pytest.mark.parametrize(("sizes", "score"), [(DSPRITES, 0.902), (SHAPES3D, 1.0)])
def test_perfect_code_on_the_grid_of_a_data_set(sizes, score):
    factors = full_grid(sizes)
    scores = mig(factors.astype(np.float32), factors)
    assert scores["mig.score"] == pytest.approx(score, abs=5e-4)


def test_bins_limit_what_a_perfect_code_scores():
    factors = np.tile(np.arange(40), 10)[:, None]
    assert mig(factors * 1.0, factors)["mig.score"] == pytest.approx(math.log(20) / math.log(40))
    assert mig(factors * 1.0, factors, bins=40)["mig.score"] == pytest.approx(1.0)


def test_independent_codes_score_almost_nothing():
    random = np.random.default_rng(0)
    factors = random.integers(0, [4, 5, 3], size=(10_000, 3))
    assert 0 <= mig(random.normal(size=(10_000, 6)), factors)["mig.score"] <= 0.02


def test_noisy_perfect_code_scores_high_and_its_rotation_low():
    random = np.random.default_rng(1)
    factors = random.integers(0, 5, size=(5000, 4))
    codes = factors + 1e-3 * random.normal(size=factors.shape)
    # A Hadamard matrix mixes every factor into every code with the same weight.
    signs = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
    assert mig(codes, factors)["mig.score"] >= 0.9
    assert mig(codes @ signs / 2, factors)["mig.score"] <= 0.05


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), exponents=st.lists(st.integers(-40, 40), min_size=3))
def test_score_does_not_depend_on_order_or_scale(seed, exponents):
    random = np.random.default_rng(seed)
    factors = random.integers(0, [2, 5], size=(200, 2))
    factors[:2] = [[0, 0], [1, 1]]
    codes = random.normal(size=(200, len(exponents))) + factors[:, :1]
    score = mig(codes, factors)["mig.score"]
    rows, columns = random.permutation(200), random.permutation(len(exponents))
    assert mig(codes[rows], factors[rows])["mig.score"] == pytest.approx(score, abs=1e-12)
    assert mig(codes[:, columns], factors)["mig.score"] == pytest.approx(score, abs=1e-12)
    # Powers of two scale exactly: with other factors a value on an edge may change its bin.
    scaled = codes * np.exp2(exponents)
    assert mig(scaled, factors)["mig.score"] == pytest.approx(score, abs=1e-12)
    assert 0 <= score <= 1


@pytest.mark.parametrize("case", VARYING)
def test_positive_scales_leave_the_score(case, load_case):
    codes, factors = load_case(case)
    scales = np.random.default_rng(2).uniform(1e-6, 1e6, size=codes.shape[1])
    score = mig(codes, factors)["mig.score"]
    assert mig(codes * scales, factors)["mig.score"] == pytest.approx(score, abs=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1e300, 1.7e308])
def test_tiny_and_huge_codes_are_finite(scale):
    factors = np.tile(np.arange(4), 50)[:, None]
    codes = (factors / 1.5 - 1.0) * scale
    assert mig(codes, factors)["mig.score"] == pytest.approx(1.0)


def test_identity_takes_integers_only():
    factors = np.tile(np.arange(40), 5)[:, None]
    scores = mig(factors * 3, factors, discretizer="identity")
    assert scores["mig.score"] == pytest.approx(1.0)
    assert scores["settings"]["bins"] is None
    assert scores["settings"]["discretizer"] == "identity"
    with pytest.raises(UsageError, match="'identity' is for integer codes"):
        mig(factors * 3.0, factors, discretizer="identity")


def test_joint_counts_too_large_for_a_table_are_the_same(monkeypatch):
    random = np.random.default_rng(0)
    factors = random.integers(0, [2, 3, 40, 1], size=(500, 4))
    codes = factors[:, :3] + random.normal(size=(500, 3))
    counted = mutual_information_matrix(codes, factors)
    monkeypatch.setattr(mutual_information, "LARGEST_TABLE", 0)
    np.testing.assert_allclose(mutual_information_matrix(codes, factors), counted, atol=1e-12)


def test_many_values_need_no_large_table():
    values = np.random.default_rng(0).permutation(30_000)[:, None]
    information = mutual_information_matrix(values, values, discretizer="identity")
    np.testing.assert_allclose(information, [[np.log(30_000)]])


def test_result_names_its_settings_and_is_json():
    factors = np.array([[0, 1], [1, 0], [0, 0], [1, 1]])
    scores = mig(factors * 1.0, factors, factor_names=["shape", "size"], seed=3)
    assert scores["settings"] == {
        "metric": "mig",
        "package_version": keras_devae.__version__,
        "numpy_version": np.__version__,
        "bins": 20,
        "discretizer": "histogram",
        "sample_count": 4,
        "code_count": 2,
        "factor_names": ["shape", "size"],
        "factor_sizes": [2, 2],
        "dropped_factors": [],
        "seed": 3,
    }
    assert set(scores) == {"mig.score", "details", "settings"}
    assert json.loads(json.dumps(scores)) == scores


FACTORS = np.array([[0, 1], [1, 0], [0, 0], [1, 1]])
CODES = FACTORS * 1.0


def with_value(value):
    codes = CODES.copy()
    codes[2, 1] = value
    return codes


@pytest.mark.parametrize(
    ("codes", "factors", "keywords", "message"),
    [
        (with_value(np.nan), FACTORS, {}, "nan at row 2, column 1"),
        (with_value(-np.inf), FACTORS, {}, "-inf at row 2, column 1"),
        (CODES[:3], FACTORS, {}, "3 rows of codes and 4 rows of factors"),
        (CODES, FACTORS + 0.5, {}, "whole numbers.*0.5 at row 0, column 0"),
        (CODES, with_value(np.nan), {}, "whole numbers.*nan at row 2"),
        (CODES[:, 0], FACTORS, {}, r"`codes` must be.*shape \(4,\)"),
        (CODES, FACTORS[:, 0], {}, r"`factors` must be.*shape \(4,\)"),
        (CODES[:0], FACTORS[:0], {}, r"shape \(0, 2\)"),
        (CODES.astype(str), FACTORS, {}, "dtype <U"),
        (CODES, FACTORS * 0, {}, "factor_0, factor_1, which never vary"),
        (CODES, FACTORS, {"bins": 1}, "from 2 to 10,000. Received: 1"),
        (CODES, FACTORS, {"bins": 20.0}, "Received: 20.0"),
        (CODES, FACTORS, {"discretizer": "histogramm"}, "Did you mean 'histogram'"),
        (CODES, FACTORS, {"factor_names": ["x"]}, r"2 different names.*\['x'\]"),
        (CODES, FACTORS, {"factor_names": ["x", "x"]}, "2 different names"),
    ],
)
def test_wrong_use_is_refused_in_a_sentence(codes, factors, keywords, message):
    with pytest.raises(UsageError, match=message):
        mig(codes, factors, **keywords)


def test_whole_numbers_in_floats_are_factors():
    assert mig(CODES, FACTORS * 1.0)["mig.score"] == mig(CODES, FACTORS)["mig.score"]


def test_collapsed_codes_tell_nothing(load_case):
    codes, factors = load_case("e_collapsed")
    assert np.all(quietly(mutual_information_matrix, codes, factors) == 0)


def test_entropy_of_known_distributions():
    values = np.array([[0, 7, 0], [1, 7, 0], [2, 7, 0], [3, 7, 5]])
    quarter = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    np.testing.assert_allclose(entropy(values), [math.log(4), 0, quarter], atol=1e-15)
