"""The example scripts do what they say."""

import importlib.util
import runpy
import tarfile
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from thoroughness import quick_first

from keras_devae import data
from keras_devae.cli import main as command_line
from keras_devae.runs import RunDirectory
from keras_devae.studies import Study

EXAMPLES = Path(__file__).parents[2] / "examples"


STUDIES = sorted({path.name for path in EXAMPLES.rglob("*.toml")} - {"pyproject.toml"})


def load(name):
    return runpy.run_path(str(EXAMPLES / name))["main"]


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_help_is_answered_and_nothing_done(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [name, "--help"])
    # One of them chooses JAX where nothing else is chosen.
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    with pytest.raises(SystemExit) as ending:
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert ending.value.code == 0 and not list(tmp_path.iterdir())
    described = (EXAMPLES / name).read_text(encoding="utf-8").removeprefix('"""').split(maxsplit=2)
    assert " ".join(described[:2]) in capsys.readouterr().out


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


def test_drawn_shapes_are_read_as_they_are(tmp_path):
    load("draw_shapes.py")(tmp_path / "shapes", count=120)
    with pytest.warns(UserWarning, match=r"'angle' .*continuous"):
        shapes = data.load(f"folder:{tmp_path / 'shapes'}", image_size=16)
    assert shapes.factor_labels["colour"] == ("blue", "green", "red")
    assert shapes.continuous_factors == ("angle",) and shapes.nominal_factors == ("colour",)
    assert set(shapes.factors(np.arange(120))[:, 2]) == {8, 12, 16}


def test_clocks_are_a_folder_with_factors(tmp_path):
    load("clocks.py")(tmp_path / "clocks", count=150)
    clocks = data.load(f"folder:{tmp_path / 'clocks'}")
    assert clocks.image_shape == (64, 64, 3)
    assert clocks.factor_labels["colour"] == ("blue", "green", "orange", "red")
    values = clocks.factor_values(np.arange(150))
    assert set(values[:, 0]) == set(range(12)) and set(values[:, 1]) == set(range(0, 60, 5))


@pytest.mark.backends
# After six steps no latent varies enough to vote.
@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::keras_devae.metrics.MetricWarning")
def test_measure_writes_what_the_command_line_scores(tmp_path, capsys):
    score = load("measure.py")(tmp_path, steps=6, epochs=1, every_steps=10, images=200)
    assert 0 <= score <= 1 and "layer 2: MIG" in capsys.readouterr().out
    assert (tmp_path / "information.png").is_file() and (tmp_path / "kl.csv").is_file()
    with pytest.raises(SystemExit) as ending:
        command_line(["evaluate", "--codes", str(tmp_path / "codes.npz"), "--metrics", "mig,sap"])
    assert ending.value.code == 0
    assert "mig: orientation" in capsys.readouterr().out


@pytest.mark.thorough
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="needs TensorFlow")
def test_downstream_beats_chance(tmp_path):
    accuracy = load("downstream.py")(str(tmp_path / "encoder"), steps=1000, samples=500)
    assert accuracy > 0.3


def test_contact_sheets_of_every_set_and_of_variants(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_DEVAE_DATA", str(tmp_path / "data"))
    load("contact_sheet.py")(tmp_path)
    names = ("dsprites", "shapes3d", "variants", "cars3d", "smallnorb", "mpi3d_toy")
    for name in names:
        with Image.open(tmp_path / f"contact_sheet_{name}.png") as picture:
            assert picture.size[0] > picture.size[1] > 100
            assert len(picture.convert("L").getcolors()) > 10


@pytest.mark.backends
def test_finished_runs_are_compared_and_pictured(tmp_path):
    words = ["train", "--dataset", "dsprites", "--source", "rendered", "--image-size", "32"]
    words += ["--latent-dim", "2", "--evaluation-images", "100", "--network", "mlp"]
    words += ["--betas", "1,4", "--steps", "2", "--run", "r", "--runs-dir", str(tmp_path)]
    with pytest.raises(SystemExit) as ending:
        command_line(words)
    assert ending.value.code == 0
    assert load("compare_runs.py")(tmp_path, tmp_path / "table.md") == 2
    table = (tmp_path / "table.md").read_text().splitlines()
    assert table[0].startswith("| model | seeds | MIG |")
    assert table[2].startswith("| devae, layer 0 | 1 | 0.")
    (path,) = load("model_pictures.py")(tmp_path, tmp_path / "pictures")
    with Image.open(path) as picture:
        assert path.name == "devae.png" and picture.size[0] > 300


@pytest.mark.parametrize("name", STUDIES)
def test_every_run_of_a_study_is_a_valid_one(name, tmp_path, capsys):
    (path,) = EXAMPLES.rglob(name)
    with pytest.raises(SystemExit) as ending:
        command_line(["study", "status", str(path), "--runs-dir", str(tmp_path)])
    assert ending.value.code == 0
    assert "0 done, 0 running, 0 interrupted, 0 failed" in capsys.readouterr().out


@pytest.mark.thorough
@pytest.mark.backends
@pytest.mark.filterwarnings("ignore:.*constant")
def test_gpu_paper_run_goes_on_where_it_stopped(tmp_path, capsys, monkeypatch):
    # The script chooses JAX where nothing else is chosen.
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    script = load("gpu_paper_run.py")
    tiny = {"steps": 8, "batch_size": 4, "checkpoint_every": 4, "track_every": 2}
    tiny |= {"network": "mlp", "source": "rendered", "variants": ("subset:500",), "image_size": 32}
    rate, scores = script(tmp_path / "run", evaluation_images=100, **tiny)
    assert rate > 0 and len(scores["layers"]) == 3
    assert "images on the device" in capsys.readouterr().out
    run = RunDirectory(tmp_path / "run")
    finished = run.read_history()
    assert [row["step"] for row in finished] == [4, 8]
    # As if it had been killed after the first checkpoint.
    run.checkpoint_file(8).unlink()
    run.model_file.unlink()
    script(tmp_path / "run")
    assert f"Resuming {tmp_path / 'run'}" in capsys.readouterr().out
    assert run.model_file.is_file()
    # A layer that was not drawn has NaN.
    np.testing.assert_equal(run.read_history(), finished)
    # One execution, which compiles, is no time to measure.
    tiny |= {"steps": 1, "checkpoint_every": 1}
    rate, scores = script(tmp_path / "short", evaluation_images=100, **tiny)
    assert rate is None and len(scores["layers"]) == 3
    assert "too short to time" in capsys.readouterr().out


def test_gpu_paper_run_is_interrupted_in_a_line(monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    command = runpy.run_path(str(EXAMPLES / "gpu_paper_run.py"))["command"]

    def interrupted(folder, **given):
        raise KeyboardInterrupt

    monkeypatch.setitem(command.callback.__globals__, "main", interrupted)
    with pytest.raises(SystemExit) as ending:
        command([])
    assert ending.value.code == 130
    (line,) = capsys.readouterr().err.splitlines()
    assert "The same command resumes" in line


@pytest.mark.backends
@pytest.mark.skipif(keras.backend.backend() != "jax", reason="other backends bring more along")
def test_gpu_paper_run_does_with_few_distributions(tmp_path, fresh_python):
    others = "matplotlib PIL requests filelock lightgbm jinja2 ruamel tensorboardX tensorflow"
    code = f"""
import runpy, sys
sys.modules.update(dict.fromkeys({others.split()!r}))
main = runpy.run_path({str(EXAMPLES / "gpu_paper_run.py")!r})["main"]
main({str(tmp_path / "run")!r}, steps=2, batch_size=4, checkpoint_every=2, track_every=1,
     network="mlp", variants=("subset:500",), image_size=32, evaluation_images=100)
"""
    # Where no data are prepared.
    output, errors = fresh_python("-c", code, KERAS_BACKEND="jax", XDG_CACHE_HOME=str(tmp_path))
    assert "steps/s" in output and "layer 2: MIG" in output
    assert "filelock is not installed" in errors


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="needs TensorFlow")
@pytest.mark.parametrize("format", quick_first(["tf_saved_model", "onnx"], ["onnx"]))
def test_a_served_encoder_is_a_step_of_a_pipeline(format, tiny, tmp_path):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    if format == "onnx":
        pytest.importorskip("onnxruntime")
    model = tiny("vae")
    model.export_encoder(tmp_path / "encoder", format=format)
    names = runpy.run_path(str(EXAMPLES / "serve_encoder.py"))
    images = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 1), dtype=np.uint8)
    classes = np.arange(7) % 2
    with names["make_server"](tmp_path / "encoder") as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            remote = names["RemoteEncoder"](f"http://127.0.0.1:{server.server_port}", batch_size=4)
            np.testing.assert_allclose(remote.transform(images), model.encode(images), atol=1e-5)
            pipeline = make_pipeline(remote, LogisticRegression()).fit(images, classes)
            assert pipeline.predict(images).shape == (7,)
            with pytest.raises(ValueError, match=r"uint8 images of shape \(n, 8, 8, 1\)"):
                remote.transform(images[:, :4])
            with pytest.raises(ValueError, match="float32"):
                remote.transform(images.astype("float32"))
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.browser
def test_screenshots_of_the_report_and_the_explorer(workplace):
    words = "--dataset npz:images.npz --model pca --latent-dim 3 --metrics mig --run tiny"
    with pytest.raises(SystemExit) as ending:
        command_line(["train", *words.split()])
    assert ending.value.code == 0
    load("screenshots.py")("runs/tiny", "pictures")
    files = list(Path("pictures").iterdir())
    assert len(files) == 8
    for file in files:
        with Image.open(file) as picture:
            assert picture.size == ((390, 844) if "telephone" in file.name else (1280, 800))
            corner = picture.convert("L").getpixel((2, 2))
        assert corner > 250 if "light" in file.name else corner < 40


def test_archived_runs_count_as_done_elsewhere(tmp_path, monkeypatch, capsys):
    settings = {"model": "vae", "dataset": "dsprites", "source": "rendered", "image_size": 32}
    made = [{**settings, "seed": seed} for seed in (0, 1)]
    study = Study.from_settings(tmp_path / "here" / "two", made)
    study.write()
    first, second = study.runs
    for name in ("config.json", "metrics.json", "history.csv", "model.keras", "report.html"):
        first.directory.path.mkdir(exist_ok=True)
        (first.directory.path / name).write_text(name)
    monkeypatch.setattr("sys.argv", ["", str(study.folder), str(tmp_path / "two.tar.xz")])
    load("archive_runs.py")()
    assert "1 run(s) in" in capsys.readouterr().out
    with tarfile.open(tmp_path / "two.tar.xz") as archive:
        archive.extractall(tmp_path / "there", filter="data")
    elsewhere = tmp_path / "there" / "two"
    again = Study.from_settings(elsewhere, made)
    again.write()
    assert [run.state() for run in again.runs] == ["done", "waiting"]
    packed = {file.name for file in (elsewhere / first.name).iterdir()}
    assert packed == {"config.json", "metrics.json", "history.csv", "report.html"}
    assert (elsewhere / first.name / "metrics.json").read_text() == "metrics.json"
    assert not (elsewhere / second.name).exists()
