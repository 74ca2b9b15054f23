"""Cosine distances and the spread of directions, by NumPy."""

import numpy as np
import pytest
from keras import ops

from keras_devae.losses import cosine_distance, spread_of_directions, unit_vectors

pytestmark = pytest.mark.backends


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def test_distances_are_squares_between_unit_vectors():
    one, other = drawn(7, 5), drawn(7, 5, seed=1)
    units = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (one, other)]
    expected = np.square(units[0] - units[1]).sum(axis=1)
    found = ops.convert_to_numpy(cosine_distance(one, other))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    for factor, distance in ((3.0, 0.0), (-3.0, 4.0)):
        found = ops.convert_to_numpy(cosine_distance(one, factor * one))
        np.testing.assert_allclose(found, distance, atol=1e-5)


def test_spread_is_1_for_even_directions_and_0_for_one():
    assert float(spread_of_directions(drawn(4000, 8))) == pytest.approx(1, abs=0.01)
    assert float(spread_of_directions(drawn(1, 8))) == 1
    same = np.repeat(drawn(1, 8), 50, axis=0) * np.linspace(1, 2, 50)[:, None]
    assert float(spread_of_directions(same.astype("float32"))) == pytest.approx(0, abs=1e-4)


def test_no_direction_has_a_finite_gradient(gradients_of):
    zeros, other = np.zeros((2, 3), "float32"), drawn(2, 3)
    assert (ops.convert_to_numpy(unit_vectors(zeros)) == 0).all()
    for gradient in gradients_of(lambda a, b: ops.sum(cosine_distance(a, b)), zeros, other):
        assert np.isfinite(gradient).all()
