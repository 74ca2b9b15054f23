"""`keras-devae explore` as a user meets it."""

import importlib.machinery
import re
import signal
import subprocess
import sys
import types
import urllib.request
from pathlib import Path

import pytest
from running import run

from keras_devae.experiments.config import RunConfig
from keras_devae.experiments.run_directory import RunDirectory


@pytest.fixture
def with_gradio(monkeypatch):
    """Lets Gradio seem to be installed, whether or not it is."""
    module = types.ModuleType("gradio")
    module.__spec__ = importlib.machinery.ModuleSpec("gradio", None)
    monkeypatch.setitem(sys.modules, "gradio", module)


def test_help_imports_neither_backend_nor_gradio(fresh_python):
    words = ("-m", "keras_devae.cli", "explore", "--help")
    output, errors = fresh_python("-X", "importtime", *words)
    assert "--host" in output and "--port" in output and "--no-browser" in output
    modules = {line.split("|")[-1].strip().split(".")[0] for line in errors.splitlines()}
    assert not modules & {"tensorflow", "jax", "torch", "keras", "gradio", "sklearn"}


def test_a_missing_gradio_is_said_in_one_sentence(workplace, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert run("explore", "runs/any") == 2
    assert "`pip install 'keras-devae[explore]'`" in capsys.readouterr().err


def test_there_must_be_a_trained_run(workplace, capsys, with_gradio):
    assert run("explore", "runs/any") == 2
    assert "There is no run in runs/any" in capsys.readouterr().err
    RunDirectory.create("runs/new").write_record(RunConfig(), {}, {})
    assert run("explore", "runs/new") == 2
    assert "neither a model nor a checkpoint" in capsys.readouterr().err


def test_a_taken_port_is_said_before_the_model_is_loaded(workplace, capsys, with_gradio):
    from keras_devae.explorer.serving import listen

    RunDirectory.create("runs/new").write_record(RunConfig(), {}, {})
    Path("runs/new/model.keras").touch()
    with listen(port=0) as listener:
        port = listener.getsockname()[1]
        assert run("explore", "runs/new", "--port", port) == 2
    assert "Choose another --host or --port." in capsys.readouterr().err
    assert run("explore", "runs/new", "--port", 0) == 2
    assert run("explore", "runs/new", "--images", 1) == 2


def listening_addresses(port):
    """The local addresses that something listens to at a port, from Linux's own tables."""
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            _, local, _, state = line.split()[:4]
            address, local_port = local.split(":")
            if state == "0A" and int(local_port, 16) == port:
                found.append(address)
    return found


@pytest.mark.browser
def test_a_run_is_served_to_this_machine_only_until_ctrl_c(workplace):
    words = ("--dataset", "npz:images.npz", "--model", "pca", "--latent-dim", 3, "--metrics", "mig")
    assert run("train", *words, "--steps", 1, "--run", "tiny") == 0
    command = [sys.executable, "-m", "keras_devae.cli", "explore", "runs/tiny", "--no-browser"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        said = process.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:(\d+)", said)
        assert address, said + process.stderr.read()
        with urllib.request.urlopen(address.group(), timeout=6000) as response:
            assert "PCA on npz:" in response.read().decode()
        assert listening_addresses(int(address.group(1))) == ["0100007F"]
    finally:
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=600)
    assert process.returncode == 130 and output == ""
    assert errors.splitlines()[2:] == ["", "Interrupted."]
