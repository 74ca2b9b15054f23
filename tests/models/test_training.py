"""`fit`, `evaluate` and `predict` with the kinds of data that Keras takes."""

import importlib.util

import keras
import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.models import MODELS

pytestmark = pytest.mark.backends

TERMS = {"loss", "reconstruction_loss", "kl_loss"}
LAYER_TERMS = {f"{term}_loss_layer_{i}" for term in ("reconstruction", "kl") for i in range(3)}


class BatchesOf(keras.utils.PyDataset):
    def __init__(self, images):
        super().__init__()
        self.images = images

    def __len__(self):
        return len(self.images) // 8

    def __getitem__(self, index):
        return (self.images[8 * index : 8 * index + 8],)


def as_tf_data(images):
    pytest.importorskip("tensorflow")
    import tensorflow

    return tensorflow.data.Dataset.from_tensor_slices(images).batch(8)


SOURCES = {"array": lambda images: images, "PyDataset": BatchesOf, "tf.data": as_tf_data}


@pytest.mark.parametrize("method", MODELS)
def test_fit_with_arrays(tiny, blobs, method):
    images = blobs(24)
    model = tiny(method, learning_rate=1e-2)
    history = model.fit(images, batch_size=8, epochs=3, validation_data=images, verbose=0).history
    names = TERMS | (LAYER_TERMS if method == "devae" else set())
    assert set(history) == names | {f"val_{name}" for name in names}
    assert {len(values) for values in history.values()} == {3}
    assert np.isfinite(list(history.values())).all()
    assert min(history["kl_loss"]) >= 0
    assert history["val_reconstruction_loss"][-1] < history["val_reconstruction_loss"][0]
    logs = model.evaluate(images, batch_size=8, verbose=0, return_dict=True)
    assert logs == pytest.approx({k: history[f"val_{k}"][-1] for k in names}, rel=1e-6)


@pytest.mark.parametrize("source", SOURCES)
def test_fit_with_other_sources(tiny, blobs, source):
    images = blobs(24)
    make = SOURCES[source]
    model = tiny()
    history = model.fit(
        make(images), validation_data=make(images[:16]), shuffle=False, verbose=0
    ).history
    logs = model.evaluate(images[:16], batch_size=8, verbose=0, return_dict=True)
    assert logs == pytest.approx({k: history[f"val_{k}"][0] for k in logs}, rel=1e-5)
    assert int(model.optimizer.iterations) == (1 if source == "array" else 3)


def test_fit_with_a_torch_loader(tiny, blobs):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed")
    from torch.utils.data import DataLoader

    model = tiny("vae")
    images = blobs(24)
    model.fit(DataLoader(images, batch_size=8), shuffle=False, verbose=0)
    assert int(model.optimizer.iterations) == 3


def test_validation_split(tiny, blobs):
    model, images = tiny("vae"), blobs(30)
    history = model.fit(images, validation_split=0.2, verbose=0).history
    assert history["val_loss"][0] == pytest.approx(
        model.evaluate(images[24:], verbose=0, return_dict=True)["loss"], rel=1e-5
    )


def test_callbacks_that_watch_the_validation_loss(tiny, blobs, tmp_path):
    model = tiny(learning_rate=0.0)
    history = model.fit(
        blobs(16),
        validation_data=blobs(8, seed=1),
        epochs=5,
        verbose=0,
        callbacks=[
            keras.callbacks.EarlyStopping("val_loss", patience=1),
            keras.callbacks.ModelCheckpoint(
                tmp_path / "best.keras", monitor="val_loss", save_best_only=True
            ),
        ],
    ).history
    # With a learning rate of 0 nothing improves after the first epoch.
    assert len(history["val_loss"]) == 2
    best = keras.models.load_model(tmp_path / "best.keras")
    logs = best.evaluate(blobs(8, seed=1), verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(history["val_loss"][0], rel=1e-6)


@pytest.mark.parametrize("method", MODELS)
def test_predict_returns_a_dictionary(tiny, blobs, method):
    model, images = tiny(method), blobs(10)
    outputs = model.predict(images, batch_size=4, verbose=0)
    assert {name: value.shape for name, value in outputs.items()} == {
        "z_mean": (10, 3),
        "z_log_var": (10, 3),
        "z": (10, 3),
        "decoded": (10, 8, 8, 1),
        "reconstruction": (10, 8, 8, 1),
    }
    np.testing.assert_allclose(outputs["z_mean"], model.encode(images), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        outputs["reconstruction"], model.reconstruct(images), rtol=1e-5, atol=1e-6
    )


def test_labels_are_ignored(tiny, blobs):
    images = blobs(8)
    model = tiny("vae")
    labels = np.zeros((8, 2))
    with_labels = model.evaluate(images, labels, verbose=0)
    assert with_labels == model.evaluate(images, verbose=0)


def test_sample_weights_are_refused(tiny, blobs):
    images = blobs(8)
    with pytest.raises(UsageError, match="Sample weights are not supported"):
        tiny("vae").fit(images, images, sample_weight=np.ones(8), verbose=0)


def test_training_reaches_every_weight(tiny, blobs):
    model = tiny(objective="summed")
    before = [w.copy() for w in model.get_weights()]
    model.fit(blobs(16), batch_size=4, verbose=0)
    unchanged = [
        weight.path
        for weight, old, new in zip(model.weights, before, model.get_weights(), strict=True)
        if np.array_equal(old, new)
    ]
    assert unchanged == []


def test_the_same_seed_gives_the_same_run(tiny, blobs):
    def losses(seed):
        keras.utils.set_random_seed(seed)
        model = tiny(seed=seed)
        return model.fit(blobs(32), batch_size=4, epochs=2, verbose=0).history["loss"]

    assert losses(3) == losses(3) != losses(4)


@pytest.mark.parametrize("method", ["beta_vae", "devae"])
def test_networks_of_the_user_are_told_when_they_train(method):
    """Dropout in the encoder acts in training and nowhere else."""
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.Dropout(0.999999, seed=0)(keras.layers.Flatten()(inputs))
    heads = {
        name: keras.layers.Dense(2, kernel_initializer="ones", name=name)(x)
        for name in ("z_mean", "z_log_var")
    }
    z = keras.Input((MODELS[method].decoder_input_dim(2),))
    decoder = keras.Model(z, keras.layers.Reshape((4, 4, 1))(keras.layers.Dense(16)(z)))
    model = MODELS[method](keras.Model(inputs, heads), decoder)
    images = np.ones((2, 4, 4, 1), "float32")
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(images)["z_mean"]), 16)
    outputs = model(images, training=True)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(outputs["z_mean"]), 0)
