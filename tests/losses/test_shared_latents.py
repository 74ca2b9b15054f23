"""Which latent dimensions two images share, and what becomes of their posteriors there."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import integrate, stats

from keras_devae.errors import UsageError
from keras_devae.losses import (
    average_posteriors,
    gaussian_kl,
    kl_between_gaussians,
    share_posteriors,
    shared_dimensions,
)

pytestmark = pytest.mark.backends

FIRST = np.float32([[0.3, -1, 2]]), np.log(np.float32([[0.5, 2, 1]]))
SECOND = np.float32([[-0.2, 1, 2]]), np.log(np.float32([[1.5, 0.25, 1]]))


def arrays(tensors):
    return [ops.convert_to_numpy(tensor) for tensor in tensors]


def densities(gaussian, place):
    mean, log_var = (float(part[0, place]) for part in gaussian)
    return stats.norm(mean, np.exp(0.5 * log_var))


def test_divergence_is_the_integral():
    (got,) = ops.convert_to_numpy(kl_between_gaussians(FIRST, SECOND))
    for place in range(3):
        first, second = densities(FIRST, place), densities(SECOND, place)
        expected, _ = integrate.quad(
            lambda z, p=first, q=second: p.pdf(z) * (p.logpdf(z) - q.logpdf(z)), -20, 20, limit=200
        )
        assert got[place] == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_divergence_from_the_prior():
    prior = np.zeros_like(FIRST[0]), np.zeros_like(FIRST[1])
    got = kl_between_gaussians(FIRST, prior)
    np.testing.assert_allclose(*arrays([got, gaussian_kl(*FIRST)]), rtol=1e-6)


def test_extreme_posteriors_stay_finite():
    log_var = np.float32([[20, -20, 20, -20]])
    first = np.float32([[1e4, -1e4, 0, 0]]), log_var
    second = np.zeros_like(log_var), -log_var
    for averaging in ("group", "multi_level"):
        for pair in ((first, second), (first, first)):
            for part in share_posteriors(*pair, averaging):
                assert np.isfinite(arrays(part)).all()
    (none,) = ops.convert_to_numpy(kl_between_gaussians(first, first))
    np.testing.assert_array_equal(none, 0)


@pytest.mark.parametrize(
    ("kl", "shared"),
    [
        ([0.1, 0.9, 0.4, 0.6], [True, False, True, False]),
        ([0, 0.1], [True, False]),
        # At the threshold itself, which is 0.5.
        ([0, 0.5, 1], [True, False, False]),
        ([3, 3, 3], [False, False, False]),
        ([0, 0], [False, False]),
        ([5], [False]),
        # The threshold belongs to the pair: the mean of the extremes, not of all dimensions.
        ([0, 1, 1, 1, 1, 10], [True, True, True, True, True, False]),
    ],
)
def test_dimensions_below_the_threshold_are_shared(kl, shared):
    both = shared_dimensions(ops.convert_to_tensor(np.float32([kl, np.multiply(100, kl)])))
    np.testing.assert_array_equal(ops.convert_to_numpy(both), [shared, shared])


def test_group_averages_means_and_variances():
    mean, log_var = arrays(average_posteriors(FIRST, SECOND))
    np.testing.assert_allclose(mean, [[0.05, 0, 2]], atol=1e-6)
    np.testing.assert_allclose(np.exp(log_var), [[1, 1.125, 1]], rtol=1e-6)


def test_multi_level_is_the_product_with_twice_its_variance():
    mean, log_var = arrays(average_posteriors(FIRST, SECOND, "multi_level"))
    z = np.linspace(-20, 20, 400_001)
    for place in range(3):
        product = densities(FIRST, place).pdf(z) * densities(SECOND, place).pdf(z)
        product /= product.sum()
        expected = (product * z).sum()
        variance = (product * (z - expected) ** 2).sum()
        assert mean[0, place] == pytest.approx(expected, abs=1e-5)
        assert np.exp(log_var[0, place]) == pytest.approx(2 * variance, rel=1e-4)


def test_an_unknown_averaging_is_refused():
    with pytest.raises(UsageError, match="multi_level"):
        average_posteriors(FIRST, SECOND, "multilevel")


@pytest.mark.parametrize("averaging", ["group", "multi_level"])
def test_only_what_is_close_is_averaged(averaging):
    """By hand: dimensions 0 and 2 are close to each other, dimension 1 is far away."""
    mean, log_var = np.float32([[0, 5, 1]]), np.zeros((1, 3), np.float32)
    first, second = (mean, log_var), (np.float32([[0.2, -5, 0.8]]), log_var)
    (one, one_var), (other, other_var) = map(arrays, share_posteriors(first, second, averaging))
    np.testing.assert_allclose(one, [[0.1, 5, 0.9]], rtol=1e-6)
    np.testing.assert_allclose(other, [[0.1, -5, 0.9]], rtol=1e-6)
    np.testing.assert_allclose([one_var, other_var], 0, atol=1e-6)


def test_the_divergence_is_that_of_the_first_from_the_second():
    """The other direction would share the other dimension."""
    narrow, wide = np.log(0.01), 0.0
    first = np.float32([[0, 0]]), np.float32([[wide, narrow]])
    second = np.float32([[0.5, 0.5]]), np.float32([[narrow, wide]])
    (mean, _), _ = map(arrays, share_posteriors(first, second))
    np.testing.assert_allclose(mean, [[0, 0.25]])
    (mean, _), _ = map(arrays, share_posteriors(second, first))
    np.testing.assert_allclose(mean, [[0.25, 0.5]])


def test_gradients_reach_both_images_where_they_share(gradients_of):
    log_var = np.zeros((1, 2), np.float32)

    def first_mean(one, other):
        return ops.sum(share_posteriors((one, log_var), (other, log_var))[0][0])

    one, other = gradients_of(first_mean, np.float32([[0, 4]]), np.float32([[0.1, -4]]))
    np.testing.assert_allclose(one, [[0.5, 1]])
    np.testing.assert_allclose(other, [[0.5, 0]])


def test_float16_is_averaged_in_float32():
    halves = [np.float16([[0, 12]]) for _ in range(2)]
    for part in share_posteriors(halves, halves):
        assert {keras.backend.standardize_dtype(tensor.dtype) for tensor in part} == {"float32"}
