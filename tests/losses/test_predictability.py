import numpy as np
import pytest
from keras import ops

from keras_devae.losses import prediction_errors, unpredicted_variances, without_own_unit

pytestmark = pytest.mark.backends


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def test_a_predictor_sees_all_units_but_its_own():
    codes = np.array([[1, 2, 3], [4, 5, 6]], "float32")
    expected = [[[0, 2, 3], [1, 0, 3], [1, 2, 0]], [[0, 5, 6], [4, 0, 6], [4, 5, 0]]]
    np.testing.assert_array_equal(numbers(without_own_unit(ops.convert_to_tensor(codes))), expected)


def test_errors_and_their_variances_agree_with_numpy():
    codes, predictions = np.random.default_rng(0).random((2, 50, 3), np.float32)
    tensors = [ops.convert_to_tensor(values) for values in (codes, predictions)]
    errors = (codes - predictions).astype("float64")
    found = numbers(prediction_errors(*tensors))
    np.testing.assert_allclose(found, (errors**2).mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(
        numbers(unpredicted_variances(*tensors)), errors.var(axis=0), rtol=1e-4
    )


def test_a_constant_error_has_no_variance():
    codes = ops.convert_to_tensor(np.random.default_rng(0).random((50, 2), np.float32))
    np.testing.assert_allclose(numbers(unpredicted_variances(codes, codes + 0.5)), 0, atol=1e-6)
    np.testing.assert_allclose(numbers(prediction_errors(codes, codes + 0.5)), 0.25, rtol=1e-5)
