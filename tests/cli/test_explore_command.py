"""`keras-devae explore` as a user meets it."""

import base64
import importlib.machinery
import io
import re
import signal
import subprocess
import sys
import types
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from running import run

from keras_devae.errors import UsageError
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.folder import RunDirectory


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


@pytest.mark.parametrize(
    ("words", "typed", "message"),
    [
        (["--auth", ""], "", "--auth must be USER or USER:PASSWORD"),
        (["--auth", ":secret"], "", "--auth must be USER or USER:PASSWORD"),
        (["--auth", "ann:"], "", "--auth must be USER or USER:PASSWORD"),
        (["--auth", "ann"], "", "standard input, which is empty"),
        (["--auth", "ann"], "\n", "standard input, which is empty"),
        (["--auth", "ann:secret", "--no-password"], "", "--no-password contradict each other"),
        (["--host", ""], "", "must be an address of this machine"),
        (["--host", "no such host"], "", "Cannot listen on no such host"),
    ],
)
def test_wrong_addresses_and_passwords_are_refused_at_once(
    workplace, capsys, with_gradio, monkeypatch, words, typed, message
):
    RunDirectory.create("runs/new").write_record(RunConfig(), {}, {})
    Path("runs/new/model.keras").touch()
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert run("explore", "runs/new", *words) == 2
    said = capsys.readouterr().err
    assert message in said and "secret" not in said


@pytest.mark.parametrize(
    ("words", "environment", "typed", "expected"),
    [
        ([], {}, "", None),
        ([], {"KERAS_DEVAE_AUTH": "ann:from:there"}, "", ("ann", "from:there")),
        (["--auth", "ann"], {}, "typed in\n", ("ann", "typed in")),
        (["--auth", "bob:b"], {"KERAS_DEVAE_AUTH": "ann:a"}, "", ("bob", "b")),
        (["--no-password"], {}, "", False),
    ],
)
def test_where_the_password_comes_from(
    workplace, with_gradio, monkeypatch, words, environment, typed, expected
):
    """It need not stand on the command line, which others see in the list of processes."""
    RunDirectory.create("runs/new").write_record(RunConfig(), {}, {})
    Path("runs/new/model.keras").touch()
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    asked = []

    def stop(listener, auth):
        asked.append(auth)
        raise UsageError("Far enough.")

    monkeypatch.setattr("keras_devae.explorer.serving.choose_credentials", stop)
    assert run("explore", "runs/new", *words) == 2
    assert asked == [expected]


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


def begun(command):
    """Starts a command; returns its process and the first line that names the page."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    return process, process.stdout.readline()


def status_of(address, credentials=None):
    request = urllib.request.Request(address)
    if credentials is not None:
        encoded = base64.b64encode(":".join(credentials).encode()).decode()
        request.add_header("Authorization", f"Basic {encoded}")
    try:
        with urllib.request.urlopen(request, timeout=600) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.browser
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_is_served_to_this_machine_only_until_it_is_ended(workplace, number, status):
    words = ("--dataset", "npz:images.npz", "--model", "pca", "--latent-dim", 3, "--metrics", "mig")
    assert run("train", *words, "--steps", 1, "--run", "tiny") == 0
    command = [sys.executable, "-m", "keras_devae.cli", "explore", "runs/tiny", "--no-browser"]
    process, said = begun(command)
    try:
        address = re.search(r"http://127\.0\.0\.1:(\d+)", said)
        assert address, said + process.stderr.read()
        found, page = status_of(address.group())
        assert found == 200 and "PCA on images.npz" in page
        assert "keras-devae export runs/tiny encoder" in page
        assert listening_addresses(int(address.group(1))) == ["0100007F"]
    finally:
        process.send_signal(number)
        output, errors = process.communicate(timeout=600)
    assert process.returncode == status and output == ""
    assert errors.splitlines()[2:] == ["", "Interrupted."]


@pytest.mark.browser
def test_others_need_the_password_that_is_printed(workplace):
    words = ("--dataset", "npz:images.npz", "--model", "pca", "--latent-dim", 3, "--metrics", "mig")
    assert run("train", *words, "--steps", 1, "--run", "tiny") == 0
    command = [sys.executable, "-m", "keras_devae.cli", "explore", "runs/tiny", "--no-browser"]
    process, said = begun([*command, "--host", "0.0.0.0"])
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+", said).group()
        line = process.stdout.readline()
        password = re.search(r"user explore and the password (\S+)\.$", line).group(1)
        assert status_of(address)[0] == status_of(address, ("explore", "x"))[0] == 401
        assert status_of(address, ("explore", password))[0] == 200
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=600)


@pytest.mark.parametrize(
    ("words", "expected"), [([], (60, 3)), (["--images", "50", "--seed", "1"], (50, 1))]
)
def test_latents_are_measured_as_for_the_report(
    workplace, with_gradio, monkeypatch, words, expected
):
    small = ("--network", "mlp", "--network-units", "8", "--steps", "2", "--latent-dim", "2")
    evaluated = ("--metrics", "kl", "--evaluation-images", "60", "--seed", "3", "--run", "tiny")
    assert run("train", "--dataset", "npz:images.npz", *small, *evaluated) == 0
    measured = []

    def session(model, dataset, images, seed):
        measured.append((images, seed))
        raise UsageError("This is enough.")

    monkeypatch.setitem(
        sys.modules, "keras_devae.explorer.page", types.SimpleNamespace(make_page=None)
    )
    monkeypatch.setattr("keras_devae.explorer.session.Session", session)
    assert run("explore", "runs/tiny", *words) == 2
    assert measured == [expected]
