"""Commands live with what they are started in: a notebook, a poor terminal, a reader who leaves."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image
from running import run

from keras_devae.cli.main import _show_each_warning_once

COMMAND = [sys.executable, "-m", "keras_devae.cli"]
#: Commands that draw or print no more than a list, which need no Keras.
LISTS = (["metrics"], ["runs", "list"], ["models", "devae"], ["--help"])


@pytest.fixture(scope="module")
def runs_folder(tmp_path_factory):
    """A folder with one finished run, whose name and data set hold other letters than English."""
    folder = tmp_path_factory.mktemp("größe")
    random = np.random.default_rng(0)
    images, factors = (
        random.integers(0, 256, (64, 8, 8, 1), np.uint8),
        random.integers(0, 3, (64, 2)),
    )
    np.savez(folder / "images.npz", images=images, factors=factors)
    words = ["--dataset", f"npz:{folder / 'images.npz'}", "--network", "mlp", "--latent-dim", 2]
    words += ["--steps", 2, "--batch-size", 8, "--metrics", "mig", "--evaluation-images", 64]
    assert run("train", *words, "--runs-dir", folder / "runs", "--run", "one") == 0
    return folder


def start(words, folder, output=subprocess.PIPE, **environment):
    return subprocess.run(
        [*COMMAND, *words],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=output,
        stderr=subprocess.PIPE,
        check=False,
    )


@pytest.mark.parametrize(
    "backend", ["module://matplotlib_inline.backend_inline", "TkAgg", "no such thing", ""]
)
def test_figures_are_drawn_whatever_matplotlib_is_told(backend, runs_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", backend)
    assert run("plot", "kl", runs_folder / "runs" / "one", "--out", tmp_path / "kl.png") == 0
    with Image.open(tmp_path / "kl.png") as picture:
        assert picture.size[0] > 100
    assert os.environ["MPLBACKEND"] == backend


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "ascii:strict"])
def test_letters_that_a_terminal_cannot_show_are_spelt_out(encoding, runs_folder):
    result = start(["runs", "list"], runs_folder, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert result.returncode == 0, result.stderr
    shown = "gr\\xf6\\xdfe" if "ascii" in encoding else "größe"
    assert shown in result.stdout.decode(encoding.partition(":")[0]).replace("\n", "")


def test_equal_warnings_are_printed_once(monkeypatch, capsys):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    for _ in range(2):
        _show_each_warning_once()
        for text in ("same", "same", "other"):
            warnings.showwarning(UserWarning(text), UserWarning, "file.py", 1)
    printed = capsys.readouterr().err.splitlines()
    assert printed == ["Warning: same", "Warning: other"] * 2


@pytest.mark.parametrize("words", LISTS)
def test_a_full_disk_under_the_output_is_said(words, runs_folder):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "w") as full:
        result = start(words, runs_folder, full)
    assert result.returncode == 1
    assert result.stderr.decode().splitlines()[-1].startswith("Error: The output cannot be written")


@pytest.mark.parametrize("words", LISTS)
def test_a_reader_who_leaves_is_no_error(words, runs_folder):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        result = start(words, runs_folder, pipe)
    assert result.stderr == b""
