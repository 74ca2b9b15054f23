"""The moving average of a network, by NumPy."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_devae.layers import MovingTarget

pytestmark = pytest.mark.backends


def network(seed=0):
    kernel = keras.initializers.GlorotUniform(seed=seed)
    return keras.Sequential(
        [keras.Input((3,)), layers.Dense(2, kernel_initializer=kernel), layers.BatchNormalization()]
    )


def numbers(variables):
    return [np.array(ops.convert_to_numpy(v)) for v in variables]


def test_it_begins_as_a_copy_and_follows_exactly():
    online = network()
    target = MovingTarget(online)
    inputs = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    np.testing.assert_array_equal(
        ops.convert_to_numpy(target.outputs_of(online, inputs, False)),
        ops.convert_to_numpy(online(inputs)),
    )
    before = numbers(target.copies)
    online.set_weights([w + 1 for w in online.get_weights()])
    target.follow(online, 0.75)
    for copy, old, variable in zip(target.copies, before, online.variables, strict=True):
        new = ops.convert_to_numpy(variable)
        expected = old + np.float32(0.25) * (new - old) if variable.trainable else old
        np.testing.assert_array_equal(ops.convert_to_numpy(copy), expected)
    target.copy_from(online)
    for copy, variable in zip(numbers(target.copies), numbers(online.variables), strict=True):
        np.testing.assert_array_equal(copy, variable)


def test_its_statistics_are_its_own():
    online = network()
    target = MovingTarget(online)
    before = numbers(online.variables)
    inputs = np.random.default_rng(1).normal(2, 3, size=(64, 3)).astype("float32")
    target.outputs_of(online, inputs, True)
    for one, other in zip(before, numbers(online.variables), strict=True):
        np.testing.assert_array_equal(one, other)
    kernel, bias, _, _, mean, variance = numbers(target.copies)
    hidden = inputs @ kernel + bias
    np.testing.assert_allclose(mean, 0.01 * hidden.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(variance, 0.99 + 0.01 * hidden.var(axis=0), rtol=1e-4)


def test_no_weight_is_trained():
    assert MovingTarget(network()).trainable_variables == []
