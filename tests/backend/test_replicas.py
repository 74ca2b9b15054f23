"""Training on several devices comes out as on one, in processes that have several devices."""

import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest
from distributed_training import trained
from keras import ops
from several_processes import environment_of, free_ports, in_processes

from keras_devae.backend import replicas as distribution
from keras_devae.backend.interface import active
from keras_devae.errors import UsageError
from keras_devae.layers import GaussianSampling
from keras_devae.losses import gumbel_softmax
from keras_devae.models import MODELS
from keras_devae.runs import RunConfig

pytestmark = pytest.mark.backends

PROGRAM = Path(__file__).parent.parent / "distributed_training.py"
BACKEND = keras.backend.backend()
on_several = pytest.mark.skipif(BACKEND == "torch", reason="PyTorch trains on one device")
on_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow's own way")
on_jax = pytest.mark.skipif(BACKEND != "jax", reason="JAX's own way")

#: What moves within the 50 steps.
OPTIONS = {
    "annealed_vae": {"capacity_steps": 40},
    "deft": {"stage_steps": 10},
    "dynamic_vae": {"kl_target_steps": 40},
    "cascade_vae": {"stage_steps": 10, "matching_stage": 1},
    "cascade_vae_c": {"stage_steps": 20},
    "control_vae": {"kl_target_steps": 40},
    "byol": {"projector_units": [16, 8], "predictor_units": [16]},
    "factor_vae": {"discriminator_units": [16, 16]},
    "info_gan": {"contrastive": True, "contrastive_start": 20},
    "joint_vae": {"capacity_steps": 40},
    # While the divergence hardly counts, Adam makes steps of the rounding of tiny gradients.
    "ladder_vae": {"layer_dims": [2, 1], "kl_warmup_steps": 0, "steps": 10},
}
TOGETHER = ("beta_tc_vae", "byol", "cascade_vae", "dip_vae", "factor_vae")
APART = (
    "ada_gvae",
    "annealed_vae",
    "cascade_vae_c",
    "control_vae",
    "deft",
    "dynamic_vae",
    "info_gan",
    "joint_vae",
    "ladder_vae",
    "vae",
)


@pytest.fixture(scope="module")
def images(tmp_path_factory, blobs):
    """An `npz` file of 64 images of 8x8 with two factors."""
    path = tmp_path_factory.mktemp("data") / "images.npz"
    factors = np.stack(np.unravel_index(np.arange(64), (8, 8)), axis=1)
    np.savez(path, images=blobs(64), factors=factors)
    return path


def on_devices(folder, images, trainings, processes=1):
    """Trains on two devices; returns the results of each process."""
    files = [folder / f"results_{number}.json" for number in range(processes)]
    devices = 2 if processes == 1 else 1
    environments = [{**os.environ, "KERAS_BACKEND": BACKEND}]
    if processes > 1:
        ports = free_ports(processes)
        environments = [environment_of(number, ports) for number in range(processes)]
    in_processes(
        [
            ((PROGRAM, devices, images, file, json.dumps(trainings)), environment)
            for file, environment in zip(files, environments, strict=True)
        ]
    )
    return [json.loads(file.read_text()) for file in files]


def assert_same(several, one):
    assert (several["devices"], one["devices"]) == (2, 1)
    for part in ("history", "evaluated"):
        assert several[part].keys() == one[part].keys()
        for name, values in one[part].items():
            np.testing.assert_allclose(several[part][name], values, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(several["codes"], one["codes"], rtol=1e-4, atol=1e-5)
    for found, expected in zip(several["state"], one["state"], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def layers_drawn(history):
    """For each step, the layers that any device drew in it."""
    losses = [history[f"reconstruction_loss_layer_{layer}"] for layer in range(3)]
    return [np.flatnonzero(step).tolist() for step in np.transpose(losses)]


@pytest.fixture(scope="module")
def one_device(images):
    return trained(images, distribute=None)


@pytest.mark.thorough
@on_several
def test_two_devices_train_as_one(images, one_device, tmp_path):
    ((two,),) = on_devices(tmp_path, images, [{}])
    assert len(two["history"]["loss"]) == 50
    assert_same(two, one_device)
    # One layer a step on all devices, and the same as on one device.
    drawn = layers_drawn(two["history"])
    assert {len(layers) for layers in drawn} == {1}
    assert {layers[0] for layers in drawn} == {0, 1, 2}
    assert drawn == layers_drawn(one_device["history"])


@pytest.mark.thorough
@on_tensorflow
def test_two_processes_train_as_one(images, one_device, tmp_path):
    chief, worker = on_devices(tmp_path, images, [{}], processes=2)
    assert_same(chief[0], one_device)
    assert worker == chief
    assert layers_drawn(chief[0]["history"]) == layers_drawn(one_device["history"])


@pytest.mark.slow
@on_several
def test_other_models_on_two_devices(images, tmp_path):
    methods = APART if BACKEND == "tensorflow" else (*APART, *TOGETHER)
    trainings = [{"method": method, **OPTIONS.get(method, {})} for method in methods]
    trainings += [{"method": "devae", "objective": "summed"}, {"resident": True}]
    trainings.append({"objective": "summed", "jacobian_penalty": 10.0})
    (results,) = on_devices(tmp_path, images, trainings)
    for training, result in zip(trainings, results, strict=True):
        assert_same(result, trained(images, distribute=None, **training))


@pytest.mark.slow
@on_jax
def test_several_steps_in_one_call(images, tmp_path):
    training = {"steps_per_execution": 10}
    ((two,),) = on_devices(tmp_path, images, [training])
    assert_same(two, trained(images, distribute=None, **training))


@pytest.mark.slow
@on_tensorflow
def test_other_models_in_two_processes(images, tmp_path):
    trainings = [{"method": m, **OPTIONS[m]} for m in ("annealed_vae", "control_vae", "joint_vae")]
    trainings.append({"resident": True})
    chief, worker = on_devices(tmp_path, images, trainings, processes=2)
    assert worker == chief
    assert "resident in several processes" in chief.pop()["refused"]
    for training, result in zip(trainings, chief, strict=False):
        assert_same(result, trained(images, distribute=None, **training))


@on_several
def test_what_devices_cannot_share_is_refused(images, tmp_path):
    uneven = {"batch_size": 9}
    last_uneven = {"array_of": 63, "fit_options": {"batch_size": 8}}
    held_out_uneven = {"held_out": 35}
    trainings = {
        "2 devices cannot share a batch of 9 images": uneven,
        "2 devices cannot share a batch of 7 images": last_uneven,
        "2 devices cannot share a batch of 3 images": held_out_uneven,
    }
    if BACKEND == "tensorflow":
        for method in TOGETHER:
            sentence = f"{MODELS[method].__name__} compares the images of a batch"
            trainings[sentence] = {"method": method, **OPTIONS.get(method, {})}
        trainings["trains without steps_per_execution"] = {"steps_per_execution": 10}
        trainings["trains without mixed_precision float16"] = {"dtype_policy": "mixed_float16"}
        trainings["trains without jit_compile"] = {"compile_options": {"jit_compile": True}}
    (results,) = on_devices(tmp_path, images, list(trainings.values()))
    for words, result in zip(trainings, results, strict=True):
        assert words in result["refused"]


def test_one_device_is_as_ever(monkeypatch, caplog):
    if BACKEND == "torch":
        pytest.skip("PyTorch trains on one device")
    monkeypatch.setattr(active(), "distribution_over", lambda count: (1, None))
    distribution._over_all_devices.cache_clear()
    with distribution.data_parallel() as devices:
        assert devices == 1
    with distribution.data_parallel():
        pass
    distribution._over_all_devices.cache_clear()
    assert caplog.text.count("only one device") == 1


def test_without_a_distribution_nothing_is_looked_up():
    with distribution.scope(None) as devices:
        assert devices == 1


@pytest.mark.skipif(BACKEND != "torch", reason="the others do")
def test_pytorch_is_refused():
    with pytest.raises(UsageError, match="jax or tensorflow"), distribution.data_parallel():
        pass


def test_names_are_checked():
    with pytest.raises(UsageError, match=r"Unknown distribution 'dataparallel'.*data-parallel"):
        RunConfig(distribute="dataparallel")
    with pytest.raises(UsageError, match="Unknown distribution"), distribution.scope("model"):
        pass
    with pytest.raises(UsageError, match="pca is fitted on one device"):
        RunConfig(model="pca", distribute="data-parallel")


@on_tensorflow
@pytest.mark.parametrize(
    ("cluster", "task", "expected"),
    [
        ({"worker": ["a", "b"]}, {"type": "worker", "index": 1}, (1, 2)),
        ({"worker": ["a", "b"]}, {"type": "worker", "index": 0}, (0, 2)),
        ({"chief": ["a"], "worker": ["b"]}, {"type": "worker", "index": 0}, (1, 2)),
        ({"chief": ["a"], "worker": ["b"]}, {"type": "chief", "index": "0"}, (0, 2)),
        ({}, {}, (0, 1)),
    ],
)
def test_the_place_of_a_process(monkeypatch, cluster, task, expected):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    assert distribution.process() == expected


@on_tensorflow
@pytest.mark.parametrize(
    "text",
    [
        "worker",
        "[]",
        '{"cluster": {"worker": ["a"]}}',
        '{"cluster": {"worker": ["a"]}, "task": {"type": "ps", "index": 0}}',
        '{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 1}}',
    ],
)
def test_a_wrong_place_is_refused(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UsageError, match="TF_CONFIG must be JSON"):
        distribution.process()


def noise(shape):
    zeros = np.zeros(shape, "float32")
    return ops.convert_to_numpy(GaussianSampling(seed=5)(zeros, zeros))


def categories(shape):
    generator = keras.random.SeedGenerator(5)
    return ops.convert_to_numpy(gumbel_softmax(np.zeros(shape, "float32"), 0.5, generator))


# Of uniform numbers, which are the same to the bit, categories take two logarithms (of up to 4, to
# the last bit) over a temperature of 1/2, which processors round by where a row lies in an array.
@pytest.mark.parametrize(
    ("draw", "before", "rounding"),
    [(noise, (), 0), (noise, (2,), 0), (noise, (2, 3), 0), (categories, (), 3e-6)],
)
def test_a_device_draws_its_part_of_the_noise(monkeypatch, draw, before, rounding):
    whole = draw((*before, 12, 4))
    for number in range(3):
        monkeypatch.setattr(distribution, "replica", lambda number=number: (number, 3))
        part = draw((*before, 4, 4))
        expected = whole[..., 4 * number : 4 * number + 4, :]
        np.testing.assert_allclose(part, expected, rtol=rounding)
