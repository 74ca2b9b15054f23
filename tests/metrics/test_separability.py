"""WSEPIN and WINDIN: what each latent tells of the images alone and beside the others."""

import json
import math
import warnings

import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.metrics import MetricWarning, elbo_decomposition, score_codes, windin, wsepin
from keras_devae.metrics.estimators import aggregate_posterior
from keras_devae.metrics.estimators.aggregate_posterior import log_densities
from keras_devae.metrics.estimators.separability import separability

SIZES = (3, 4, 5)
GRID = np.indices(SIZES).reshape(3, -1).T.repeat(20, axis=0).astype(float)
SHARP = np.full(GRID.shape, -8.0)


def random_posterior(rows=1000, dims=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, dims)), rng.uniform(-3, 0, size=(rows, dims))


def test_a_well_separated_grid_is_informative_and_independent():
    nats = np.log(SIZES)
    expected = np.sum(nats**2) / nats.sum()
    separate = wsepin(GRID, SHARP)
    assert separate["wsepin.score"] == pytest.approx(expected)
    assert separate["wsepin.information"] == pytest.approx(nats.sum())
    np.testing.assert_allclose(separate.details["separated"], nats)
    independent = windin(GRID, SHARP)
    assert independent["windin.score"] == pytest.approx(expected)
    assert independent["windin.wsep"] == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(independent.details["information"], nats)
    np.testing.assert_allclose(independent.details["shared"], 0, atol=1e-12)
    np.testing.assert_allclose(independent.details["weights"], nats / nats.sum())


def test_a_copy_shares_all_that_it_tells():
    copied = GRID[:, [0, 0, 1]]
    independent = windin(copied, SHARP)
    np.testing.assert_allclose(independent.details["information"], np.log([3, 3, 4]))
    np.testing.assert_allclose(independent.details["shared"], [math.log(3)] * 2 + [0], atol=1e-12)
    weight = math.log(4) / np.log([3, 3, 4]).sum()
    assert independent["windin.score"] == pytest.approx(weight * math.log(4))
    assert wsepin(copied, SHARP)["wsepin.score"] == pytest.approx(weight * math.log(4))


def test_a_gaussian_channel_has_its_capacity():
    """Means of variance s with unit noise hold log(1 + s) / 2 nats."""
    rng = np.random.default_rng(0)
    spread = np.array([3.0, 1.0])
    z_mean = spread * rng.normal(size=(6000, 2))
    found = windin(z_mean, np.zeros_like(z_mean), evaluated=6000)
    capacity = 0.5 * np.log1p(spread**2)
    np.testing.assert_allclose(found.details["information"], capacity, atol=0.05)
    # q(z) of finitely many images is not quite independent.
    np.testing.assert_allclose(found.details["shared"], 0, atol=0.1)


def test_authors_code_has_the_same_numbers(reference, reference_inputs):
    expected, given = reference("separability")["sepin"], reference_inputs("separability")
    state = np.random.RandomState(3)
    count, dims = given["z_mean"].shape
    rows = state.choice(count, size=400, replace=True, p=np.full(count, 1 / count))
    noise = state.randn(400, dims)
    posterior = given["z_mean"], given["z_log_var"]
    found = separability(log_densities(*posterior, rows, noise, leave_one_out=True))
    np.testing.assert_allclose(found.alone, expected["MI_zi_x"], rtol=1e-5)
    np.testing.assert_allclose(found.without_each, expected["MI_z_not_i_x"], rtol=1e-5)
    np.testing.assert_allclose(found.shared, expected["SEP_zi"], rtol=1e-5)
    assert found.together == pytest.approx(float(np.ravel(expected["MI_z_x"])[0]), rel=1e-6)
    separated = np.sum(found.weights * (found.together - found.without_each))
    assert separated == pytest.approx(expected["WSEPIN"], rel=1e-5)
    assert np.sum(found.weights * (found.alone - found.shared)) == pytest.approx(
        expected["WINDIN"], rel=1e-5
    )


def test_information_together_is_that_of_the_decomposition():
    posterior = random_posterior()
    of_elbo = elbo_decomposition(*posterior, evaluated=1000)[
        "elbo_decomposition.mutual_information"
    ]
    found = wsepin(*posterior, evaluated=1000, samples=2)
    assert found["wsepin.information"] == pytest.approx(of_elbo, abs=0.05)
    assert found.settings["evaluated"] == 1000 and found.settings["samples"] == 2


def test_both_are_the_same_number_with_diagonal_posteriors():
    posterior = random_posterior()
    separate, independent = wsepin(*posterior), windin(*posterior)
    assert separate["wsepin.score"] == pytest.approx(independent["windin.score"], abs=1e-9)
    assert separate["wsepin.score"] > 0.1


def test_pairs_at_a_time_do_not_matter(monkeypatch):
    posterior = random_posterior()
    whole = wsepin(*posterior, evaluated=50)
    monkeypatch.setattr(aggregate_posterior, "PAIRS", 7000)
    assert wsepin(*posterior, evaluated=50).numbers == pytest.approx(whole.numbers, abs=1e-12)


@pytest.mark.parametrize("function", [wsepin, windin])
def test_densities_are_not_lost_to_many_latents(function):
    """A thousand latents multiply to densities far beyond float64."""
    z_mean = np.concatenate([GRID[::20], np.zeros((60, 1000))], axis=1)
    log_var = np.full(z_mean.shape, -30.0)
    with pytest.warns(MetricWarning):
        found = function(z_mean, log_var)
    nats = np.log(SIZES)
    expected = np.sum(nats**2) / nats.sum()
    assert found.mean() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("function", [wsepin, windin])
def test_what_nobody_wishes_for_is_finite(function):
    zeros = np.zeros((1000, 3))
    with pytest.warns(MetricWarning, match="no active latent dimension"):
        collapsed = function(zeros, zeros)
    assert set(collapsed.numbers.values()) == {0.0}
    z_mean, log_var = random_posterior()
    with pytest.warns(MetricWarning, match="1 of 4 codes are constant.*: 3"):
        padded = function(
            np.column_stack([z_mean, np.ones(1000)]), np.column_stack([log_var, np.zeros(1000)])
        )
    assert padded.details["information"][3] == 0
    for scale, noise in ((1e30, -100.0), (1e30, 100.0), (1e-300, -100.0)):
        extreme = z_mean / np.abs(z_mean).max() * scale
        with np.errstate(all="raise", under="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", MetricWarning)
            found = score_codes(
                extreme, metrics=[function.__name__], z_log_var=np.full(extreme.shape, noise)
            )
        assert np.isfinite(list(found.numbers.values())).all()
        assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert np.isfinite(list(function(z_mean[:, :1], log_var[:, :1]).numbers.values())).all()


@pytest.mark.parametrize("function", [wsepin, windin])
def test_images_that_limit_the_information_are_warned_of(function):
    rng = np.random.default_rng(0)
    z_mean = rng.normal(size=(1000, 8))
    with pytest.warns(MetricWarning, match="1,000 images limit all of them together to 6.9"):
        found = function(z_mean, np.full(z_mean.shape, -6.0), evaluated=200)
    assert found.mean() < 0.5


def test_the_seed_decides_the_draws_and_wrong_settings_are_refused():
    posterior = random_posterior()
    assert wsepin(*posterior, seed=1) == wsepin(*posterior, seed=1)
    assert wsepin(*posterior, seed=1) != wsepin(*posterior, seed=2)
    for given, message in (
        ({"samples": 0}, "`samples` must be"),
        ({"evaluated": 0}, "`evaluated` must be"),
        ({"seed": -1}, "`seed` must be"),
        ({"samples": 10**9}, "`samples` and `evaluated` must ask for at most"),
    ):
        with pytest.raises(UsageError, match=message):
            wsepin(*posterior, **given)
    with pytest.raises(UsageError, match="same shape"):
        windin(posterior[0], posterior[1][:, :1])
    with pytest.raises(UsageError, match="Cannot compute windin: there are no log-variances"):
        score_codes(posterior[0], metrics=["windin"])
