import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.layers import ScalarQuantizer

pytestmark = pytest.mark.backends


def quantizer_with(values):
    quantizer = ScalarQuantizer(len(values[0]))
    quantizer.build((None, len(values)))
    quantizer.values.assign(np.array(values, "float32"))
    return quantizer


def test_values_begin_evenly_spaced():
    quantizer = ScalarQuantizer(5)
    quantizer.build((None, 2))
    np.testing.assert_allclose(
        ops.convert_to_numpy(quantizer.values), [[-0.5, -0.25, 0, 0.25, 0.5]] * 2, atol=1e-7
    )


def test_codes_are_the_values_to_the_bit():
    quantizer = ScalarQuantizer(7)
    codes = np.random.default_rng(0).normal(size=(1000, 3)).astype("float32")
    quantized = ops.convert_to_numpy(quantizer(codes))
    values = ops.convert_to_numpy(quantizer.values)
    assert all(np.isin(quantized[:, i], values[i]).all() for i in range(3))


def test_each_code_becomes_the_nearest_value_of_its_dimension():
    quantizer = quantizer_with([[-1, 0, 2], [5, -3, 1]])
    codes = [[-0.6, 2.9], [0.9, -9], [1.1, 99], [-0.4, -0.9]]
    found = ops.convert_to_numpy(quantizer(ops.convert_to_tensor(codes, "float32")))
    np.testing.assert_allclose(found, [[-1, 1], [0, -3], [2, 5], [0, 1]], atol=1e-6)


def test_gradients_pass_as_if_nothing_were_replaced():
    quantizer = quantizer_with([[-1, 0, 2], [5, -3, 1]])
    head = keras.layers.Dense(2, use_bias=False, kernel_initializer="identity")
    inputs = keras.Input((2,))
    model = keras.Model(inputs, quantizer(head(inputs)))
    quantizer.trainable = False  # No gradient reaches the values, of which Keras would warn.
    model.compile(keras.optimizers.SGD(0.1), "mean_squared_error")
    codes, target = np.array([[-0.6, 2.9]], "float32"), np.array([[0.0, 3.0]], "float32")
    model.fit(codes, target, verbose=0)
    # The mean over two of 2 (v - target), with v = (-1, 1), times the inputs.
    gradient = codes.T @ (np.array([[-1.0, 1.0]]) - target)
    found = ops.convert_to_numpy(head.kernel)
    np.testing.assert_allclose(found, np.eye(2) - 0.1 * gradient, rtol=1e-5)


def test_nan_stays_nan():
    quantizer = quantizer_with([[-1, 0, 2]])
    found = ops.convert_to_numpy(quantizer(ops.convert_to_tensor([[np.nan], [0.1]], "float32")))
    assert np.isnan(found[0, 0]) and found[1, 0] == 0


def test_configuration_round_trip():
    quantizer = ScalarQuantizer(7, name="levels")
    again = ScalarQuantizer.from_config(quantizer.get_config())
    assert again.num_values == 7 and again.name == "levels"
