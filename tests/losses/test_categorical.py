import keras
import numpy as np
import pytest
import scipy.stats
from keras import ops

from keras_devae.losses import categorical_kl, gumbel_softmax

pytestmark = pytest.mark.backends

rng = np.random.default_rng(0)


def kl(logits):
    return ops.convert_to_numpy(categorical_kl(logits))


def sample(logits, temperature, seed=0):
    return ops.convert_to_numpy(gumbel_softmax(logits, temperature, seed))


def test_divergence_from_the_uniform_distribution():
    probabilities = rng.dirichlet([0.5] * 7, size=20)
    expected = scipy.stats.entropy(probabilities, np.full((20, 7), 1 / 7), axis=1)
    # Logits are known up to a constant a row.
    logits = np.log(probabilities) + rng.normal(size=(20, 1))
    np.testing.assert_allclose(kl(logits), expected, rtol=1e-5, atol=1e-6)


def test_certain_and_uniform_distributions():
    logits = np.array([[1e4, 0, -1e4], [3, 3, 3], [-1e4, -1e4, -1e4], [50, 0, 0]])
    np.testing.assert_allclose(kl(logits), [np.log(3), 0, 0, np.log(3)], atol=1e-6)


def test_small_divergences_keep_their_digits():
    scale = np.logspace(-4, -1, 50)[:, None]
    logits = scale * np.array([1, 0, -1, 0, 2])
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = (probabilities * np.log(5 * probabilities)).sum(1)
    got = kl(logits)
    assert (got > 0).all()
    # The smallest is 5e-9; the log-probabilities themselves are rounded to 1e-7.
    np.testing.assert_allclose(got, expected, rtol=1e-2)


def test_float16_logits_are_computed_in_float32():
    logits = np.array([[60_000, -60_000]], "float16")
    for result in (categorical_kl(logits), gumbel_softmax(logits, 0.5, 0)):
        assert keras.backend.standardize_dtype(result.dtype) == "float32"
    assert kl(logits)[0] == pytest.approx(np.log(2), rel=1e-6)
    np.testing.assert_array_equal(sample(logits, 0.5), [[1, 0]])


class Term(keras.layers.Layer):
    """A term of logits that are weights, so that a training step takes its gradient."""

    def __init__(self, term, logits):
        super().__init__()
        self.term = term
        self.logits = self.add_weight(shape=logits.shape, initializer="zeros")
        self.logits.assign(logits)

    def call(self, inputs):
        return inputs + ops.sum(self.term(self.logits))


def gradient(term, logits):
    layer = Term(term, logits)
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(keras.optimizers.SGD(1.0), loss=lambda _, output: ops.mean(output))
    model.train_on_batch(np.zeros((1, 1)), np.zeros((1, 1)))
    return logits - ops.convert_to_numpy(layer.logits)


LOGITS = np.array([[1e4, 0, -1e4], [0, 0, 0], [1, 2, 3]], "float32")


def test_gradient_of_the_divergence():
    log_probabilities = np.log([np.exp([1.0, 2, 3]) / np.exp([1.0, 2, 3]).sum()])
    probabilities = np.exp(log_probabilities)
    mean = (probabilities * log_probabilities).sum()
    expected = [[0, 0, 0], [0, 0, 0], *(probabilities * (log_probabilities - mean))]
    np.testing.assert_allclose(gradient(categorical_kl, LOGITS), expected, atol=1e-6)


def test_gradient_of_the_samples():
    def term(logits):
        return gumbel_softmax(logits, 0.5, 0)[:, 0]

    got = gradient(term, LOGITS)
    # Of a softmax over 1/2, at the sample itself.
    samples = sample(LOGITS, 0.5)
    expected = 2 * samples[:, :1] * (np.eye(3)[:1] - samples)
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert np.abs(got).max() > 1e-3


@pytest.mark.parametrize("temperature", [0.2, 0.67, 5.0])
def test_two_categories_are_logistic(temperature):
    samples = sample(np.tile([0.7, -0.2], (4000, 1)), temperature).astype("float64")
    log_odds = np.log(samples[:, 0]) - np.log(samples[:, 1])
    # Maddison et al. (2017): a logistic variable around the difference, over the temperature.
    law = scipy.stats.logistic(loc=0.9)
    assert scipy.stats.kstest(temperature * log_odds, law.cdf).pvalue > 1e-3


def test_largest_categories_follow_the_softmax():
    logits = np.tile(np.log([0.5, 0.3, 0.15, 0.05]), (4000, 1))
    for temperature in (0.01, 1.0):
        counts = np.bincount(sample(logits, temperature, 3).argmax(1), minlength=4)
        assert scipy.stats.chisquare(counts, [2000, 1200, 600, 200]).pvalue > 1e-3


def test_temperature_goes_from_one_hot_to_uniform():
    logits = rng.normal(size=(500, 5))
    # An exponential and a division are rounded, by half of that each.
    rounding = float(np.finfo("float32").eps)
    assert np.median(sample(logits, 1e-3).max(1)) == pytest.approx(1, abs=rounding)
    np.testing.assert_allclose(sample(logits, 1e4), 0.2, atol=1e-2)


@pytest.mark.parametrize("temperature", [1e-36, 0.5, 1e4])
def test_samples_are_finite_and_sum_to_one(temperature):
    logits = np.concatenate([np.tile([1e4, -1e4, 0], (50, 1)), rng.normal(size=(50_000, 3))])
    samples = sample(logits, temperature)
    assert np.isfinite(samples).all() and samples.min() >= 0
    np.testing.assert_allclose(samples.sum(1), 1, atol=1e-6)


def test_outermost_uniform_numbers_are_finite(monkeypatch):
    draws = np.array([[0, 0], [1, 1], [0, 1], [1, 0]], "float32")
    monkeypatch.setattr(
        keras.random, "uniform", lambda *arguments, **options: ops.convert_to_tensor(draws)
    )
    np.testing.assert_allclose(
        sample(np.zeros((4, 2)), 1.0), [[0.5, 0.5], [0.5, 0.5], [0, 1], [1, 0]], atol=1e-6
    )


class Samples(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.temperature = self.add_weight(shape=(), initializer="ones", trainable=False)
        self.seed_generator = keras.random.SeedGenerator(0)

    def call(self, logits):
        return gumbel_softmax(logits, self.temperature, self.seed_generator), categorical_kl(logits)

    def compute_output_shape(self, shape):
        return shape, shape[:1]


def test_compiled_with_a_smaller_last_batch():
    logits = rng.normal(size=(9, 3)).astype("float32")
    logits[4:8] = logits[:4]
    inputs = keras.Input((3,))
    model = keras.Model(inputs, Samples()(inputs))
    samples, divergence = model.predict(logits, batch_size=4, verbose=0)
    np.testing.assert_allclose(samples.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(divergence, kl(logits), rtol=1e-5, atol=1e-6)
    # The noise is drawn anew for every batch.
    assert (samples[:4] != samples[4:8]).any()
