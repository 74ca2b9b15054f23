"""Codes, reconstructions and samples of a model."""

import logging

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.errors import UsageError
from keras_devae.models import MODELS

pytestmark = pytest.mark.backends


@pytest.fixture
def model(tiny):
    """A DeVAE whose layers differ."""
    model = tiny()
    model.stack.mean_log_scale.assign(np.float32([[0.5, -0.5, 1.0], [0.1, 0.2, 0.3]]))
    model.stack.std_log_scale.assign(np.float32([[0.2, 0.3, -0.4], [-1, 0, 1]]))
    return model


def ready(tiny, blobs, method):
    """A model that encodes: a linear baseline is fitted first."""
    model = tiny(method)
    if method in ("ica", "pca"):
        model.fit(blobs(9), verbose=0)
    return model


def test_codes_are_deterministic(model, blobs):
    images = blobs(10)
    np.testing.assert_array_equal(model.encode(images), model.encode(images))
    np.testing.assert_array_equal(model.encode(images), model.posterior(images)[0])
    np.testing.assert_array_equal(model.reconstruct(images), model.reconstruct(images))


@pytest.mark.parametrize("n", [1, 15, 16, 33])
def test_batch_size_does_not_matter(model, blobs, n):
    images = blobs(n)
    small, large = model.encode(images, batch_size=16), model.encode(images, batch_size=64)
    assert small.shape == (n, 3) and small.dtype == np.float32
    np.testing.assert_allclose(small, large, atol=1e-6)
    np.testing.assert_allclose(
        model.reconstruct(images, batch_size=16),
        model.reconstruct(images, batch_size=64),
        atol=1e-6,
    )


@pytest.mark.parametrize("method", MODELS)
def test_no_images_at_all(tiny, blobs, method):
    model = ready(tiny, blobs, method)
    nothing = np.zeros((0, 8, 8, 1), np.uint8)
    assert model.encode(nothing).shape == (0, 3)
    assert model.encode(nothing, layer=None).shape == (model.num_layers, 0, 3)
    if model.decoder is None:
        return
    assert model.reconstruct(nothing).shape == (0, 8, 8, 1)
    assert model.decode(np.zeros((0, 3))).shape == (0, 8, 8, 1)
    assert model.sample(0).shape == (0, 8, 8, 1)
    if model.num_categories:
        model.steps.set(9)  # Where CascadeVAE has its categories.
        assert model.category_probabilities(nothing).shape == (0, 3)
        assert model.encode_categories(nothing).shape == (0,)
        assert model.reconstruct(nothing).shape == (0, 8, 8, 1)


def test_layers_are_scalings_of_layer_0(model, blobs):
    images = blobs(5)
    means, log_vars = model.posterior(images, layer=None)
    assert means.shape == log_vars.shape == (3, 5, 3)
    s1 = np.array([[0.5, -0.5, 1.0], [0.6, -0.3, 1.3]])
    s2 = np.array([[0.2, 0.3, -0.4], [-0.8, 0.3, 0.6]])
    np.testing.assert_allclose(means[1:], np.exp(s1)[:, None] * means[0], rtol=1e-5)
    np.testing.assert_allclose(log_vars[1:], 2 * s2[:, None] + log_vars[0], rtol=1e-5, atol=1e-6)
    for layer in range(3):
        np.testing.assert_array_equal(model.encode(images, layer), means[layer])
    np.testing.assert_array_equal(model.encode(images), means[0])


@pytest.mark.parametrize("method", MODELS)
def test_first_of_all_layers(tiny, blobs, method):
    model, images = ready(tiny, blobs, method), blobs(5)
    codes = model.encode(images, layer=None)
    layers = 3 if method in ("devae", "devae_linear", "devae_parallel") else 1
    assert codes.shape == (layers, 5, 3)
    np.testing.assert_array_equal(codes[0], model.encode(images))


def test_decoding_goes_through_the_layers_vector(model):
    z = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    vectors = ops.convert_to_numpy(model.layer_embedding.vectors)
    for layer in range(3):
        codes = np.concatenate([z, np.tile(vectors[layer], (4, 1))], axis=1)
        logits = model.decoder.predict(codes, verbose=0).astype("float64")
        np.testing.assert_allclose(model.decode(z, layer), 1 / (1 + np.exp(-logits)), atol=1e-6)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_pixels_lie_in_0_to_1(tiny, likelihood):
    model = tiny(likelihood=likelihood)
    pixels = model.decode(1e3 * np.random.default_rng(0).normal(size=(20, 3)))
    assert pixels.dtype == np.float32
    assert pixels.min() >= 0 and pixels.max() <= 1


@pytest.mark.parametrize("layer", [0, 2])
def test_reconstruction_decodes_the_code(model, blobs, layer):
    images = blobs(3)
    expected = model.decode(model.encode(images, layer), layer)
    np.testing.assert_array_equal(model.reconstruct(images, layer), expected)


def test_samples_of_the_prior_follow_the_seed(model):
    np.testing.assert_array_equal(model.sample(4, seed=1), model.sample(4, seed=1))
    assert not np.array_equal(model.sample(4, seed=1), model.sample(4, seed=2))
    assert model.sample(3, layer=2, seed=1).shape == (3, 8, 8, 1)


def test_samples_of_the_posterior(model, blobs):
    images = np.repeat(blobs(1), 4000, axis=0)
    z = model.encode(images, layer=1, sample=True, seed=0)
    mean, log_var = (values[0] for values in model.posterior(images[:1], layer=1))
    sigma = np.exp(log_var / 2)
    # Five standard errors of a mean and of a standard deviation.
    assert np.all(np.abs(z.mean(0) - mean) < 5 * sigma / np.sqrt(4000))
    assert np.all(np.abs(z.std(0) - sigma) < 5 * sigma / np.sqrt(8000))
    np.testing.assert_array_equal(z, model.encode(images, layer=1, sample=True, seed=0))
    assert not np.array_equal(z, model.encode(images, layer=1, sample=True, seed=1))


@pytest.mark.parametrize("layer", [-1, 3, 1.5, "first"])
def test_layers_that_do_not_exist(model, blobs, layer):
    for request in (
        lambda: model.encode(blobs(2), layer=layer),
        lambda: model.decode(np.zeros((2, 3)), layer=layer),
        lambda: model.reconstruct(blobs(2), layer=layer),
        lambda: model.sample(2, layer=layer),
    ):
        with pytest.raises(UsageError, match=f"latent layers 0 to 2. Received: {layer}"):
            request()


def test_decoding_needs_one_layer(model):
    with pytest.raises(UsageError, match=r"latent layers 0 to 2\. Received: None"):
        model.decode(np.zeros((2, 3)), layer=None)


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 3, 3)])
def test_codes_of_a_wrong_shape(model, shape):
    with pytest.raises(UsageError, match=r"codes of shape \(n, 3\)"):
        model.decode(np.zeros(shape))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's log")
def test_advice_about_retracing_is_hidden_while_encoding():
    logger, seen = logging.getLogger("tensorflow"), []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())

    def advised(images):
        logger.warning("5 out of the last 5 calls to f triggered tf.function retracing.")
        logger.warning("Another warning.")
        return {"codes": images}

    model = MODELS["vae"].for_images((8, 8, 1), 2, network="mlp")
    logger.addHandler(handler)
    try:
        model.over_images(advised, np.zeros((2, 8, 8, 1), np.float32), 2)
        assert seen == ["Another warning."]
        advised(None)
        assert len(seen) == 3
    finally:
        logger.removeHandler(handler)
