"""The losses of generators and discriminators."""

import numpy as np
import pytest
from keras import ops

from keras_devae.losses import (
    contrastive_loss,
    generator_loss,
    image_discriminator_loss,
    negative_information_bound,
    scaled_gradient,
    shared_in_pairs,
)

pytestmark = pytest.mark.backends


def test_undecided_discriminators():
    undecided = np.zeros((6, 1))
    assert float(generator_loss(undecided)) == pytest.approx(np.log(2))
    assert float(image_discriminator_loss(undecided, undecided)) == pytest.approx(2 * np.log(2))
    assert float(contrastive_loss(np.array([0, 3, 1]), np.zeros((3, 5)))) == pytest.approx(
        np.log(5)
    )


def test_losses_by_their_probabilities():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(2, 7, 1))
    probabilities = [1 / (1 + np.exp(-logits)) for logits in (real, fake)]
    expected = -np.log(probabilities[0]).mean() - np.log(1 - probabilities[1]).mean()
    assert float(image_discriminator_loss(real, fake)) == pytest.approx(expected, rel=1e-6)
    expected = -np.log(probabilities[1]).mean()
    assert float(generator_loss(fake)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_extreme_logits_are_finite(logit):
    logits = np.full((2, 1), logit)
    assert float(generator_loss(logits)) == max(0, -logit)
    assert float(image_discriminator_loss(logits, logits)) == abs(logit)


def test_a_generator_that_is_found_out_still_learns(gradients_of):
    """The loss of the game itself, log(1 - D), would have a gradient of nearly 0 there."""
    (gradient,) = gradients_of(generator_loss, np.full((1, 1), -20.0, "float32"))
    np.testing.assert_allclose(gradient, -1, atol=1e-6)


def test_the_bound_of_the_information():
    rng = np.random.default_rng(0)
    codes = rng.uniform(-1, 1, (100_000, 3))
    # Exact codes, and none: the density of N(c; 1), and the codes' variance of a third.
    least = 3 * (0.5 * np.log(2 * np.pi) - np.log(2))
    assert float(negative_information_bound(codes, codes)) == pytest.approx(least, rel=1e-5)
    got = float(negative_information_bound(codes, np.zeros_like(codes)))
    assert got == pytest.approx(least + 3 / 6, rel=1e-2)


def test_pairs_share_one_code():
    codes, others = np.arange(12.0).reshape(4, 3), -np.arange(12.0).reshape(4, 3) - 1
    got = ops.convert_to_numpy(shared_in_pairs(codes, others, np.array([0, 2, 1, 1])))
    expected = others.copy()
    for row, dimension in enumerate([0, 2, 1, 1]):
        expected[row, dimension] = codes[row, dimension]
    np.testing.assert_array_equal(got, expected)


def test_a_scaled_gradient(gradients_of):
    numbers = np.array([0.1, -3.7, 1e6], "float32")
    got = scaled_gradient(ops.convert_to_tensor(numbers), 0.25)
    np.testing.assert_array_equal(ops.convert_to_numpy(got), numbers)
    (gradient,) = gradients_of(lambda x: ops.sum(3 * scaled_gradient(x, 0.25)), numbers)
    np.testing.assert_allclose(gradient, 0.75)
