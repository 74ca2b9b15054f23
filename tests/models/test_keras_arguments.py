"""What Keras's methods and settings offer beside images: honoured or refused, never ignored."""

import inspect

import keras
import numpy as np
import pytest

import keras_devae as kd
from keras_devae.errors import UsageError
from keras_devae.models import MODELS

pytestmark = pytest.mark.backends

COMPILED = {
    "loss": {"loss": "mse"},
    "losses": {"loss": {"reconstruction": "mse"}},
    "loss_weights": {"loss_weights": [1.0]},
    "metrics": {"metrics": ["mae"]},
    "weighted_metrics": {"weighted_metrics": ["mae"]},
    "optimizer": {"optimizer": "adamm"},
    "optimizer of no kind": {"optimizer": 5},
    "no optimizer": {"optimizer": None},
    "steps_per_execution": {"steps_per_execution": 0},
    "jit_compile": {"jit_compile": "yes"},
    "run_eagerly": {"run_eagerly": "no"},
}


@pytest.mark.parametrize("given", COMPILED)
@pytest.mark.parametrize("method", ["vae", "factor_vae", "cascade_vae", "pca"])
def test_compile(tiny, method, given):
    model = tiny(method)
    optimizer = model.optimizer
    with pytest.raises(UsageError, match=r"`(loss|.*metrics|optimizer|steps|jit|run)"):
        model.compile(**{"optimizer": "adam", **COMPILED[given]})
    assert model.optimizer is optimizer


def test_compile_of_nothing_that_counts(tiny):
    tiny("vae").compile("adam", None, None, [], [])


@pytest.mark.parametrize("method", ["vae", "factor_vae", "pca"])
def test_arguments_that_no_method_has(tiny, blobs, method):
    model = tiny(method)
    with pytest.raises(UsageError, match=r"Unknown argument of `compile` 'optimiser'.*'optimizer'"):
        model.compile(optimiser="adam")
    with pytest.raises(UsageError, match=r"Unknown argument of `fit` 'epoch'.*Known: batch_size"):
        model.fit(blobs(8), epoch=2)
    with pytest.raises(
        UsageError, match=r"Unknown argument of `evaluate` 'step'.*'steps'"
    ) as error:
        model.evaluate(blobs(8), step=1)
    assert "_use_cached_eval_dataset" not in str(error.value)
    assert "kwargs" not in inspect.signature(model.fit).parameters


LABELS = np.zeros((8, 2), "float32")
REFUSED = {
    "labels": {"y": LABELS},
    "images": {"y": np.zeros((8, 8, 8, 1), "float32")},
    "weights": {"sample_weight": np.ones(8)},
}
FITTED = {
    **REFUSED,
    "class_weight": {"class_weight": {0: 1.0, 1: 2.0}},
    "held-out labels": {"validation_data": (np.zeros((8, 8, 8, 1), "float32"), LABELS)},
    "held-out weights": {"validation_data": (np.zeros((8, 8, 8, 1), "float32"), None, LABELS)},
    "callbacks": {"callbacks": [5]},
}


@pytest.mark.parametrize("given", FITTED)
@pytest.mark.parametrize("method", ["vae", "beta_tc_vae", "pca"])
def test_fit(tiny, blobs, method, given):
    model = tiny(method)
    with pytest.raises(UsageError):
        model.fit(blobs(8), verbose=0, **FITTED[given])
    assert int(model.steps.step) == 0


@pytest.mark.parametrize("given", REFUSED)
def test_the_other_methods(tiny, blobs, given):
    model, images = tiny("vae"), blobs(8)
    for method in (model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(UsageError, match=r"Leave `(y|sample_weight)` out"):
            method(images, **REFUSED[given])
    with pytest.raises(UsageError, match="Leave `class_weight` out"):
        model.train_on_batch(images, class_weight={0: 1.0})


NUMBERS = {
    "epochs": "3",
    "initial_epoch": -1,
    "batch_size": 0,
    "steps_per_epoch": 0,
    "validation_steps": 1.5,
    "validation_batch_size": -3,
    "validation_freq": 0,
    "validation_split": 1,
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_fit(tiny, blobs, name):
    with pytest.raises(UsageError, match=f"`{name}` must be"):
        tiny("vae").fit(blobs(8), verbose=0, **{name: NUMBERS[name]})


def test_a_split_that_would_be_ignored(tiny, blobs, stored_images):
    model, images = tiny("vae"), blobs(8)
    with pytest.raises(UsageError, match="`validation_split` is ignored beside"):
        model.fit(images, validation_split=0.5, validation_data=images, verbose=0)
    with pytest.raises(UsageError, match="`validation_split` is for arrays"):
        model.fit(stored_images(images), validation_split=0.5, verbose=0)
    batches = kd.input.Batches(stored_images(images), 4)
    with pytest.raises(UsageError, match="`batch_size` is for arrays and data sets"):
        model.fit(batches, batch_size=4, verbose=0)


def pairs(images, *more):
    yield from ((images, *more) for _ in range(3))


def test_labels_that_come_along_are_warned_of(tiny, blobs):
    model = tiny("vae", compile_options={"run_eagerly": True})
    with pytest.warns(UserWarning, match="hold labels after the images"):
        model.fit(pairs(blobs(8), LABELS), steps_per_epoch=2, shuffle=False, verbose=0)
    assert int(model.steps.step) == 2


def test_targets_and_weights_that_come_along_are_refused(tiny, blobs):
    images = blobs(8)
    for more in ((images,), (LABELS, np.ones(8, "float32"))):
        with pytest.raises(UsageError, match=r"Leave `(y|sample_weight)` out"):
            tiny("vae").fit(pairs(images, *more), shuffle=False, verbose=0)


def test_what_is_not_compiled(blobs):
    model = kd.VAE.for_images((8, 8, 1), 2, "mlp", seed=0)
    for method in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(UsageError, match="Call `compile` before"):
            method(blobs(8))


def test_batches_one_by_one(tiny, blobs):
    """They give what whole arrays give, and are checked as these are."""
    model, images = tiny("vae"), blobs(8)
    expected = model.evaluate(images, batch_size=8, verbose=0, return_dict=True)
    model.reset_metrics()
    got = model.test_on_batch({"image": images}, return_dict=True)
    np.testing.assert_allclose(got["loss"], expected["loss"], rtol=1e-5)
    np.testing.assert_allclose(
        model.predict_on_batch(images)["z_mean"], model.encode(images), atol=1e-5
    )
    floats = images.astype("float32")
    for method in (
        model.train_on_batch,
        model.test_on_batch,
        model.predict_on_batch,
        model.predict,
    ):
        with pytest.raises(UsageError, match=r"needs float pixels in \[0, 1\]"):
            method(floats)


@pytest.fixture
def keras_settings(float32_policy):
    yield keras.config
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")


SETTINGS = {
    "channels first": ("set_image_data_format", "channels_first", "channels_last"),
    "float16": ("set_floatx", "float16", r"set_floatx\('float32'\)"),
    "float64": ("set_floatx", "float64", r"set_floatx\('float32'\)"),
    "policy float64": ("set_dtype_policy", "float64", "dtype policies float32"),
    "policy bfloat16": ("set_dtype_policy", "bfloat16", "dtype policies float32"),
    "policy float16": ("set_dtype_policy", "float16", "dtype policies float32"),
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("method", ["vae", "devae", "pca"])
def test_settings_of_keras(keras_settings, tiny, tmp_path, method, setting):
    model = tiny(method)
    name, value, sentence = SETTINGS[setting]
    getattr(keras_settings, name)(value)
    with pytest.raises(UsageError, match=sentence):
        MODELS[method].for_images((32, 32, 1), 2)
    if "policy" not in setting:
        with pytest.raises(UsageError, match=sentence):
            MODELS[method](model.encoder, model.decoder)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_honoured(keras_settings, policy):
    keras_settings.set_dtype_policy(policy)
    model = kd.VAE.for_images((8, 8, 1), 2, "mlp", seed=0)
    assert model.dtype_policy.name == policy
    assert model.decoder.layers[1].compute_dtype == policy.removeprefix("mixed_")


def test_dtype_of_one_model(tiny):
    made = tiny("vae")
    with pytest.raises(UsageError, match="dtype policies float32"):
        kd.VAE(made.encoder, made.decoder, dtype="float64")
