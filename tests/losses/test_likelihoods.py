import math

import keras
import numpy as np
import pytest
import scipy.stats
from keras import ops

from keras_devae.errors import UsageError
from keras_devae.losses import (
    BernoulliLikelihood,
    GaussianLikelihood,
    bernoulli_negative_log_likelihood,
    gaussian_negative_log_likelihood,
    get_likelihood,
)

pytestmark = pytest.mark.backends

rng = np.random.default_rng(0)
IMAGES = rng.uniform(size=(3, 4, 4, 2)).astype("float32")
LOGITS = rng.normal(scale=2, size=(3, 4, 4, 2)).astype("float32")


def sigmoid(logits):
    return 1 / (1 + np.exp(-np.asarray(logits, "float64")))


def bernoulli(images, logits):
    return ops.convert_to_numpy(bernoulli_negative_log_likelihood(images, logits))


def gaussian(*arguments, **options):
    return ops.convert_to_numpy(gaussian_negative_log_likelihood(*arguments, **options))


def test_an_undecided_reconstruction_costs_one_bit_a_pixel():
    images = rng.integers(0, 2, (2, 64, 64, 1)).astype("float32")
    got = bernoulli(images, np.zeros_like(images))
    # The tolerance allows for a sum of 4,096 float32 numbers, one after the other.
    np.testing.assert_allclose(got, 4096 * math.log(2), rtol=1e-5)
    np.testing.assert_allclose(got, 2839.13, atol=0.01)


def test_bernoulli_against_the_cross_entropy_of_probabilities():
    p, x = sigmoid(LOGITS), IMAGES.astype("float64")
    expected = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum((1, 2, 3))
    np.testing.assert_allclose(bernoulli(IMAGES, LOGITS), expected, rtol=1e-6)


def test_bernoulli_with_a_leading_axis_of_layers():
    stacked = np.stack([LOGITS, -LOGITS])
    got = bernoulli(IMAGES, stacked)
    assert got.shape == (2, 3)
    np.testing.assert_allclose(got[1], bernoulli(IMAGES, -LOGITS), rtol=1e-6)


def test_extreme_logits_are_finite():
    images = np.float32([0, 1]).reshape(2, 1, 1, 1)
    for logit, expected in ((1e4, [1e4, 0]), (-1e4, [0, 1e4])):
        got = bernoulli(images, np.full((2, 1, 1, 1), logit, "float32"))
        np.testing.assert_allclose(got, expected, atol=1e-6)


def test_float16_logits_are_summed_in_float32():
    images = np.ones((64, 64, 64, 3), "float16")
    result = bernoulli_negative_log_likelihood(images, np.zeros((64, 64, 64, 3), "float16"))
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    np.testing.assert_allclose(ops.convert_to_numpy(result), 64 * 64 * 3 * math.log(2), rtol=1e-5)
    # In float16 the sum over the batch (5e5) would be infinite.
    assert np.isfinite(float(ops.sum(result)))


@pytest.mark.parametrize("sigma", [0.1, 1, 2.5])
def test_gaussian_density(sigma):
    got = gaussian(IMAGES, LOGITS, sigma=sigma)
    expected = -scipy.stats.norm.logpdf(
        IMAGES.astype("float64"), LOGITS.astype("float64"), sigma
    ).sum((1, 2, 3))
    np.testing.assert_allclose(got, expected, rtol=2e-6)


def test_gaussian_without_sigma_is_the_squared_error():
    expected = ((IMAGES.astype("float64") - LOGITS) ** 2).sum((1, 2, 3))
    np.testing.assert_allclose(gaussian(IMAGES, LOGITS), expected, rtol=1e-6)
    # The same density as sigma = sqrt(1/2), but for the constant.
    constant = 32 * 0.5 * math.log(math.pi)
    np.testing.assert_allclose(
        gaussian(IMAGES, LOGITS, sigma=math.sqrt(0.5)) - constant, expected, rtol=1e-5
    )


def test_gaussian_float16_inputs_are_summed_in_float32():
    zeros = np.zeros((2, 64, 64, 3), "float16")
    result = gaussian_negative_log_likelihood(zeros, np.full_like(zeros, 8))
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    np.testing.assert_allclose(ops.convert_to_numpy(result), 64 * 12288, rtol=1e-6)


@pytest.mark.parametrize("function", [bernoulli, gaussian])
def test_batch_and_image_size(function):
    once = function(IMAGES, LOGITS)
    twice = function(np.tile(IMAGES, (2, 1, 1, 1)), np.tile(LOGITS, (2, 1, 1, 1)))
    assert twice.mean() == pytest.approx(once.mean(), rel=1e-6)
    tiled = function(np.tile(IMAGES, (1, 2, 1, 1)), np.tile(LOGITS, (1, 2, 1, 1)))
    np.testing.assert_allclose(tiled, 2 * once, rtol=1e-6)


def test_gaussian_likelihood_outputs():
    squashed, linear = GaussianLikelihood(), GaussianLikelihood(output="linear")
    np.testing.assert_allclose(
        ops.convert_to_numpy(squashed.mean(LOGITS)), sigmoid(LOGITS), rtol=1e-6
    )
    np.testing.assert_array_equal(ops.convert_to_numpy(linear.mean(LOGITS)), LOGITS)
    expected = ((IMAGES - sigmoid(LOGITS)) ** 2).sum((1, 2, 3))
    got = ops.convert_to_numpy(squashed.negative_log_likelihood(IMAGES, LOGITS))
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_bernoulli_means_are_probabilities_in_float32():
    means = BernoulliLikelihood().mean(np.array([-1e4, 0, 1e4], "float16"))
    assert keras.backend.standardize_dtype(means.dtype) == "float32"
    np.testing.assert_array_equal(ops.convert_to_numpy(means), [0, 0.5, 1])


@pytest.mark.parametrize(
    "likelihood", [BernoulliLikelihood(), GaussianLikelihood(sigma=0.3, output="linear")]
)
def test_likelihoods_round_trip(likelihood):
    restored = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(likelihood)
    )
    assert type(restored) is type(likelihood)
    assert restored.get_config() == likelihood.get_config()


def test_likelihoods_by_name():
    assert isinstance(get_likelihood("bernoulli"), BernoulliLikelihood)
    assert isinstance(get_likelihood("gaussian"), GaussianLikelihood)
    own = GaussianLikelihood(sigma=2)
    assert get_likelihood(own) is own


def test_unknown_names_get_the_close_matches():
    with pytest.raises(UsageError, match=r"Unknown likelihood 'bernouli'.*'bernoulli'"):
        get_likelihood("bernouli")
    with pytest.raises(UsageError, match=r"Unknown output .*'linar'.*'linear'"):
        GaussianLikelihood(output="linar")


@pytest.mark.parametrize("sigma", [0, -1, float("nan"), float("inf")])
def test_sigma_out_of_range(sigma):
    with pytest.raises(UsageError, match="`sigma` must be a finite number above 0"):
        GaussianLikelihood(sigma=sigma)


@pytest.mark.parametrize("leading", [(), (2,)])
def test_the_gradients_of_the_cross_entropy(leading, gradients_of):
    """The gradient is written by hand: against finite differences of the definition in float64."""
    logits = np.concatenate([LOGITS[:, :, :, :1], np.zeros_like(LOGITS[:, :, :, :1])], axis=-1)
    logits = np.broadcast_to(logits, (*leading, *logits.shape)).astype("float32")
    weights = rng.normal(size=(*leading, 3)).astype("float32")

    def loss(images, logits):
        return ops.sum(ops.multiply(weights, bernoulli_negative_log_likelihood(images, logits)))

    def exact(images, logits):
        terms = np.logaddexp(0, logits) - logits * images
        return (weights.astype("float64") * terms.sum((-3, -2, -1))).sum()

    images, wide = IMAGES.astype("float64"), logits.astype("float64")
    found = gradients_of(loss, IMAGES, logits)
    step = 1e-5
    for place in ((0, 0, 0, 0), (2, 3, 1, 1), (1, 2, 2, 0)):
        moved = images.copy()
        moved[place] += step
        slope = (exact(moved, wide) - exact(images, wide)) / step
        np.testing.assert_allclose(found[0][place], slope, rtol=1e-4)
        place = (*(1,) * len(leading), *place)
        moved = wide.copy()
        moved[place] += step
        slope = (exact(images, moved) - exact(images, wide)) / step
        np.testing.assert_allclose(found[1][place], slope, rtol=1e-4, atol=1e-5)
