"""Training in half precision: heads, samples and losses stay float32."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_devae.models import MODELS

pytestmark = pytest.mark.backends

SHAPE = (32, 32, 1)
METHODS = ("vae", "devae")


def first_step(method, images):
    model = MODELS[method].for_images(SHAPE, latent_dim=2, seed=0)
    model.compile(keras.optimizers.Adam(1e-3))
    history = model.fit(images, batch_size=4, verbose=0).history
    return model, {name: values[0] for name, values in history.items()}


@pytest.fixture(scope="module")
def float32_logs(blobs):
    return {method: first_step(method, blobs(4, SHAPE))[1] for method in METHODS}


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("method", METHODS)
def test_first_loss_is_that_of_float32(float32_logs, blobs, method, policy, float32_policy):
    expected = float32_logs[method]
    keras.config.set_dtype_policy(policy)
    model, logs = first_step(method, blobs(4, SHAPE))
    assert model.encoder.layers[1].compute_dtype == policy.removeprefix("mixed_")
    for name in ("loss", "reconstruction_loss"):
        assert logs[name] == pytest.approx(expected[name], rel=0.01)
    assert logs["kl_loss"] == pytest.approx(expected["kl_loss"], rel=0.1)
    assert all(np.isfinite(ops.convert_to_numpy(w)).all() for w in model.weights)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("method", MODELS)
def test_everything_but_the_hidden_layers_is_float32(blobs, method, policy, float32_policy):
    keras.config.set_dtype_policy(policy)
    model = MODELS[method].for_images(SHAPE, latent_dim=2, seed=0)
    images = blobs(2, SHAPE).astype("float32") / 255
    outputs = model(images, training=True)
    terms = model.loss_terms(model.pixels(images), outputs, training=True)
    tensors = [*outputs.values(), terms.total, terms.reconstruction, terms.kl]
    assert {keras.backend.standardize_dtype(tensor.dtype) for tensor in tensors} == {"float32"}
    assert model.encode(images).dtype == np.float32
    assert model.predict(images, verbose=0)["reconstruction"].dtype == np.float32


def test_the_policy_survives_saving(blobs, tmp_path, float32_policy):
    keras.config.set_dtype_policy("mixed_bfloat16")
    images = blobs(4, SHAPE)
    model, _ = first_step("devae", images)
    model.save(tmp_path / "m.keras")
    keras.config.set_dtype_policy("float32")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert loaded.encoder.layers[1].compute_dtype == "bfloat16"
    np.testing.assert_allclose(loaded.encode(images), model.encode(images), atol=1e-6)


def test_float16_finds_and_keeps_its_loss_scale(tiny, blobs, tmp_path, float32_policy):
    """A scale whose gradients overflow is halved, a skipped step each, until it fits."""
    keras.config.set_dtype_policy("mixed_float16")
    model = tiny("vae", image_shape=SHAPE, learning_rate=1e-2)
    optimizer = keras.optimizers.LossScaleOptimizer(model.optimizer.inner_optimizer, 2.0**20)
    model.compile(optimizer)
    losses = model.fit(blobs(4, SHAPE), batch_size=4, epochs=14, verbose=0).history["loss"]
    assert 0 < int(model.optimizer.iterations) < 14
    assert losses[-1] < losses[0]
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    pairs = zip(model.optimizer.variables, loaded.optimizer.variables, strict=True)
    for saved, restored in pairs:
        np.testing.assert_array_equal(ops.convert_to_numpy(saved), ops.convert_to_numpy(restored))
