"""`fit`, `evaluate` and `predict` with the kinds of data that Keras takes."""

import importlib.util

import keras
import numpy as np
import pytest
from thoroughness import quick_first

from keras_devae.errors import UsageError
from keras_devae.models import MODELS

pytestmark = pytest.mark.backends

TRAINED = [method for method in MODELS if method not in ("ica", "pca")]


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


@pytest.mark.parametrize("method", ["cascade_vae", "devae", "factor_vae", "joint_vae", "vae"])
def test_fit_with_arrays(tiny, blobs, method):
    images = blobs(24)
    model = tiny(method, learning_rate=1e-2)
    history = model.fit(images, batch_size=8, epochs=3, validation_data=images, verbose=0).history
    assert {len(values) for values in history.values()} == {3}
    assert np.isfinite(list(history.values())).all()
    assert min(history["kl_loss"]) >= 0
    assert history["val_reconstruction_loss"][-1] < history["val_reconstruction_loss"][0]
    assert int(model.optimizer.iterations) == int(model.steps.step) == 9


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


FURTHER_OUTPUTS = {
    "cascade_vae": {"category": (10, 3)},
    "devae_parallel": {"encoder_mean": (10, 9), "encoder_log_var": (10, 9)},
    "flow_vae": {
        **{f"base{name}": (10, 3) for name in ("", "_mean", "_log_var")},
        "flow_parameters": (10, 14),
        "log_determinant": (10,),
    },
    "joint_vae": {"category": (10, 3), "category_logits": (10, 3)},
}


@pytest.mark.parametrize("method", quick_first(MODELS, {"devae", "factor_vae", "joint_vae"}))
def test_predict_returns_a_dictionary(tiny, blobs, method):
    model, images = tiny(method), blobs(10)
    if method in TRAINED:
        model.steps.set(9)  # Where CascadeVAE has its categories.
    else:
        model.fit(images)
    outputs = model.predict(images, batch_size=4, verbose=0)
    decodes = model.decoder is not None
    assert {name: value.shape for name, value in outputs.items()} == {
        "z_mean": (10, 3),
        **({"z_log_var": (10, 3)} if model.has_posterior else {}),
        "z": (10, 3),
        **({"decoded": (10, 8, 8, 1), "reconstruction": (10, 8, 8, 1)} if decodes else {}),
        **FURTHER_OUTPUTS.get(method, {}),
    }
    # `encode` and its kin take a way of their own, in chunks.
    codes = model.encode(images, batch_size=4)
    np.testing.assert_allclose(outputs["z_mean"], codes, rtol=1e-5, atol=1e-6)
    if model.has_posterior:
        log_var = model.posterior(images, batch_size=4)[1]
        np.testing.assert_allclose(outputs["z_log_var"], log_var, rtol=1e-5, atol=1e-6)
    if not decodes:
        return
    np.testing.assert_allclose(
        outputs["reconstruction"], model.reconstruct(images, batch_size=4), rtol=1e-5, atol=1e-6
    )
    if model.num_categories:
        categories = model.encode_categories(images, batch_size=4)
        np.testing.assert_array_equal(outputs["category"], np.eye(3)[categories])


def test_sample_weights_are_refused(tiny, blobs):
    images = blobs(8)
    with pytest.raises(UsageError, match="Sample weights are not supported"):
        tiny("vae").fit(images, images, sample_weight=np.ones(8), verbose=0)


#: Options with which every weight is used within 4 steps; DEFT trains one encoder after another.
ALL_AT_ONCE = {
    **{method: {"objective": "summed"} for method in ("devae", "devae_linear", "devae_parallel")},
    "deft": {"betas": (3, 2, 1), "stage_steps": 1},
}


@pytest.mark.parametrize("method", ["cascade_vae", "factor_vae", "joint_vae", *ALL_AT_ONCE])
def test_training_reaches_every_weight(tiny, blobs, method):
    model = tiny(method, **ALL_AT_ONCE.get(method, {}))
    before = [keras.ops.convert_to_numpy(w).copy() for w in model.trainable_variables]
    model.fit(blobs(16), batch_size=4, verbose=0)
    unchanged = [
        weight.path
        for weight, old in zip(model.trainable_variables, before, strict=True)
        if np.array_equal(old, keras.ops.convert_to_numpy(weight))
    ]
    assert unchanged == []


@pytest.mark.parametrize("method", ["devae", "factor_vae"])
def test_the_same_seed_gives_the_same_run(tiny, blobs, method):
    def losses(seed):
        keras.utils.set_random_seed(seed)
        model = tiny(method, seed=seed)
        return model.fit(blobs(16), batch_size=4, verbose=0).history["loss"]

    assert losses(3) == losses(3) != losses(4)


@pytest.mark.parametrize("method", ["beta_vae", "deft", "devae", "devae_parallel", "joint_vae"])
def test_networks_of_the_user_are_told_when_they_train(method):
    """Dropout in the encoder acts in training and nowhere else."""
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.Dropout(0.999999, seed=0)(keras.layers.Flatten()(inputs))
    widths = MODELS[method].encoder_options(2)
    heads = {
        name: keras.layers.Dense(width, kernel_initializer="ones", name=name)(x)
        for name, width in (
            ("z_mean", widths["latent_dim"]),
            ("z_log_var", widths["latent_dim"]),
            ("category_logits", widths.get("num_categories")),
        )
        if width
    }
    z = keras.Input((MODELS[method].decoder_input_dim(2),))
    decoder = keras.Model(z, keras.layers.Reshape((4, 4, 1))(keras.layers.Dense(16)(z)))
    model = MODELS[method](keras.Model(inputs, heads), decoder)
    images = np.ones((2, 4, 4, 1), "float32")
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(images)["z_mean"]), 16)
    outputs = model(images, training=True)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(outputs["z_mean"]), 0)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.data is TensorFlow's")
def test_input_pipelines_do_not_tune_themselves_unless_told_to(tiny, blobs):
    import tensorflow

    # The tuning thread sleeps for up to a minute, and the end of `fit` would wait for it.
    distributed = tiny("vae").distribute_strategy.experimental_distribute_dataset
    images = tensorflow.data.Dataset.from_tensors(blobs(8))
    assert images.options().autotune.enabled is None  # TensorFlow takes it as true.
    assert distributed(images).options().autotune.enabled is False
    options = tensorflow.data.Options()
    options.autotune.enabled = True
    assert distributed(images.with_options(options)).options().autotune.enabled is True
