"""RMIG and JEMMIG: information from the probabilities that posteriors give to bins."""

import json
import math

import numpy as np
import pytest
from scipy.special import xlogy
from scipy.stats import norm

from keras_devae.errors import UsageError
from keras_devae.metrics import MetricWarning, jemmig, mig, rmig, score_codes
from keras_devae.metrics.estimators import posterior_bins

SIZES = (3, 4, 5)
GRID = np.indices(SIZES).reshape(3, -1).T.repeat(20, axis=0)
SHARP = np.full(GRID.shape, -20.0)


def noisy_codes(rows=1200, seed=0):
    rng = np.random.default_rng(seed)
    factors = rng.integers(0, SIZES, size=(rows, 3))
    mix = [[1.0, 0.2, 0.0, 0.5], [0.0, 0.9, 0.1, 0.5], [0.1, 0.0, 0.6, 0.0]]
    return factors @ mix + 0.2 * rng.normal(size=(rows, 4)), factors


def test_a_well_separated_grid_is_perfect():
    score = rmig(GRID, SHARP, GRID)
    assert score["rmig.score"] == pytest.approx(1)
    assert score["rmig.nats"] == pytest.approx(np.log(SIZES).mean())
    found = np.array(score.details["mutual_information"])
    np.testing.assert_allclose(found, np.diag(np.log(SIZES)), atol=1e-12)
    joint = jemmig(GRID, SHARP, GRID)
    assert joint["jemmig.score"] == pytest.approx(0, abs=1e-12)
    assert joint["jemmig.nats"] == pytest.approx(0, abs=1e-12)
    assert joint["jemmig.one_minus_score"] == pytest.approx(1)
    assert joint.details["joint_entropies"]["factor_1"] == pytest.approx(math.log(4))


@pytest.mark.parametrize("discretizer", ["histogram", "quantile"])
@pytest.mark.parametrize("bins", [5, 20])
def test_it_goes_to_mig_as_the_deviations_go_to_0(discretizer, bins):
    codes, factors = noisy_codes()
    expected = mig(codes, factors, bins=bins, discretizer=discretizer)
    distances = []
    for log_var in (-4.0, -8.0, -16.0, -60.0):
        posterior = codes, np.full(codes.shape, log_var)
        found = rmig(*posterior, factors, bins=bins, discretizer=discretizer)
        distances.append(abs(found["rmig.score"] - expected["mig.score"]))
    assert distances[-1] < 1e-12 and distances[0] > 1e-4 > distances[2]
    assert found.details["per_factor"] == pytest.approx(expected.details["per_factor"])


def test_two_gaussians_have_the_information_of_a_noisy_channel():
    """Means of -1 and 1 in two bins err as a binary symmetric channel does."""
    factors = np.repeat([0, 1], 600)[:, None]
    deviation = 0.8
    codes = 2.0 * factors - 1
    log_var = np.full(codes.shape, 2 * math.log(deviation))
    error = norm.sf(1 / deviation)
    lost = -xlogy(error, error) - xlogy(1 - error, 1 - error)
    score = rmig(codes, log_var, factors, bins=2)
    assert score["rmig.nats"] == pytest.approx(math.log(2) - lost)
    joint = jemmig(codes, log_var, factors, bins=2)
    assert joint["jemmig.nats"] == pytest.approx(2 * lost)
    assert joint["jemmig.score"] == pytest.approx(2 * lost / (2 * math.log(2)))


def test_jemmig_counts_what_else_the_best_code_holds():
    """One code for two factors has the gap of each, but holds more than either."""
    both = GRID[:, :1] * 4 + GRID[:, 1:2]
    factors = GRID[:, :2]
    joint = jemmig(both, SHARP[:, :1], factors)
    # H(z, y) is log 12, and I(z, y) all of H(y); there is no second code.
    expected = np.log([12 / 3, 12 / 4])
    assert joint["jemmig.nats"] == pytest.approx(expected.mean())
    assert rmig(both, SHARP[:, :1], factors)["rmig.score"] == pytest.approx(1)


def test_authors_code_has_the_same_numbers(reference, reference_inputs):
    expected, given = reference("separability")["quantised"], reference_inputs("separability")
    posterior = given["z_mean"], given["z_log_var"]
    layout = {"bins": expected["bins"], "limits": expected["limits"]}
    with pytest.warns(MetricWarning, match="Few samples"):
        score = rmig(*posterior, given["factors"], **layout)
        joint = jemmig(*posterior, given["factors"], **layout)
    # They take the density at a bin's centre for its mean, and bins of a part of the deviation.
    np.testing.assert_allclose(
        np.transpose(score.details["mutual_information"]), expected["MI_z_y"], atol=2e-3
    )
    np.testing.assert_allclose(
        list(score.details["per_factor"].values()), expected["RMIG"], atol=1e-3
    )
    np.testing.assert_allclose(
        list(joint.details["per_factor"].values()), expected["JEMMI"], atol=1e-3
    )
    # Without noise, 1 - JEMMIG is what Carbonneau et al. (2022) compute.
    sharp = np.full(posterior[0].shape, -60.0)
    with pytest.warns(MetricWarning, match="Few samples"):
        joint = jemmig(posterior[0], sharp, given["factors"])
    known = reference("separability")["carbonneau"]["jemmig"]
    assert joint["jemmig.one_minus_score"] == pytest.approx(known, abs=1e-9)


def test_probabilities_are_those_of_numerical_integration(monkeypatch):
    codes, factors = noisy_codes(50)
    log_var = np.random.default_rng(1).uniform(-4, 0, codes.shape)
    points = np.linspace(-30, 30, 600_001)
    (edges,) = posterior_bins.bin_edges(codes[:, :1], 5, "histogram", None)
    cut = np.split(np.arange(len(points)), np.searchsorted(points, edges))
    masses = []
    for mean, variance in zip(codes[:, 0], np.exp(log_var[:, 0]), strict=True):
        density = norm.pdf(points, mean, math.sqrt(variance))
        masses.append([density[part].sum() * (points[1] - points[0]) for part in cut])
    table = np.array([np.sum(np.array(masses)[factors[:, 0] == v], axis=0) / 50 for v in range(3)])
    marginals = table.sum(axis=0), table.sum(axis=1)
    expected = (xlogy(table, table).sum() - sum(xlogy(m, m).sum() for m in marginals)).item()
    monkeypatch.setattr(posterior_bins, "CELLS", 120)
    with pytest.warns(MetricWarning):
        found = rmig(codes, log_var, factors, bins=5).details["mutual_information"]
    assert found[0][0] == pytest.approx(expected, abs=1e-5)


def test_edges_lie_between_means():
    whole = np.repeat(np.arange(5.0), 10)[:, None]
    (edges,) = posterior_bins.bin_edges(whole, 20, "histogram", None)
    assert edges.tolist() == [0.5, 1.5, 2.5, 3.5]
    (edges,) = posterior_bins.bin_edges(whole, 4, "histogram", (-2.0, 2.0))
    assert edges.tolist() == [-1.0, 0.0, 1.0]


def test_noise_lowers_the_score_and_rows_may_be_in_any_order():
    codes, factors = noisy_codes()
    rising = [rmig(codes, np.full(codes.shape, v), factors)["rmig.score"] for v in (2, 0, -2, -9)]
    assert rising == sorted(rising)
    order = np.random.default_rng(0).permutation(len(codes))
    log_var = np.random.default_rng(0).uniform(-5, 0, codes.shape)
    for function in (rmig, jemmig):
        plain = function(codes, log_var, factors)
        shuffled = function(codes[order], log_var[order], factors[order])
        assert shuffled.numbers == pytest.approx(plain.numbers, abs=1e-12)
        assert json.loads(json.dumps(plain, allow_nan=False)) == plain


@pytest.mark.parametrize("function", [rmig, jemmig])
def test_what_nobody_wishes_for_is_finite(function):
    codes, factors = noisy_codes()
    log_var = np.full(codes.shape, -2.0)
    with pytest.warns(MetricWarning, match="no active latent dimension"):
        collapsed = function(np.zeros_like(codes), log_var * 0, factors)
    if function is rmig:
        assert collapsed.numbers == {"rmig.score": 0, "rmig.nats": 0}
    else:
        # Nothing is known of the factor, all of which is left in the joint entropy.
        assert collapsed["jemmig.nats"] == pytest.approx(np.log(SIZES).mean(), abs=0.01)
    plain = function(codes, log_var, factors)
    with pytest.warns(MetricWarning, match=r"factor_1\.$"):
        padded = function(codes, log_var, np.insert(factors, 1, 7, axis=1))
    assert padded.numbers == plain.numbers
    for scale in (1e29, 1e-300):
        extreme = function(codes * scale, np.full(codes.shape, -100.0), factors)
        assert np.isfinite(list(extreme.numbers.values())).all()
    # In another unit, with the deviation in that unit, they are the same codes.
    scaled = function(codes * 1e6, log_var + 2 * math.log(1e6), factors)
    assert scaled.numbers == pytest.approx(plain.numbers, abs=1e-9)
    assert np.isfinite(list(function(codes[:, :1], log_var[:, :1], factors).numbers.values())).all()
    one = function(codes, log_var, factors[:, :1])
    assert np.isfinite(list(one.numbers.values())).all()
    outlier = codes.copy()
    outlier[0, 0] = 1e20
    with pytest.warns(MetricWarning, match="Code 0 has more than 95 %"):
        assert np.isfinite(list(function(outlier, log_var, factors).numbers.values())).all()


@pytest.mark.parametrize("function", [rmig, jemmig])
def test_wrong_settings_are_refused(function):
    codes, factors = noisy_codes(1000)
    log_var = np.zeros_like(codes)
    for given, message in (
        ({"limits": (1, 1)}, "`limits` must be two numbers"),
        ({"limits": (0, np.inf)}, "`limits` must be a finite number"),
        ({"limits": (0, "x")}, "`limits` must be a finite number"),
        ({"limits": 4}, "`limits` must be"),
        ({"bins": 1}, "`bins` must be"),
        ({"discretizer": "identity"}, "'identity'"),
    ):
        with pytest.raises(UsageError, match=message):
            function(codes, log_var, factors, **given)
    with pytest.raises(UsageError, match="same shape"):
        function(codes, log_var[:, :2], factors)
    with pytest.raises(UsageError, match="one row for each sample"):
        function(codes, log_var, factors[:-1])
    with pytest.raises(UsageError, match="nan at row 1"):
        function(codes, np.where(np.arange(1000)[:, None] == 1, np.nan, log_var), factors)


def test_bins_and_continuous_factors_pass_through_score_codes():
    codes, factors = noisy_codes()
    measured = factors + 0.25
    names = ["rmig", "jemmig"]
    options = {"z_log_var": np.full(codes.shape, -3.0), "factor_names": ["a", "b", "c"]}
    scores = score_codes(codes, measured, names, continuous=["a", "b", "c"], bins=7, **options)
    assert scores.settings["rmig"]["bins"] == 7
    assert scores.settings["jemmig"]["continuous"]["a"] == "binned"
    alone = rmig(codes, options["z_log_var"], factors, bins=7)
    assert scores["rmig.score"] == pytest.approx(alone["rmig.score"])
    for missing, message in (
        ({"factors": None}, "no ground-truth factors"),
        ({"factors": factors}, "no log-variances"),
    ):
        with pytest.raises(UsageError, match=f"Cannot compute rmig, jemmig: there are {message}"):
            score_codes(codes, metrics=names, **missing)
