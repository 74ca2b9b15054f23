"""Runs on several devices and by several processes, in processes that have them."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest
from running import run
from several_processes import environment_of, free_ports, in_processes

from keras_devae.backend import replicas as distribution
from keras_devae.runs import RunDirectory
from keras_devae.runs.trained_model import load_trained

pytestmark = pytest.mark.backends

BACKEND = keras.backend.backend()
on_several = pytest.mark.skipif(BACKEND == "torch", reason="PyTorch trains on one device")
DISTRIBUTED = ("--distribute", "data-parallel")
PROGRAM = """
import sys
from distributed_training import pass_for_devices
pass_for_devices(int(sys.argv[1]))
from keras_devae.cli import main
main(sys.argv[2:])
"""


@pytest.fixture(scope="module")
def words(tmp_path_factory, blobs):
    """The command that trains a run of 30 steps."""
    path = tmp_path_factory.mktemp("data") / "images.npz"
    factors = np.stack(np.unravel_index(np.arange(64), (8, 8)), axis=1)
    np.savez(path, images=blobs(64), factors=factors)
    data = ("--dataset", f"npz:{path}", "--evaluation-images", "64", "--metrics", "mig,kl")
    # TensorFlow trains in float32 on several devices, and on one where the CPU has no bfloat16.
    model = ("--network", "mlp", "--latent-dim", "3", "--mixed-precision", "off")
    steps = ("--batch-size", "8", "--steps", "30", "--checkpoint-every", "10")
    # Several processes propose nothing.
    return ("train", *data, *model, *steps, "--no-suggest")


@pytest.fixture(scope="module")
def one(words, tmp_path_factory):
    """The run on one device."""
    folder = tmp_path_factory.mktemp("one")
    assert run(*words, "--run", "one", "--runs-dir", folder) == 0
    return RunDirectory.open(folder / "one")


def keras_devae(*words, devices=2, processes=1):
    """Runs the command line on devices or in processes; returns what each of them printed."""
    tests = str(Path(__file__).parents[1])
    environment = {**os.environ, "KERAS_BACKEND": BACKEND, "PYTHONPATH": tests}
    environments = [environment]
    if processes > 1:
        ports = free_ports(processes)
        places = [environment_of(number, ports) for number in range(processes)]
        environments = [{**place, **environment} for place in places]
    return in_processes([(("-c", PROGRAM, devices, *words), place) for place in environments])


def interrupted(path):
    """Takes away what a run leaves after its step 20."""
    history = RunDirectory(path).read_history()
    for file in (path / "model.keras", path / "metrics.json", path / "report.html"):
        file.unlink()
    (path / "checkpoints" / "step-00000030.keras").unlink()
    RunDirectory(path).write_history(history[:2])
    return RunDirectory(path)


def assert_same_run(found, expected):
    rows, expected_rows = found.read_history(), expected.read_history()
    assert [row["step"] for row in rows] == [10, 20, 30]
    for row, expected_row in zip(rows, expected_rows, strict=True):
        np.testing.assert_allclose(list(row.values()), list(expected_row.values()), rtol=2e-5)
    for layer, expected_layer in zip(
        found.read_metrics()["layers"], expected.read_metrics()["layers"], strict=True
    ):
        np.testing.assert_allclose(list(layer.values()), list(expected_layer.values()), rtol=1e-3)
    weights = zip(load_trained(found).weights, load_trained(expected).weights, strict=True)
    for weight, expected_weight in weights:
        value, expected_value = map(keras.ops.convert_to_numpy, (weight, expected_weight))
        np.testing.assert_allclose(value, expected_value, rtol=1e-3, atol=1e-5)


@pytest.mark.thorough
@on_several
def test_a_run_on_two_devices_is_that_of_one(words, one, tmp_path):
    keras_devae(*words, *DISTRIBUTED, "--run", "two", "--runs-dir", tmp_path)
    two = RunDirectory.open(tmp_path / "two")
    assert two.read_config().compute.distribute == "data-parallel"
    assert_same_run(two, one)


@pytest.mark.slow
@on_several
def test_a_run_goes_on_on_its_devices(words, one, tmp_path):
    tracked = ("--track", "kl,traversal", "--track-every", "10")
    keras_devae(*words, *DISTRIBUTED, *tracked, "--run", "two", "--runs-dir", tmp_path)
    assert_same_run(RunDirectory.open(tmp_path / "two"), one)
    kl = (tmp_path / "two" / "tracking" / "kl.csv").read_text()
    two = interrupted(tmp_path / "two")
    keras_devae("train", "--resume", two.path)
    assert_same_run(two, one)
    assert (two.tracking / "kl.csv").read_text().count("\n") == kl.count("\n") > 3


@pytest.mark.slow
@on_several
def test_a_run_goes_on_on_fewer_devices(words, one, tmp_path):
    keras_devae(*words, *DISTRIBUTED, "--run", "two", "--runs-dir", tmp_path)
    two = interrupted(tmp_path / "two")
    assert run("train", "--resume", two.path) == 0
    assert_same_run(two, one)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow's own way")
def test_a_run_of_two_processes(words, one, tmp_path):
    tracked = ("--track", "kl", "--track-every", "10")
    words = [word for word in words if word != "--no-suggest"]
    new = (*words, *DISTRIBUTED, *tracked, "--run", "two", "--runs-dir", tmp_path)
    chief, worker = keras_devae(*new, devices=1, processes=2)
    two = RunDirectory.open(tmp_path / "two")
    assert_same_run(two, one)
    assert " mig  " in chief and worker == ""
    assert [path.name for path in tmp_path.iterdir()] == ["two"]
    interrupted(two.path)
    keras_devae("train", "--resume", two.path, devices=1, processes=2)
    assert_same_run(two, one)
    assert [path.name for path in tmp_path.iterdir()] == ["two"]


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow's own way")
def test_two_processes_validate_and_stop_as_one(words, tmp_path):
    watched = ("--validation-split", "0.25", "--save-best", "--early-stopping", "2")
    # The KL divergence rises as the model learns, so that training soon stops.
    watched += ("--monitor", "val_kl_loss", "--model", "vae", "--learning-rate", "0.003")
    tracked = ("--track", "mig", "--track-every", "10", "--steps", "1000")
    new = (*words, *watched, *tracked, "--runs-dir", tmp_path, "--run")
    assert run(*new, "one") == 0
    chief, worker = keras_devae(*new, "two", *DISTRIBUTED, devices=1, processes=2)
    assert "  held out" in chief and worker == ""
    one, two = (RunDirectory.open(tmp_path / name) for name in ("one", "two"))
    ended, expected = (each.read_record()["ended"] for each in (two, one))
    assert ended["stopped_early"] and ended["step"] == expected["step"]
    assert ended["best_step"] == expected["best_step"] == ended["model_step"]
    for row, expected_row in zip(two.read_history(), one.read_history(), strict=True):
        assert row["val_loss"] == pytest.approx(expected_row["val_loss"], rel=2e-5)
        assert "val_mig.score" in row


@pytest.mark.thorough
@on_several
def test_on_a_single_device_the_run_says_so(words, one, tmp_path, fresh_python):
    new = (*words, *DISTRIBUTED, "--run", "single", "--runs-dir", tmp_path)
    _, errors = fresh_python("-m", "keras_devae.cli", *new)
    assert errors.count("There is only one device here") == 1
    assert_same_run(RunDirectory.open(tmp_path / "single"), one)


@on_several
@pytest.mark.parametrize("option", [("--batch-size", "9"), ("--model", "factor_vae")])
def test_a_run_that_does_not_fit_is_refused_before_the_data(option, monkeypatch, capsys):
    monkeypatch.setattr(distribution, "_over_all_devices", lambda count: (2, None))
    words = ("train", "--dataset", "npz:nowhere.npz", *DISTRIBUTED, *option)
    if option[1] == "factor_vae" and BACKEND == "jax":
        pytest.skip("JAX trains it")
    assert run(*words) == 2
    error = capsys.readouterr().err
    assert "2 devices cannot share a batch of 9" in error or "FactorVAE compares" in error


@pytest.mark.skipif(BACKEND != "torch", reason="the others do")
def test_pytorch_is_refused_before_the_data(capsys):
    assert run("train", "--dataset", "npz:nowhere.npz", *DISTRIBUTED) == 2
    assert "choose the backend jax or tensorflow" in capsys.readouterr().err


def test_an_unknown_distribution_is_refused(capsys):
    assert run("train", "--distribute", "dataparallel") == 2
    assert "data-parallel" in capsys.readouterr().err
