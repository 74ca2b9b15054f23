"""The encoder as a functional Keras model."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.models import MODELS
from keras_devae.models.catalogue import MODEL_CATALOGUE

pytestmark = pytest.mark.backends

LOAD = """
import sys
import numpy as np
import keras_devae, keras
model = keras.models.load_model("classifier.keras")
np.save("again.npy", model.predict(np.load("images.npy"), verbose=0))
"""


def some_images(count=7, size=8):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 1), dtype=np.uint8)


def moved(model):
    """Gives weights that start at zero or one, such as scales of layers, other values."""
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(keras.ops.convert_to_numpy(variable) + rng.normal(0, 0.1, variable.shape))
    return model


def called(model, images):
    return keras.tree.map_structure(keras.ops.convert_to_numpy, model(images))


@pytest.mark.parametrize("method", ["devae", "devae_parallel", "deft"])
def test_every_layer_gives_the_codes_of_the_model(tiny, method):
    model, images = moved(tiny(method)), some_images()
    for layer in range(model.num_layers):
        encoder = model.encoder_model(layer, all_outputs=True)
        mean, log_var = model.posterior(images, layer)
        for given in (images, (images[:1] / 255).astype("float32"), images.astype("int32")):
            outputs = called(encoder, given)
            np.testing.assert_allclose(outputs["z_mean"], mean[: len(given)], atol=1e-5)
            np.testing.assert_allclose(outputs["z_log_var"], log_var[: len(given)], atol=1e-5)
        codes = called(model.encoder_model(layer), images)
        np.testing.assert_allclose(codes, mean, atol=1e-5)


@pytest.mark.parametrize("method", ["joint_vae", "cascade_vae"])
def test_categories_are_among_all_outputs(tiny, method, tmp_path):
    options = {"stage_steps": 1, "matching_stage": 0} if method == "cascade_vae" else {}
    model, images = moved(tiny(method, **options)), some_images()
    expected = model.category_probabilities(images)
    assert np.ptp(expected) > 0.01
    encoder = model.encoder_model(all_outputs=True)
    encoder.save(tmp_path / "encoder.keras")
    for each in (encoder, keras.models.load_model(tmp_path / "encoder.keras")):
        outputs = called(each, images)
        np.testing.assert_allclose(outputs["category_probabilities"], expected, atol=1e-5)
    assert model.encoder_model().output_shape == (None, model.latent_dim)


def test_every_model_has_one(tiny):
    for method in MODELS:
        model = tiny(method)
        if MODEL_CATALOGUE[method].fitted:
            model.fit(some_images(), verbose=0)
        assert model.encoder_model().output_shape == (None, model.latent_dim), method


def test_a_classifier_trains_with_the_encoder_frozen_and_loads_elsewhere(tiny, tmp_path):
    model, images = moved(tiny("devae")), some_images()
    encoder = model.encoder_model(layer=1)
    encoder.trainable = False
    assert not encoder.trainable_variables and model.trainable_variables
    inputs = keras.Input((8, 8, 1), dtype="uint8")
    head = keras.layers.Dense(2, activation="softmax")
    classifier = keras.Model(inputs, head(encoder(inputs)))
    np.testing.assert_allclose(
        keras.Model(inputs, encoder(inputs)).predict(images, verbose=0),
        model.encode(images, layer=1),
        atol=1e-5,
    )
    before = [np.array(weights) for weights in encoder.get_weights()]
    classifier.compile("adam", "sparse_categorical_crossentropy")
    history = classifier.fit(images, np.arange(7) % 2, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    for old, new in zip(before, encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    classifier.save(tmp_path / "classifier.keras")
    np.save(tmp_path / "images.npy", images)
    subprocess.run([sys.executable, "-c", LOAD], check=True, cwd=tmp_path)
    again = np.load(tmp_path / "again.npy")
    np.testing.assert_allclose(again, classifier.predict(images, verbose=0), atol=1e-5)


def test_fine_tuning_in_a_sequential_model_leaves_the_model_alone(tiny):
    model, images = tiny("beta_vae"), some_images()
    codes, encoder = model.encode(images), model.encoder_model()
    inputs = keras.Input((8, 8, 1), dtype="uint8")
    regressor = keras.Sequential([inputs, encoder, keras.layers.Dense(1)])
    regressor.compile(keras.optimizers.Adam(0.1), "mse")
    regressor.fit(images, np.ones(7), epochs=2, verbose=0)
    np.testing.assert_array_equal(model.encode(images), codes)
    assert np.abs(called(encoder, images) - codes).max() > 1e-3


def test_unfit_rows_give_nan_and_no_others(tiny):
    encoder = tiny("vae").encoder_model()
    images = (some_images(4) / 255).astype("float32")
    images[1, 0, 0], images[2, 3, 3] = 1.5, np.nan
    codes = called(encoder, images)
    assert np.isnan(codes[1:3]).all() and np.isfinite(codes[[0, 3]]).all()
    integers = some_images(3).astype("int32")
    integers[1, 0, 0] = 256
    codes = called(encoder, integers)
    assert np.isnan(codes[1]).all() and np.isfinite(codes[[0, 2]]).all()


def test_a_layer_that_there_is_not_is_refused(tiny):
    with pytest.raises(UsageError, match="latent layers 0 to 0"):
        tiny("vae").encoder_model(layer=1)
