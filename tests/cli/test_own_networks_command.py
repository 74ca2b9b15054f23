"""Functions of users that build the networks, by name and on the command line."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from running import run

from keras_devae import VAE
from keras_devae.errors import UsageError
from keras_devae.models.saving import in_float32
from keras_devae.runs import Run, RunDirectory

ROOT = Path(__file__).parents[2]
MODULE = """
import keras
from keras import layers


@keras.saving.register_keras_serializable(package="nets")
class Doubled(layers.Layer):
    def call(self, x):
        return 2 * x


def build(image_shape, latent_dim, decoder_input_dim, seed=None):
    images = keras.Input(image_shape)
    x = Doubled()(layers.Dense(4, activation="relu")(layers.Flatten()(images)))
    heads = {name: layers.Dense(latent_dim)(x) for name in ("z_mean", "z_log_var")}
    z = keras.Input((decoder_input_dim,))
    size = image_shape[0] * image_shape[1] * image_shape[2]
    pixels = layers.Reshape(image_shape)(layers.Dense(size)(z))
    return keras.Model(images, heads), keras.Model(z, pixels)
"""
TRAIN = [
    *("train", "--model", "beta_vae", "--dataset", "npy:images.npy", "--network", "nets:build"),
    *("--steps", "4", "--checkpoint-every", "2", "--batch-size", "4", "--runs-dir", "runs"),
    *("--run", "own", "--latent-dim", "3"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with a module and images; the module is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    (tmp_path / "nets.py").write_text(MODULE)
    np.save("images.npy", np.random.default_rng(0).integers(0, 256, (12, 6, 5, 2), np.uint8))
    yield tmp_path
    sys.modules.pop("nets", None)


NAMES = {
    "nets:bild": "has no `bild`",
    "nowhere:build": "there is no module nowhere",
    "nets.py:build": "without `.py`",
    "./nets:build": "MODULE:FUNCTION, without path",
    "nets:": "MODULE:FUNCTION",
    ":build": "MODULE:FUNCTION",
    "nets.parts:build": "there is no module nets.parts",
    "nets:keras": "must be a function",
    "broken:build": "cannot be imported: SyntaxError",
    "needy:build": "cannot be imported: ModuleNotFoundError: No module named 'absent_one'",
    "residuals": "residual",
}


@pytest.mark.parametrize("name", NAMES)
def test_wrong_names_are_refused_in_one_sentence(name, folder):
    (folder / "broken.py").write_text("def build(:")
    (folder / "needy.py").write_text("import absent_one")
    with pytest.raises(UsageError, match=NAMES[name]):
        VAE.for_images((6, 5, 2), 3, network=name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nets:bild", "has no `bild`"),
        ("nets:keras", "must be a function"),
        ("narrow:odd", "It may take 'decoder_input_dim', 'groups', 'image_shape', 'latent_dim'"),
    ],
)
def test_wrong_functions_are_refused_before_images_are_read(
    name, message, folder, monkeypatch, capsys
):
    def load(*arguments, **options):
        raise AssertionError("The images are read.")

    monkeypatch.setattr("keras_devae.runs.run.load_dataset", load)
    (folder / "narrow.py").write_text("def odd(latent_dim, width): pass")
    assert run(*TRAIN, "--network", name) == 2
    assert message in capsys.readouterr().err


def test_a_run_from_the_command_line(folder):
    assert run(*TRAIN) == 0
    directory = RunDirectory("runs/own")
    assert directory.read_config().model.network == "nets:build"
    sys.modules.pop("nets")
    assert run("evaluate", "runs/own") == 0
    assert "nets:build networks" in next(iter((folder / "runs/own").rglob("*.html"))).read_text()


def run_afresh(*words, place, path=""):
    """Runs a command in a process of its own, as no other forgets what was registered."""
    return subprocess.run(
        [sys.executable, "-m", "keras_devae.cli", *words],
        cwd=place,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), path)))},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def elsewhere(folder):
    """Another folder."""
    (folder / "elsewhere").mkdir()
    return folder / "elsewhere"


@pytest.mark.thorough
def test_a_run_needs_its_module(folder, elsewhere):
    assert run(*TRAIN) == 0
    words = ("evaluate", str(folder / "runs/own"))
    for place, path, code in ((folder, "", 0), (elsewhere, "", 2), (elsewhere, str(folder), 0)):
        done = run_afresh(*words, place=place, path=path)
        assert done.returncode == code, done.stderr
        if code:
            assert "there is no module nets in" in done.stderr and "PYTHONPATH" in done.stderr


@pytest.mark.thorough
@pytest.mark.parametrize("format", ["tf_saved_model", "onnx"])
def test_an_export_needs_the_module_and_its_files_do_not(format, folder, elsewhere):
    assert run(*TRAIN) == 0
    words = ("export", str(folder / "runs/own"), "encoder", "--format", format)
    done = run_afresh(*words, place=elsewhere)
    assert done.returncode == 2 and "there is no module nets in" in done.stderr
    assert not any(elsewhere.iterdir())
    done = run_afresh(*words, place=folder)
    assert done.returncode == 0, done.stderr
    code = done.stdout.partition("\n\n")[2]
    code = code.replace('np.zeros((7, 6, 5, 2), "uint8")', 'np.load("../images.npy")')
    alone = "import sys\nfor name in ('keras', 'keras_devae', 'nets'): sys.modules[name] = None\n"
    script = f'{alone}{code}np.save("codes.npy", codes)\n'
    subprocess.run([sys.executable, "-c", script], check=True, cwd=elsewhere)
    # Runs in mixed precision are exported in float32.
    codes = in_float32(Run.open("runs/own").model).encode(np.load("images.npy"))
    np.testing.assert_allclose(np.load(elsewhere / "codes.npy"), codes, atol=1e-5)


def test_refusals_on_the_command_line(folder, capsys):
    without_network = [word for word in TRAIN if word not in ("--network", "nets:build")]
    for words, said in (
        (("--network", "nowhere:build"), "there is no module nowhere"),
        (("--network", "nets:build", "--network-units", "8"), "--network-units"),
        (("--model", "pca", "--decoder", "broadcast"), "Leave --decoder out"),
        (("--decoder", "broad"), "'broadcast'"),
    ):
        assert run(*without_network, *words) == 2
        assert said in capsys.readouterr().err
