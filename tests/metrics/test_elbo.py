import json
import math

import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.metrics.estimators import aggregate_posterior
from keras_devae.metrics.metric_warnings import MetricWarning
from keras_devae.metrics.scores.elbo_decomposition import elbo_decomposition

TERMS = ("mutual_information", "total_correlation", "dimension_wise_kl", "kl_sampled")


def terms_of(scores):
    return [scores[f"elbo_decomposition.{name}"] for name in TERMS]


def random_posterior(count=60, width=3, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(count, width)), random.normal(-1, 0.7, size=(count, width))


def gaussian_posterior(rho, variance, count=4000):
    """Posteriors whose aggregate is a Gaussian with unit variances, and its covariance."""
    covariance = (1 - variance) * np.array([[1, rho], [rho, 1]])
    means = np.random.default_rng(1).multivariate_normal([0, 0], covariance, size=count)
    aggregate = covariance + variance * np.eye(2)
    return means, np.full_like(means, math.log(variance)), aggregate


@pytest.mark.parametrize("samples", [1, 3])
def test_the_terms_sum_to_the_sampled_kl(samples):
    scores = elbo_decomposition(*random_posterior(), samples=samples)
    information, total, dimension_wise, sampled = terms_of(scores)
    assert information + total + dimension_wise == pytest.approx(sampled, abs=1e-9)
    details = scores["details"]
    assert sum(details["dimension_wise_kl"]) == pytest.approx(dimension_wise, abs=1e-9)
    error = details["standard_errors"]["kl_sampled"]
    assert sampled == pytest.approx(scores["elbo_decomposition.kl"], abs=4 * error)
    assert json.loads(json.dumps(scores)) == scores


def test_densities_by_hand():
    z_mean, z_log_var = random_posterior(count=5, width=2)
    scores = elbo_decomposition(z_mean, z_log_var, seed=7)
    random = np.random.default_rng(7)
    rows = random.permutation(5)
    z = z_mean[rows] + np.exp(z_log_var[rows] / 2) * random.normal(size=(5, 2))
    densities = np.exp(-np.square(z[:, None] - z_mean) / 2 / np.exp(z_log_var))
    densities /= np.sqrt(2 * np.pi * np.exp(z_log_var))
    own = densities[np.arange(5), rows].prod(axis=1)
    aggregate, marginals = densities.prod(axis=2).mean(axis=1), densities.mean(axis=1)
    prior = np.exp(-np.square(z) / 2).prod(axis=1) / (2 * np.pi)
    expected = [
        np.log(own / aggregate).mean(),
        np.log(aggregate / marginals.prod(axis=1)).mean(),
        np.log(marginals.prod(axis=1) / prior).mean(),
        np.log(own / prior).mean(),
    ]
    assert terms_of(scores) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
def test_correlated_codes_equal_the_closed_form(rho):
    variance = 0.1
    z_mean, z_log_var, aggregate = gaussian_posterior(rho, variance)
    scores = elbo_decomposition(z_mean, z_log_var)
    information, total, dimension_wise, _ = terms_of(scores)
    # Some 0.03 from 2000 draws, and the bias of an aggregate of 4000 posteriors.
    assert total == pytest.approx(-0.5 * math.log(1 - aggregate[0, 1] ** 2), abs=0.08)
    entropy = 0.5 * np.linalg.slogdet(aggregate)[1]
    assert information == pytest.approx(entropy - math.log(variance), abs=0.12)
    assert dimension_wise == pytest.approx(0, abs=0.02)


def test_marginals_off_the_prior_are_in_the_dimension_wise_kl():
    z_mean = np.full((50, 2), [3.0, 0.0])
    with pytest.warns(MetricWarning, match="no active latent dimension"):
        scores = elbo_decomposition(z_mean, np.zeros((50, 2)), samples=200)
    information, total, dimension_wise, _ = terms_of(scores)
    assert information == pytest.approx(0, abs=1e-12)
    assert total == pytest.approx(0, abs=1e-12)
    assert scores["details"]["kl"] == [4.5, 0]
    assert dimension_wise == pytest.approx(4.5, abs=0.12)


def test_posterior_equal_to_the_prior_has_nothing():
    zeros = np.zeros((40, 3))
    with pytest.warns(MetricWarning, match="no active latent dimension") as record:
        scores = elbo_decomposition(zeros, zeros, negative_log_likelihood=12.5)
    assert record[0].filename == __file__
    assert terms_of(scores) == pytest.approx([0, 0, 0, 0], abs=1e-12)
    assert scores["elbo_decomposition.kl"] == 0
    assert scores["elbo_decomposition.elbo"] == -12.5


def test_a_dimension_with_changing_variance_is_not_constant():
    z_mean, z_log_var = random_posterior()
    z_mean[:, 0] = 0
    elbo_decomposition(z_mean, z_log_var)
    z_log_var[:, 0] = 0
    with pytest.warns(MetricWarning, match="1 of 3 codes are constant.*: 0"):
        elbo_decomposition(z_mean, z_log_var)


def test_information_is_bounded_by_the_number_of_images():
    z_mean = 1000.0 * np.arange(8)[:, None]
    scores = elbo_decomposition(z_mean, np.zeros((8, 1)))
    assert scores["elbo_decomposition.mutual_information"] == pytest.approx(math.log(8))
    assert scores["details"]["mutual_information_bound"] == math.log(8)


def test_number_of_draws_and_of_pairs_at_a_time(monkeypatch):
    z_mean, z_log_var = random_posterior(count=100)
    whole = elbo_decomposition(z_mean, z_log_var, evaluated=30)
    assert whole["settings"]["evaluated"] == 30
    monkeypatch.setattr(aggregate_posterior, "PAIRS", 700)
    chunked = elbo_decomposition(z_mean, z_log_var, evaluated=30)
    assert terms_of(chunked) == pytest.approx(terms_of(whole), abs=1e-12)
    assert elbo_decomposition(z_mean, z_log_var)["settings"]["evaluated"] == 100


def test_seed_decides_the_draws():
    posterior = random_posterior()
    assert elbo_decomposition(*posterior, seed=1) == elbo_decomposition(*posterior, seed=1)
    assert elbo_decomposition(*posterior, seed=1) != elbo_decomposition(*posterior, seed=2)


def test_elbo_is_minus_both_terms_and_there_only_with_both():
    posterior = random_posterior()
    scores = elbo_decomposition(*posterior, negative_log_likelihood=-3, dataset_size=60)
    assert scores["elbo_decomposition.elbo"] == 3 - scores["elbo_decomposition.kl"]
    assert scores["settings"]["dataset_size"] == 60
    assert "elbo_decomposition.elbo" not in elbo_decomposition(*posterior)


@pytest.mark.parametrize("log_var", [-100.0, 100.0])
def test_extreme_posteriors_are_finite(log_var):
    z_mean = np.array([[1e30, -1e30], [0.0, 1.0], [-5.0, 3.0]])
    scores = elbo_decomposition(z_mean, np.full((3, 2), log_var))
    assert np.all(np.isfinite(terms_of(scores)))
    assert scores["elbo_decomposition.mutual_information"] <= math.log(3) + 1e-9


def test_more_dimensions_than_images():
    z_mean, z_log_var = random_posterior(count=20, width=1024)
    information, total, dimension_wise, sampled = terms_of(elbo_decomposition(z_mean, z_log_var))
    assert information == pytest.approx(math.log(20), abs=1e-6)
    assert information + total + dimension_wise == pytest.approx(sampled, rel=1e-9)


@pytest.mark.parametrize(
    ("z_mean", "z_log_var", "keywords", "message"),
    [
        (np.zeros((3, 2)), np.zeros((3, 1)), {}, "same shape"),
        (np.full((3, 2), np.nan), np.zeros((3, 2)), {}, "`z_mean` must be finite"),
        (np.full((3, 2), 1e300), np.zeros((3, 2)), {}, r"`z_mean` must be between.*1e\+300"),
        (np.zeros((3, 2)), np.full((3, 2), -101), {}, "`z_log_var` must be between -100"),
        (np.zeros((3, 2)), np.zeros((3, 2)), {"samples": 0}, "`samples`"),
        (np.zeros((3, 2)), np.zeros((3, 2)), {"evaluated": 1.5}, "`evaluated`"),
        (np.zeros((3, 2)), np.zeros((3, 2)), {"dataset_size": 2}, "`dataset_size`"),
    ],
)
def test_wrong_use_is_refused_in_a_sentence(z_mean, z_log_var, keywords, message):
    with pytest.raises(UsageError, match=message):
        elbo_decomposition(z_mean, z_log_var, **keywords)


def test_likelihood_has_to_be_finite():
    with pytest.raises(UsageError, match="`negative_log_likelihood` must be a finite number"):
        elbo_decomposition(*random_posterior(), negative_log_likelihood=math.nan)
