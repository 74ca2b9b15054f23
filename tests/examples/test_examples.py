"""The example scripts do what they say."""

import importlib.util
import runpy
from pathlib import Path

import pytest
from PIL import Image

from keras_devae import data
from keras_devae.cli import main as command_line

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name):
    return runpy.run_path(str(EXAMPLES / name))["main"]


@pytest.mark.backends
def test_quickstart(tmp_path, capsys):
    score = load("quickstart.py")(
        steps=5, epochs=2, image_size=32, picture=tmp_path / "traversal.png"
    )
    assert 0 <= score <= 1 and "MIG" in capsys.readouterr().out
    with Image.open(tmp_path / "traversal.png") as picture:
        assert picture.size[0] > 300


@pytest.mark.backends
def test_custom_data_writes_a_set_that_the_command_line_reads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert 0 <= load("custom_data.py")(epochs=2) <= 1
    written = data.load(f"npz:{tmp_path / 'crosses.npz'}")
    assert written.factor_names == ("row", "column") and len(written) == 4000


@pytest.mark.backends
# After six steps no latent varies enough to vote.
@pytest.mark.filterwarnings("ignore::keras_devae.metrics.MetricWarning")
def test_measure_writes_what_the_command_line_scores(tmp_path, capsys):
    score = load("measure.py")(tmp_path, steps=6, epochs=1, every_steps=10, images=200)
    assert 0 <= score <= 1 and "layer 2: MIG" in capsys.readouterr().out
    assert (tmp_path / "information.png").is_file() and (tmp_path / "kl.csv").is_file()
    with pytest.raises(SystemExit) as ending:
        command_line(["evaluate", "--codes", str(tmp_path / "codes.npz"), "--metrics", "mig,sap"])
    assert ending.value.code == 0
    assert "mig: orientation" in capsys.readouterr().out


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="needs TensorFlow")
def test_downstream_beats_chance(tmp_path):
    accuracy = load("downstream.py")(str(tmp_path / "encoder"), steps=1000, samples=500)
    assert accuracy > 0.3


def test_contact_sheets_of_every_set_and_of_variants(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("KERAS_DEVAE_DATA", str(tmp_path / "data"))
    load("contact_sheet.py")(tmp_path)
    names = ("dsprites", "shapes3d", "variants", "cars3d", "smallnorb", "mpi3d_toy")
    for name in names:
        with Image.open(tmp_path / f"contact_sheet_{name}.png") as picture:
            assert picture.size[0] > picture.size[1] > 100
            assert len(picture.convert("L").getcolors()) > 10


def test_miniature_files_writes_a_file_of_every_set(tmp_path, capsys):
    load("miniature_files.py")(tmp_path)
    assert len(list(tmp_path.iterdir())) == len(capsys.readouterr().out.splitlines()) == 10


@pytest.mark.backends
def test_compare_runs_has_a_row_for_every_layer(tmp_path):
    words = ["train", "--dataset", "dsprites", "--source", "rendered", "--image-size", "32"]
    words += ["--latent-dim", "2", "--evaluation-images", "100", "--network", "mlp"]
    words += ["--betas", "1,4", "--steps", "2", "--run", "r", "--runs-dir", str(tmp_path)]
    with pytest.raises(SystemExit) as ending:
        command_line(words)
    assert ending.value.code == 0
    assert load("compare_runs.py")(tmp_path, tmp_path / "table.md") == 2
    table = (tmp_path / "table.md").read_text().splitlines()
    assert table[0].startswith("| model | MIG |") and table[2].startswith("| devae, layer 0 | 0.")
