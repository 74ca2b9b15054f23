"""Which images the models take, and what they say of the others."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import FailureError, UsageError
from keras_devae.losses import GaussianLikelihood

pytestmark = pytest.mark.backends

SHAPE = (8, 8, 1)
rng = np.random.default_rng(0)
FLOATS = rng.uniform(size=(6, *SHAPE)).astype("float32")


@pytest.fixture
def model(tiny):
    return tiny("vae")


def refused(model, images, sentence):
    """Every door is watched."""
    with pytest.raises(UsageError, match=sentence):
        model.fit(images, verbose=0)
    with pytest.raises(UsageError, match=sentence):
        model.fit(np.zeros_like(FLOATS), validation_data=images, verbose=0)
    with pytest.raises(UsageError, match=sentence):
        model.evaluate(images, verbose=0)
    if isinstance(images, np.ndarray):
        with pytest.raises(UsageError, match=sentence):
            model.encode(images)
    assert int(model.optimizer.iterations) == 0


def test_uint8_is_divided_by_255_once(model):
    images = rng.integers(0, 256, (6, *SHAPE), dtype=np.uint8)
    scaled = images.astype("float32") / 255
    np.testing.assert_allclose(model.encode(images), model.encode(scaled), atol=1e-6)
    expected = model.evaluate(scaled, verbose=0)
    np.testing.assert_allclose(model.evaluate(images, verbose=0), expected, rtol=1e-6)
    predicted = [model.predict(x, verbose=0)["z_mean"] for x in (images, scaled)]
    np.testing.assert_allclose(*predicted, atol=1e-6)


def test_other_integers_are_read_like_uint8(model):
    images = rng.integers(0, 256, (6, *SHAPE))
    np.testing.assert_allclose(
        model.encode(images), model.encode(images.astype(np.uint8)), atol=1e-6
    )


def test_floats_are_taken_as_they_are(model):
    np.testing.assert_array_equal(ops.convert_to_numpy(model.pixels(FLOATS)), FLOATS)
    np.testing.assert_array_equal(ops.convert_to_numpy(model.pixels(FLOATS * 0.01)), FLOATS * 0.01)


def test_half_precision_floats_are_taken_as_they_are(model):
    half = FLOATS.astype("float16")
    np.testing.assert_array_equal(ops.convert_to_numpy(model.pixels(half)), half)
    bfloat16 = ops.cast(np.round(FLOATS), "bfloat16")
    np.testing.assert_allclose(
        model.encode(bfloat16), model.encode(ops.convert_to_numpy(ops.cast(bfloat16, "float32")))
    )


def test_floats_of_0_to_255_with_bernoulli(model):
    refused(model, FLOATS * 0 + 255, r"needs float pixels in \[0, 1\].*from 255 to 255.*Gaussian")
    images = FLOATS.copy()
    images[3, 2, 1] = 7.5
    images[0, 0, 0] = 0
    refused(model, images, "values from 0 to 7.5")
    refused(model, FLOATS - 0.5, r"values from -0\.")


def test_gaussian_takes_any_range_where_the_decoder_can_return_it(tiny):
    refused(tiny("vae", likelihood="gaussian"), 2 * FLOATS - 1, r"needs float pixels in \[0, 1\]")
    model = tiny("vae", likelihood=GaussianLikelihood(output="linear"))
    images = 2 * FLOATS - 1
    assert np.isfinite(model.fit(images, verbose=0).history["loss"]).all()
    assert model.encode(images).shape == (6, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_values_that_are_not_finite(tiny, value, likelihood):
    images = FLOATS.copy()
    images[4, 1, 1] = images[5, 0, 0] = value
    refused(tiny("vae", likelihood=likelihood), images, "not finite, first in row 4")


def test_row_number_beyond_the_first_chunk(model):
    images = np.zeros((5000, *SHAPE), "float32")
    images[4321, 0, 0] = np.nan
    refused(model, images, "first in row 4321")


def test_binary_uint8_is_refused_for_training_and_warned_of_elsewhere(model):
    for images in ((FLOATS > 0.5).astype("uint8"), FLOATS > 0.5):
        for door in (model.fit, model.evaluate):
            with pytest.raises(UsageError, match="the largest of these is 1"):
                door(images, verbose=0)
        with pytest.raises(UsageError, match="the largest of these is 1"):
            model.fit(np.zeros_like(FLOATS), validation_data=images, verbose=0)
        with pytest.warns(UserWarning, match="the largest of these is 1"):
            model.encode(images)
    assert np.isfinite(model.encode((FLOATS > 0.5).astype("float32"))).all()
    assert np.isfinite(model.encode(np.zeros((2, *SHAPE), "uint8"))).all()


def test_dark_pictures_among_others_are_taken(model):
    images = np.full((4098, *SHAPE), 200, "uint8")
    # Beyond the rows that are looked at together.
    images[4096:] = np.arange(64).reshape(SHAPE) % 2
    model.evaluate(images, verbose=0)
    model.encode(images)


@pytest.mark.parametrize("bad", [255.0, -0.5])
@pytest.mark.parametrize("kind", ["generator", "data set"])
def test_floats_out_of_range_that_come_later_stop_the_training(model, kind, bad):
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return (FLOATS if index < 2 else np.full_like(FLOATS, bad),)

    data = Batches()
    images = (data[index] for index in range(4)) if kind == "generator" else data
    with pytest.raises(FailureError, match=r"at step 3: .* became nan.*values outside \[0, 1\]"):
        model.fit(images, shuffle=False, verbose=0)


def test_floats_of_any_range_are_no_fault_of_the_gaussian_likelihood(tiny):
    images = ((255 * FLOATS,) for _ in range(3))
    model = tiny("vae", likelihood=GaussianLikelihood(output="linear"))
    history = model.fit(images, steps_per_epoch=2, shuffle=False, verbose=0).history
    assert np.isfinite(history["loss"])


@pytest.mark.parametrize("value", [-1, 256])
def test_integers_out_of_range(model, value):
    images = np.full((6, *SHAPE), 9)
    images[2, 0, 0] = value
    refused(model, images, "must lie in 0..255. Received: values from")


@pytest.mark.parametrize("shape", [(6, 8, 8), (6, 8, 8, 3), (6, 4, 8, 1), (8, 8, 1)])
def test_wrong_shape(model, shape):
    refused(model, np.zeros(shape, "float32"), r"shape \(n, 8, 8, 1\). Received: \(")


def test_first_batch_of_a_data_set_is_checked(model):
    class OneBatch(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return (FLOATS * 300,)

    refused(model, OneBatch(), r"needs float pixels in \[0, 1\]")


def test_first_batch_of_tf_data_is_checked(model):
    tensorflow = pytest.importorskip("tensorflow")
    data = tensorflow.data.Dataset.from_tensor_slices(FLOATS * 300).batch(3)
    refused(model, data, r"needs float pixels in \[0, 1\]")


def test_generators_are_not_used_up(model):
    def batches():
        while True:
            yield (FLOATS,)

    model.fit(batches(), steps_per_epoch=3, shuffle=False, verbose=0)
    assert int(model.optimizer.iterations) == 3
