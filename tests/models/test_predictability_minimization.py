"""What the predictors learn of given codes, and who learns from whom."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae import PredictabilityMinimization
from keras_devae.losses import without_own_unit
from keras_devae.networks import unit_predictors

pytestmark = pytest.mark.backends


def errors_after_fitting(codes):
    """The predictors' mean squared error of each unit, after 60 epochs on codes."""
    codes = codes.astype("float32")
    predictors = unit_predictors(codes.shape[1], (16,), seed=0)
    predictors.compile(keras.optimizers.Adam(1e-2), "mse")
    seen = ops.convert_to_numpy(without_own_unit(ops.convert_to_tensor(codes)))
    predictors.fit(seen, codes, batch_size=256, epochs=60, verbose=0)
    return np.square(predictors.predict(seen, verbose=0) - codes).mean(axis=0)


def test_independent_codes_leave_an_error_of_their_variance():
    codes = np.random.default_rng(0).random((2048, 3))
    # 1/12 for uniform codes; the predictors of a finite sample know a little more.
    np.testing.assert_allclose(errors_after_fitting(codes), 1 / 12, rtol=0.06)


def test_copies_leave_no_error():
    codes = np.random.default_rng(0).random((2048, 2))
    copies = np.stack([codes[:, 0], codes[:, 1], codes[:, 0]], axis=1)
    errors = errors_after_fitting(copies)
    assert errors[0] < 1e-3 and errors[2] < 1e-3
    np.testing.assert_allclose(errors[1], 1 / 12, rtol=0.06)


def after_a_step(tiny, blobs, **options):
    """The model after one step of stochastic gradient descent."""
    model = tiny("predictability_minimization", **options)
    model.compile(keras.optimizers.SGD(0.1))
    model.fit(blobs(8), batch_size=8, verbose=0)
    return model


def test_the_weight_reaches_the_encoder_alone(tiny, blobs):
    light, heavy = (after_a_step(tiny, blobs, predictability_weight=weight) for weight in (0, 50))

    def are_equal(part):
        weights = (getattr(model, part).get_weights() for model in (light, heavy))
        # But for rounding: the two losses are compiled differently.
        return all(np.allclose(*pair, rtol=0, atol=1e-7) for pair in zip(*weights, strict=True))

    assert are_equal("predictors") and are_equal("decoder")
    assert not are_equal("encoder")
    beginning = tiny("predictability_minimization").predictors.get_weights()
    assert not any(map(np.array_equal, beginning, light.predictors.get_weights()))


def test_codes_are_units(tiny, blobs):
    model = tiny("predictability_minimization")
    codes = model.encode(blobs(20))
    assert 0 < codes.min() < codes.max() < 1
    outputs = ops.convert_to_numpy(model.encoder(blobs(20).astype("float32") / 255)["z_mean"])
    # Moving averages of 0 and 1, and 1e-3 against divisions by 0.
    np.testing.assert_allclose(codes, 1 / (1 + np.exp(-outputs / np.sqrt(1.001))), rtol=1e-5)
    codes = model.prior_codes(1000, np.random.default_rng(0))
    assert codes.dtype == np.float32 and 0 <= codes.min() < 0.01 and 0.99 < codes.max() <= 1
    assert isinstance(model, PredictabilityMinimization)
