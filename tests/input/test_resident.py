"""Training with the whole data set on the device."""

import gc
import weakref

import keras
import numpy as np
import pytest

from keras_devae.backend import compilation
from keras_devae.errors import FailureError, UsageError
from keras_devae.input import resident
from keras_devae.input.batches import Batches
from keras_devae.input.resident import ResidentImages

pytestmark = pytest.mark.backends

BINARY, COLOUR = (5, 5, 1), (4, 3, 3)


class Stored:
    """As much of a data set as training needs, with noise for images."""

    def __init__(self, image_shape=BINARY, length=37):
        random = np.random.default_rng(0)
        self.is_binary = image_shape == BINARY
        self.stored = random.integers(0, 256, (length, *image_shape), np.uint8)
        if self.is_binary:
            self.stored = (self.stored & 1) * np.uint8(255)

    def __len__(self):
        return len(self.stored)

    def images(self, indices):
        return self.stored[indices]


class Watch(keras.callbacks.Callback):
    """Calls a function with the model after each epoch, and may break training off after that."""

    def __init__(self, look=lambda model: None, error=None):
        super().__init__()
        self.look = look
        self.error = error
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(self.look(self.model))
        if self.error:
            raise self.error


def state(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def trained(tiny, method, image_shape, is_resident, steps_per_execution=1, **options):
    compile_options = {"steps_per_execution": steps_per_execution, **options}
    model = tiny(method, image_shape=image_shape, compile_options=compile_options)
    batches = Batches(Stored(image_shape), 8, steps=6, seed=5, resident=is_resident)
    history = model.fit(batches, epochs=2, verbose=0).history
    return model, history


def assert_same_training(tiny, method, image_shape, **options):
    streamed, losses = trained(tiny, method, image_shape, False, **options)
    kept, kept_losses = trained(tiny, method, image_shape, True, **options)
    # JAX always compiles by XLA, which adds up in another order where it fuses the look-up of
    # images with what follows it. The others do the same sums to the last bit.
    tolerance = 1e-6 if keras.backend.backend() == "jax" else 0
    assert kept_losses.keys() == losses.keys()
    for name, values in losses.items():
        np.testing.assert_allclose(kept_losses[name], values, rtol=tolerance, atol=tolerance)
    for expected, found in zip(state(streamed), state(kept), strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("image_shape", [BINARY, COLOUR])
def test_images_are_those_of_the_data_set(image_shape, monkeypatch):
    monkeypatch.setattr(resident, "_ROWS", 10)
    dataset, calls = Stored(image_shape), []
    images = ResidentImages(dataset, progress=lambda done, total, what: calls.append((done, total)))
    assert calls == [(10, 37), (20, 37), (30, 37), (37, 37)]
    for rows in ([0], [36, 3, 3, 17], np.arange(37)):
        found = images(keras.ops.convert_to_tensor(rows, "int32"))
        assert keras.backend.standardize_dtype(found.dtype) == "uint8"
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(found), dataset.images(rows))


def test_binary_images_take_a_bit_a_pixel():
    assert ResidentImages(Stored(BINARY)).variable.shape == (37, 4)
    assert ResidentImages(Stored(COLOUR)).variable.shape == (37, *COLOUR)


@pytest.mark.parametrize(
    ("method", "image_shape"),
    [
        ("devae", COLOUR),
        *(
            pytest.param(*case, marks=pytest.mark.thorough)
            for case in (("devae", BINARY), ("beta_tc_vae", BINARY), ("factor_vae", COLOUR))
        ),
    ],
)
def test_training_is_that_of_streamed_batches(method, image_shape, tiny):
    assert_same_training(tiny, method, image_shape)


def test_several_steps_an_execution(tiny):
    if keras.backend.backend() == "torch":
        pytest.skip("Keras has no such thing on PyTorch")
    assert_same_training(tiny, "beta_vae", BINARY, steps_per_execution=4)


def test_compiled_by_xla(tiny):
    if keras.backend.backend() == "torch":
        pytest.skip("XLA is not PyTorch's")
    assert_same_training(tiny, "vae", BINARY, jit_compile=True)


def test_mixed_precision(tiny, float32_policy):
    keras.config.set_dtype_policy("mixed_float16")
    assert_same_training(tiny, "vae", COLOUR)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="TensorFlow does so by itself")
@pytest.mark.parametrize(
    ("method", "policy"),
    [("devae", "float32"), ("factor_vae", "float32"), ("devae", "mixed_float16")],
)
def test_an_execution_is_one_call_on_an_accelerator(
    method, policy, tiny, monkeypatch, float32_policy
):
    import jax

    keras.config.set_dtype_policy(policy)
    alone, losses = trained(tiny, method, BINARY, True)
    calls, scan = [], jax.lax.scan

    def counting(step, carry, batches):
        calls.append(jax.tree.leaves(batches)[0].shape)
        return scan(step, carry, batches)

    monkeypatch.setattr(jax.lax, "scan", counting)
    monkeypatch.setattr(compilation, "has_accelerator", lambda: True)
    # The last execution of an epoch has two steps.
    together, same_losses = trained(tiny, method, BINARY, True, steps_per_execution=4)
    # Traced once, for all executions.
    assert calls == [(4, 8)]
    tolerance = 1e-5 if policy == "float32" else 2e-3
    for name, values in losses.items():
        np.testing.assert_allclose(same_losses[name], values, rtol=tolerance, atol=tolerance)
    for expected, found in zip(state(alone), state(together), strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_validation_is_streamed_meanwhile(tiny):
    model, dataset = tiny("vae", image_shape=COLOUR), Stored(COLOUR)
    held_out = Batches(dataset, 8, shuffle=False)
    batches = Batches(dataset, 8, resident=True)
    history = model.fit(batches, validation_data=held_out, epochs=2, verbose=0).history
    again = model.evaluate(held_out, verbose=0, return_dict=True)
    assert history["val_loss"][-1] == pytest.approx(again["loss"], rel=1e-6)


def test_evaluation(tiny):
    model, dataset = tiny("vae", image_shape=BINARY), Stored(BINARY)
    streamed, kept = (
        model.evaluate(
            Batches(dataset, 8, shuffle=False, resident=is_resident), verbose=0, return_dict=True
        )
        for is_resident in (False, True)
    )
    assert kept == streamed
    assert model.resident_images is None


def test_evaluation_in_the_middle_of_training(tiny):
    dataset = Stored(COLOUR)
    same = Batches(dataset, 8, resident=True)
    other = Batches(Stored(COLOUR, 11), 8, resident=True)

    def losses(model):
        return [model.evaluate(source, verbose=0) for source in (same, other)]

    watch = Watch(losses)
    tiny("vae", image_shape=COLOUR).fit(
        Batches(dataset, 8, resident=True), verbose=0, callbacks=[watch]
    )
    assert np.isfinite(watch.seen).all()


def test_images_are_encoded_meanwhile(tiny):
    dataset = Stored(COLOUR)
    watch = Watch(lambda model: model.encode(dataset.stored))
    model = tiny("vae", image_shape=COLOUR)
    model.fit(Batches(dataset, 8, resident=True), verbose=0, callbacks=[watch])
    np.testing.assert_allclose(watch.seen[0], model.encode(dataset.stored), atol=1e-6)


def test_a_model_saved_meanwhile_holds_no_images(tiny, tmp_path):
    model, dataset = tiny("vae", image_shape=BINARY), Stored(BINARY, 2_000)
    count = model.count_params()
    path, weights = tmp_path / "best.keras", tmp_path / "now.weights.h5"
    watch = Watch(lambda model: (model.save_weights(weights), model.count_params()))
    checkpoint = keras.callbacks.ModelCheckpoint(path)
    model.fit(Batches(dataset, 8, resident=True), verbose=0, callbacks=[checkpoint, watch])
    assert watch.seen[0][1] == count
    loaded = keras.models.load_model(path)
    for expected, found in zip(state(model), state(loaded), strict=True):
        np.testing.assert_array_equal(found, expected)
    loaded.load_weights(weights)
    loaded.fit(Batches(dataset, 8, steps=2, resident=True), verbose=0)


@pytest.mark.parametrize("error", [None, KeyboardInterrupt("enough")])
def test_images_are_let_go_of(error, tiny):
    model, dataset = tiny("vae", image_shape=BINARY), Stored(BINARY)
    count = len(model.non_trainable_variables)
    watch = Watch(
        lambda model: (
            weakref.ref(model.resident_images.variable),
            len(model.non_trainable_variables),
        ),
        error,
    )
    try:
        model.fit(Batches(dataset, 8, resident=True), verbose=0, callbacks=[watch])
    except KeyboardInterrupt:
        assert error
    reference, count_meanwhile = watch.seen[0]
    gc.collect()
    assert reference() is None and model.resident_images is None
    assert count_meanwhile == count + 1 and len(model.non_trainable_variables) == count


def test_streaming_after_residence_and_the_other_way_round(tiny):
    model, dataset = tiny("vae", image_shape=COLOUR), Stored(COLOUR)
    for is_resident in (False, True, False):
        model.fit(Batches(dataset, 8, steps=2, resident=is_resident), verbose=0)
    assert int(model.optimizer.iterations) == 6


def test_linear_baselines_read_resident_batches(tiny):
    dataset = Stored(COLOUR)
    codes = []
    for is_resident in (False, True):
        model = tiny("pca", image_shape=COLOUR)
        model.fit(Batches(dataset, 8, resident=is_resident))
        codes.append(model.encode(dataset.stored))
    np.testing.assert_array_equal(*codes)


def test_wrong_images_are_refused_before_they_are_read(tiny):
    with pytest.raises(UsageError, match=r"Expected images of shape \(n, 5, 5, 1\)"):
        tiny("vae", image_shape=BINARY).fit(Batches(Stored(COLOUR), 8, resident=True), verbose=0)


def test_resident_validation_is_refused(tiny):
    batches = Batches(Stored(COLOUR), 8, resident=True)
    with pytest.raises(UsageError, match="Only the images for training can be resident"):
        tiny("vae", image_shape=COLOUR).fit(batches, validation_data=batches, verbose=0)


def test_too_many_images(tiny, monkeypatch):
    class Full:
        def __init__(self, *args, **kwargs):
            raise RuntimeError("RESOURCE_EXHAUSTED")

    model = tiny("vae", image_shape=COLOUR)
    dataset = Stored(COLOUR, 300_000)
    monkeypatch.setattr(resident.keras, "Variable", Full)
    with pytest.raises(FailureError, match=r"The 0\.01 GB .* without `resident`"):
        model.fit(Batches(dataset, 8, resident=True), verbose=0)
    assert model.resident_images is None


def test_row_numbers_are_no_images_elsewhere(tiny):
    model = tiny(image_shape=(2, 2, 1))
    with pytest.raises(UsageError, match="Row numbers stand for images only"):
        model.pixels(np.arange(4))
