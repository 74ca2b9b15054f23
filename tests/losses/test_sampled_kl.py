import numpy as np
import pytest
from keras import ops
from scipy import stats

from keras_devae.layers import FlowChain
from keras_devae.losses import balanced_draws, flow_kl

pytestmark = pytest.mark.backends

D = 3


def gaussians(count=4, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(count, D)).astype("float32") for _ in range(2)]


def draws_of(mean, log_var, noise):
    return mean + np.exp(0.5 * log_var) * noise[:, None]


def by_density(mean, log_var, start, end, log_determinant):
    """log q_0(z_0) - log det - log p(z_K), by SciPy."""
    of_start = stats.norm.logpdf(start, mean, np.exp(0.5 * log_var)).sum(-1)
    return of_start - log_determinant - stats.norm.logpdf(end).sum(-1)


@pytest.mark.parametrize("latent_dim", [1, 3, 40])
def test_draws_have_exact_moments(latent_dim):
    draws = balanced_draws(latent_dim).astype("float64")
    assert draws.shape == (max(64, 4 * latent_dim), latent_dim)
    np.testing.assert_allclose(draws.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(draws.T @ draws / len(draws), np.eye(latent_dim), atol=1e-6)
    # About normal: the deviation of a kurtosis of 3 is near 0.5 for 64 draws.
    assert abs(stats.kurtosis(draws, axis=None, fisher=False) - 3) < 1.5
    np.testing.assert_array_equal(draws, balanced_draws(latent_dim))


def test_closed_form_of_an_affine_flow():
    mean, log_var = gaussians()
    rng = np.random.default_rng(1)
    matrix, shift = rng.normal(size=(D, D)), rng.normal(size=D)
    start = draws_of(mean, log_var, balanced_draws(D))
    end = start @ matrix.T + shift
    determinant = np.full(start.shape[:2], np.linalg.slogdet(matrix)[1], "float32")
    got = ops.convert_to_numpy(flow_kl(mean, log_var, start, end.astype("float32"), determinant))
    for i in range(len(mean)):
        covariance = matrix @ np.diag(np.exp(log_var[i].astype("float64"))) @ matrix.T
        moved = matrix @ mean[i] + shift
        expected = np.trace(covariance) + moved @ moved - D - np.linalg.slogdet(covariance)[1]
        assert got[:, i].mean() == pytest.approx(expected / 2, rel=1e-4)


@pytest.mark.parametrize("flow", ["planar", "iaf"])
def test_means_of_both_estimates_are_equal(flow):
    mean, log_var = gaussians()
    chain = FlowChain(D, flow, 2, (8,), seed=0)
    parameters = np.random.default_rng(2).normal(size=(4, chain.num_parameters))
    parameters = (0.5 * parameters).astype("float32")
    # Of balanced draws, the replaced part has its exact mean.
    start = draws_of(mean, log_var, balanced_draws(D))
    end, determinant = map(ops.convert_to_numpy, chain(start, parameters))
    got = ops.convert_to_numpy(flow_kl(mean, log_var, start, end, determinant))
    expected = by_density(mean, log_var, start, end, determinant)
    np.testing.assert_allclose(got.mean(0), expected.mean(0), rtol=1e-4, atol=1e-4)
    # And 64 balanced draws come near to the mean of many.
    noise = np.random.default_rng(3).standard_normal((20_000, D), dtype="float32")
    start = draws_of(mean, log_var, noise)
    end, determinant = map(ops.convert_to_numpy, chain(start, parameters))
    expected = by_density(mean, log_var, start, end, determinant)
    np.testing.assert_allclose(got.mean(0), expected.mean(0), atol=0.1)
    assert got.std() > 0


def test_no_flow_adds_no_noise():
    mean, log_var = gaussians()
    start = draws_of(mean, log_var, balanced_draws(D))
    got = ops.convert_to_numpy(flow_kl(mean, log_var, start, start, np.zeros((64, 4), "float32")))
    mean, log_var = mean.astype("float64"), log_var.astype("float64")
    expected = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(-1)
    np.testing.assert_allclose(got, np.tile(expected, (64, 1)), rtol=1e-5)
