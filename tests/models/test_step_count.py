"""The model's own count of training steps, which schedules and stages go by."""

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.backends

BACKEND = keras.backend.backend()
#: One optimizer, two of them, and a step that leaves the graph.
METHODS = ("vae", "factor_vae", "cascade_vae")


def counts(model):
    return int(model.steps.step), int(model.optimizer.iterations)


@pytest.mark.parametrize("method", METHODS)
def test_fit_and_single_batches(tiny, blobs, method):
    model, images = tiny(method), blobs(10)
    assert counts(model) == (0, 0)
    model.fit(images, batch_size=4, epochs=2, verbose=0)
    assert counts(model) == (6, 6)
    model.train_on_batch(images)
    model.train_on_batch(images[:1])
    assert counts(model) == (8, 8)


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch takes one step an execution")
@pytest.mark.parametrize("jit_compile", [False, True])
def test_several_steps_an_execution(tiny, blobs, jit_compile):
    model = tiny(
        "annealed_vae",
        capacity_max=20,
        capacity_steps=20,
        compile_options={"steps_per_execution": 4, "jit_compile": jit_compile},
    )
    history = model.fit(blobs(40), batch_size=4, epochs=2, verbose=0).history
    assert counts(model) == (20, 20)
    # The last of ten steps is number 9; schedules move within an execution.
    np.testing.assert_allclose(history["capacity"], [9, 19], rtol=1e-6)


def test_with_gradient_accumulation_batches_count(tiny, blobs):
    model = tiny("annealed_vae", capacity_max=10.0, capacity_steps=40)
    model.compile(keras.optimizers.Adam(1e-3, gradient_accumulation_steps=4))
    # Ten batches an epoch: updates do not end with them.
    history = model.fit(blobs(40), batch_size=4, epochs=3, verbose=0).history
    assert counts(model) == (30, 7)
    np.testing.assert_allclose(history["capacity"], [9 / 4, 19 / 4, 29 / 4], rtol=1e-6)


def test_evaluation_and_inference_do_not_count(tiny, blobs):
    model, images = tiny("annealed_vae"), blobs(8)
    model.fit(images, batch_size=4, validation_data=images, verbose=0)
    model.evaluate(images, verbose=0)
    model.test_on_batch(images)
    model.predict(images, verbose=0)
    model.encode(images)
    model(images, training=True)
    assert counts(model) == (2, 2)


@pytest.mark.parametrize("method", METHODS)
def test_count_survives_saving(tiny, blobs, tmp_path, method):
    model = tiny(method)
    model.fit(blobs(12), batch_size=4, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert counts(loaded) == (3, 3)
    loaded.fit(blobs(12), batch_size=4, verbose=0)
    assert counts(loaded) == (6, 6)


def test_new_optimizer_starts_schedules_anew_at_the_next_fit(tiny, blobs):
    model = tiny("annealed_vae", capacity_max=10, capacity_steps=10)
    assert model.fit(blobs(12), batch_size=4, verbose=0).history["capacity"] == [2]
    model.compile(keras.optimizers.Adam(1e-3))
    assert counts(model) == (3, 0)
    assert model.fit(blobs(8), batch_size=4, verbose=0).history["capacity"] == [1]
    assert counts(model) == (2, 2)
    # The same optimizer goes on.
    assert model.fit(blobs(8), batch_size=4, verbose=0).history["capacity"] == [3]
    assert counts(model) == (4, 4)


def test_skipped_steps_are_taken_back_at_the_next_epoch(tiny, blobs, float32_policy):
    keras.config.set_dtype_policy("mixed_float16")
    model = tiny("annealed_vae", image_shape=(32, 32, 1))
    optimizer = keras.optimizers.LossScaleOptimizer(model.optimizer.inner_optimizer, 2.0**60)
    model.compile(optimizer)
    seen = []
    record = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: seen.append(counts(model))
    )
    images = blobs(12, (32, 32, 1))
    # Every gradient of half precision overflows at this scale.
    model.fit(images, batch_size=4, epochs=2, verbose=0, callbacks=[record])
    assert seen == [(0, 0), (0, 0)]
    assert counts(model) == (3, 0)
    optimizer.dynamic_scale.assign(1.0)
    model.fit(images, batch_size=4, epochs=2, verbose=0, callbacks=[record])
    assert seen[2:] == [(0, 0), (3, 3)]
    assert counts(model) == (6, 6)
