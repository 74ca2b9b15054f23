import json
import math
import warnings

import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.metrics.estimators.gaussian import (
    gaussian_total_correlation_of,
    wasserstein_correlation_of,
)
from keras_devae.metrics.metric_warnings import MetricWarning
from keras_devae.metrics.scores.gaussian_total_correlation import gaussian_total_correlation
from keras_devae.metrics.scores.wasserstein_correlation import wasserstein_correlation

VARYING = [
    "a_perfect_dead",
    "b_rotated",
    "c_mixed",
    "d_noise",
    "f_hidim64",
    "h_dsprites_like",
    "j_constant_factor",
    "k_nonlinear",
]
EIGENVALUES = "gaussian_wasserstein_correlation_by_symmetric_eigenvalues"


def score_of(function, codes):
    name = function.__name__
    return function(codes)[f"{name}.score"]


@pytest.mark.parametrize("case", VARYING)
def test_values_equal_disentanglement_lib(case, reference, load_case):
    codes, _ = load_case(case)
    entry = reference("supervised")[case]["unsupervised"]
    expected, total = entry["values"], codes.var(axis=0, ddof=1).sum()
    assert score_of(gaussian_total_correlation, codes) == pytest.approx(
        expected["gaussian_total_correlation"], abs=1e-6
    )
    scores = wasserstein_correlation(codes)
    assert scores["wasserstein_correlation.score"] == pytest.approx(
        entry["by_definition"][EIGENVALUES], abs=1e-6 * total
    )
    assert scores["wasserstein_correlation.normalized"] == pytest.approx(
        expected["gaussian_wasserstein_correlation_norm"], abs=1e-6
    )


def test_block_gaussians_equal_the_closed_form(reference):
    for entry in reference("analytic")["tc_block_gaussian"]:
        size, rho = entry["D"], entry["rho"]
        covariance = np.eye(size) + rho * np.kron(np.eye(size // 2), [[0, 1], [1, 0]])
        total = gaussian_total_correlation_of(covariance)
        assert total == pytest.approx(-size / 4 * math.log(1 - rho**2), abs=1e-9)
        assert total == pytest.approx(entry["closed_form"], abs=1e-6)
        # The eigenvalues of a block are 1 + rho and 1 - rho.
        closed = 2 * size - size * (math.sqrt(1 + rho) + math.sqrt(1 - rho))
        assert wasserstein_correlation_of(covariance) == pytest.approx(closed, abs=1e-9)
        assert closed == pytest.approx(entry["wasserstein_closed_form"], abs=1e-6)


def test_scales_leave_the_total_correlation_and_not_the_distance(reference):
    entry = reference("analytic")["tc_invariance"]
    for suffix in ("", "_rescaled"):
        covariance = np.array(entry[f"cov{suffix}"])
        assert gaussian_total_correlation_of(covariance) == pytest.approx(
            entry[f"tc{suffix}"], rel=1e-6
        )
        assert wasserstein_correlation_of(covariance) == pytest.approx(
            entry[f"wasserstein{suffix}"], rel=1e-6
        )


def test_functions_of_codes_and_of_covariances_agree():
    codes = np.random.default_rng(0).normal(size=(40, 4)) @ np.triu(np.ones((4, 4)))
    covariance = np.cov(codes.T)
    assert score_of(gaussian_total_correlation, codes) == pytest.approx(
        gaussian_total_correlation_of(covariance), rel=1e-12
    )
    scores = wasserstein_correlation(codes)
    distance = wasserstein_correlation_of(covariance)
    assert scores["wasserstein_correlation.score"] == pytest.approx(distance, rel=1e-12)
    assert scores["wasserstein_correlation.normalized"] == pytest.approx(
        distance / np.trace(covariance), rel=1e-12
    )


def test_dependent_codes_have_a_finite_total_correlation_with_a_warning():
    column = np.random.default_rng(0).normal(size=(100, 1))
    with pytest.warns(MetricWarning, match="linearly dependent.*1 directions") as record:
        scores = gaussian_total_correlation(np.hstack([column, -3 * column]))
    assert record[0].filename == __file__
    # Eigenvalues 2 and, floored, 2 epsilon.
    floored = -0.5 * math.log(4 * np.finfo(np.float64).eps)
    assert scores["gaussian_total_correlation.score"] == pytest.approx(floored)
    assert scores["details"]["dependent_directions"] == 1
    # Rank one: the only eigenvalue of D^1/2 C D^1/2 is the sum of squared variances.
    assert wasserstein_correlation_of(np.ones((2, 2))) == pytest.approx(4 - 2 * math.sqrt(2))


def test_fewer_samples_than_codes_are_dependent():
    codes = np.random.default_rng(0).normal(size=(3, 5))
    with pytest.warns(MetricWarning, match="3 directions"):
        assert math.isfinite(score_of(gaussian_total_correlation, codes))


@pytest.mark.parametrize("function", [gaussian_total_correlation, wasserstein_correlation])
def test_constant_codes_change_nothing(function):
    codes = np.random.default_rng(0).normal(size=(50, 3)) @ np.triu(np.ones((3, 3)))
    with pytest.warns(MetricWarning, match="1 of 4 codes are constant.*: 0") as record:
        scores = function(np.hstack([np.full((50, 1), 0.1), codes]))
    assert record[0].filename == __file__
    assert scores["details"]["constant_codes"] == [0]
    without = function(codes)
    for key in (key for key in scores if "." in key):
        assert scores[key] == pytest.approx(without[key], rel=1e-12)
    assert json.loads(json.dumps(scores)) == scores
    assert scores["settings"]["code_count"] == 4


@pytest.mark.parametrize("function", [gaussian_total_correlation, wasserstein_correlation])
def test_one_code_is_independent(function):
    assert score_of(function, [[1.0], [2.0], [4.0]]) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("scale", [1e-300, 1e150, 1e300, 1.7e308])
def test_tiny_and_huge_codes(scale):
    codes = np.random.default_rng(0).uniform(-1, 1, size=(50, 3)) @ np.triu(np.ones((3, 3)))
    codes /= np.abs(codes).max()
    total = score_of(gaussian_total_correlation, codes)
    assert score_of(gaussian_total_correlation, codes * scale) == pytest.approx(total, rel=1e-12)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scores = wasserstein_correlation(codes * scale)
    normalized = wasserstein_correlation(codes)["wasserstein_correlation.normalized"]
    assert scores["wasserstein_correlation.normalized"] == pytest.approx(normalized, rel=1e-12)
    beyond = scale > 1e154
    said = [str(one.message) for one in caught if one.category is MetricWarning]
    assert ["beyond float64" in message for message in said] == [True] * beyond
    largest = scores["wasserstein_correlation.score"] == np.finfo(np.float64).max
    assert largest == beyond


@pytest.mark.parametrize("function", [gaussian_total_correlation_of, wasserstein_correlation_of])
def test_a_covariance_has_to_be_one(function):
    for wrong in ([[1.0, 2.0]], [[1.0, 0.5], [0.4, 1.0]], [[-1.0]]):
        with pytest.raises(UsageError, match="`covariance` must be"):
            function(np.array(wrong))


def test_a_variance_of_0_has_no_correlation():
    with pytest.raises(UsageError, match="variances above 0"):
        gaussian_total_correlation_of(np.diag([1.0, 0.0]))
    assert wasserstein_correlation_of(np.diag([1.0, 0.0])) == 0
