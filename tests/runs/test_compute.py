import keras
import numpy as np
import pytest

from keras_devae import data
from keras_devae.backend import devices
from keras_devae.backend.interface import backend_named
from keras_devae.errors import UsageError
from keras_devae.runs import RunConfig, compute
from keras_devae.runs.compute import completed_config, describe_compute
from keras_devae.runs.training import build_model


@pytest.fixture
def grey():
    return data.from_arrays(np.full((90, 32, 32, 1), 200, np.uint8))


@pytest.fixture
def accelerator(monkeypatch):
    """An accelerator with room for the images of `grey`, which take 92,160 bytes, and no more."""
    monkeypatch.setattr(compute, "has_accelerator", lambda: True)
    monkeypatch.setattr(compute, "compiles_with_xla", lambda: True)
    monkeypatch.setattr(compute, "device_memory", lambda: 4 * 92_160)


def completed(dataset, **settings):
    return completed_config(RunConfig(**settings).resolved(dataset), dataset)


@pytest.mark.parametrize(
    ("in_bfloat16", "precision", "words"),
    [(False, "off", "float32"), (True, "bfloat16", "mixed bfloat16")],
)
def test_on_a_cpu(grey, in_bfloat16, precision, words, monkeypatch):
    monkeypatch.setattr(compute, "prefers_bfloat16", lambda: in_bfloat16)
    config = completed(grey)
    assert (
        config.compute.steps_per_execution,
        config.compute.resident,
        config.compute.jit_compile,
    ) == (1, False, False)
    assert config.compute.mixed_precision == precision and config.compute.backend == "tensorflow"
    expected = f"CPU, {words}, XLA off, 1 step per call, images from the host; "
    assert describe_compute(config).startswith(expected)


def test_what_is_fitted_in_one_go_is_fitted_in_float32(grey, accelerator):
    assert completed(grey, model="pca").compute.mixed_precision == "off"


@pytest.mark.parametrize(
    ("instructions", "with_onednn", "backend", "expected"),
    [
        (True, True, "tensorflow", True),
        (False, True, "tensorflow", False),
        (True, False, "tensorflow", False),
        (True, None, "tensorflow", False),
        (True, True, "torch", False),
        (True, None, "jax", False),
        (True, True, "an accelerator", False),
    ],
)
def test_where_bfloat16_is_preferred(instructions, with_onednn, backend, expected, monkeypatch):
    on_cpu = backend != "an accelerator"
    active = backend_named(backend if on_cpu else "tensorflow")
    monkeypatch.setattr(devices, "computes_bfloat16", lambda: instructions)
    monkeypatch.setattr(devices, "computes_with_onednn", lambda: with_onednn)
    monkeypatch.setattr(devices, "active", lambda: active)
    monkeypatch.setattr(devices, "has_accelerator", lambda: not on_cpu)
    assert devices.prefers_bfloat16() is expected


def test_on_an_accelerator(grey, accelerator):
    config = completed(grey)
    assert (
        config.compute.steps_per_execution,
        config.compute.resident,
        config.compute.jit_compile,
    ) == (100, True, True)
    expected = "accelerator, mixed float16, XLA on, 100 steps per call, images on the device; "
    assert describe_compute(config).startswith(expected)


def test_what_is_set_by_hand_stays(grey, accelerator):
    by_hand = {
        "steps_per_execution": 5,
        "resident": False,
        "jit_compile": False,
        "mixed_precision": "off",
    }
    config = completed(grey, **by_hand)
    assert {name: config.to_dict()[name] for name in by_hand} == by_hand


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"steps": 300, "checkpoint_every": 300}, 100),
        ({"steps": 140, "checkpoint_every": 42}, 14),
        ({"steps": 20_000, "checkpoint_every": 500, "track": ("kl",), "track_every": 60}, 20),
        ({"steps": 20_000, "checkpoint_every": 500, "track_every": 60}, 100),
        ({"steps": 101, "checkpoint_every": 500}, 1),
    ],
)
def test_calls_end_where_something_else_is_to_happen(settings, expected, grey, accelerator):
    assert completed(grey, **settings).compute.steps_per_execution == expected


def test_images_stay_on_the_host_where_they_are_too_many_or_the_run_too_short(grey, accelerator):
    more = data.from_arrays(np.zeros((91, 32, 32, 1), np.uint8))
    assert completed(grey, batch_size=10, steps=9).compute.resident
    assert not completed(more, batch_size=10, steps=1000).compute.resident
    assert not completed(grey, batch_size=10, steps=8, checkpoint_every=8).compute.resident


def test_binary_images_take_a_bit_a_pixel(accelerator, monkeypatch):
    sprites = data.load("dsprites", source="rendered", image_size=32)
    monkeypatch.setattr(compute, "device_memory", lambda: 4 * 737_280 * 32 * 32 // 8)
    assert completed(sprites).compute.resident
    monkeypatch.setattr(compute, "device_memory", lambda: 4 * 737_280 * 32 * 32 // 8 - 4)
    assert not completed(sprites).compute.resident


def test_memory_of_unknown_size_is_left_alone(grey, accelerator, monkeypatch):
    monkeypatch.setattr(compute, "device_memory", lambda: None)
    assert not completed(grey).compute.resident


def test_a_model_that_calls_the_host_runs_without_xla_on_tensorflow(grey, accelerator):
    for model, expected in (("vae", True), ("cascade_vae", False)):
        assert completed(grey, model=model).compute.jit_compile is expected


def test_pytorch_takes_one_step_at_a_time(grey, accelerator, monkeypatch):
    monkeypatch.setattr(compute, "compiles_several_steps", lambda: False)
    assert completed(grey).compute.steps_per_execution == 1
    with pytest.raises(UsageError, match=r"must be 1\. Received: 10"):
        completed(grey, steps_per_execution=10)


def test_a_run_leaves_the_precision_of_the_process_alone(grey):
    model = build_model(completed(grey, mixed_precision="bfloat16"), grey)
    assert model.encoder.layers[1].compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"
