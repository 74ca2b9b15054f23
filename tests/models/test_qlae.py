"""QLAE's losses, gradients and samples, by hand."""

import keras
import numpy as np
import pytest
from keras import ops

pytestmark = pytest.mark.backends

VALUES = np.array([[-1, 0, 2], [5, -3, 1], [0.1, 0.2, 0.3]], "float32")


@pytest.fixture
def model(tiny):
    def make(**options):
        made = tiny("qlae", num_values=3, **options)
        made.compile(keras.optimizers.SGD(0.01))
        made.quantizer.values.assign(VALUES)
        return made

    return make


def encoded(model, images):
    """What the encoder returns, and the nearest values, by NumPy."""
    codes = ops.convert_to_numpy(model.encoder(images.astype("float32") / 255)["z_mean"])
    nearest = np.abs(codes[..., None] - VALUES).argmin(axis=-1)
    return codes, VALUES[np.arange(3), nearest], nearest


def test_codes_are_the_nearest_values(model, blobs):
    made, images = model(), blobs(16)
    _, values, _ = encoded(made, images)
    np.testing.assert_allclose(made.encode(images), values, atol=1e-6)
    np.testing.assert_array_equal(made.reconstruct(images), made.decode(made.encode(images)))


def test_the_quantization_loss_moves_the_values_that_were_chosen(model, blobs):
    made, images = model(quantization_weight=0.5, commitment_weight=0), blobs(8)
    codes, values, nearest = encoded(made, images)
    made.fit(images, batch_size=8, verbose=0)
    gradient = np.zeros_like(VALUES)
    for row in range(8):
        for dimension in range(3):
            difference = values[row, dimension] - codes[row, dimension]
            # 64 pixels times the weight; the mean over 8 images and 3 dimensions.
            gradient[dimension, nearest[row, dimension]] += 64 * 0.5 * 2 * difference / 24
    found = ops.convert_to_numpy(made.quantizer.values)
    np.testing.assert_allclose(found, VALUES - 0.01 * gradient, rtol=1e-4, atol=1e-5)


def test_the_commitment_loss_moves_no_value(model, blobs):
    made = model(quantization_weight=0, commitment_weight=2)
    made.fit(blobs(8), batch_size=8, verbose=0)
    np.testing.assert_array_equal(ops.convert_to_numpy(made.quantizer.values), VALUES)


def test_samples_have_codes_of_the_codebooks(model):
    made = model()
    codes = made.prior_codes(600, np.random.default_rng(0))
    for dimension in range(3):
        found, counts = np.unique(codes[:, dimension], return_counts=True)
        np.testing.assert_allclose(found, np.sort(VALUES[dimension]))
        assert counts.min() > 150
    assert made.code_range == (-3, 5)
    assert made.sample(4, seed=0).shape == (4, *made.image_shape)
