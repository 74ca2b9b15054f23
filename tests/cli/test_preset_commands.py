"""Presets on the command line, and in place of runs."""

import importlib.util
import json
import shutil

import numpy as np
import pytest
from running import run

from keras_devae.explorer import Session
from keras_devae.files import file_hash
from keras_devae.presets import find_preset
from keras_devae.runs import Run, RunConfig


def files_in(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(autouse=True)
def untouched(made):
    """Fails if a test has changed a file of the preset."""
    before = files_in(made)
    yield
    assert files_in(made) == before


def test_the_list(shipped, capsys):
    assert run("presets") == 0
    printed = capsys.readouterr().out
    assert "stand_in" in printed and "dsprites, rendered" in printed and "32x32x1" in printed
    assert "quick  a few minutes" in printed
    assert run("presets", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == ["stand_in", "quick", "small", "paper"]
    entry = told["stand_in"]
    assert (entry["model"], entry["dataset"], entry["steps"]) == ("devae", "dsprites", 30)
    assert entry["bytes"] == sum(map(len, files_in(find_preset("stand_in").path).values()))
    assert len(entry["scores"]) == 3 and "mig.score" in entry["scores"][0]


def test_one_preset(shipped, made, capsys):
    assert run("presets", shipped) == 0
    card = capsys.readouterr().out
    assert card.startswith("# stand_in\n") and "## Limits" in card
    for words in (("presets", made, "--json"), ("presets", "--json", made)):
        assert run(*words) == 0
        assert json.loads(capsys.readouterr().out)["sha256"].keys() >= {"run.json", "config.json"}
    assert run("presets", "quick", "--json") == 0
    assert json.loads(capsys.readouterr().out)["settings"]["steps"] == 4500
    assert run("presets", "stand_on") == 2
    assert "Did you mean 'stand_in'?" in capsys.readouterr().err
    assert run("presets", "--model", "devae", "stand_in") == 2


@pytest.mark.thorough
def test_lists_and_cards_import_no_keras(made, fresh_python):
    code = """
import pathlib, sys
from keras_devae.presets import builtin
builtin.FILES = pathlib.Path(sys.argv[1])
from keras_devae.cli import main
for words in (["presets"], ["presets", "stand_in"], ["presets", "stand_in", "--json"]):
    try:
        main(words)
    except SystemExit as ending:
        assert ending.code == 0
assert not {"keras", "pydantic", "h5py", "matplotlib"} & {*sys.modules}, sys.modules
"""
    fresh_python("-c", code, made.parent)


def test_scores_are_those_on_the_card(shipped, made, tmp_path, capsys):
    assert run("evaluate", shipped, "--json", "--output", tmp_path / "scores.json") == 0
    told = json.loads(capsys.readouterr().out)
    kept = json.loads((made / "scores.json").read_text())
    assert json.loads((tmp_path / "scores.json").read_text()) == told
    for layer, expected in zip(told["layers"], kept["layers"], strict=True):
        assert layer == pytest.approx(expected, abs=1e-6)
    assert run("evaluate", shipped, "--dataset", "dsprites", "--source", "rendered") == 0
    assert run("evaluate", shipped, "--seed", "1", "--images", "50", "--layer", "1") == 0


def test_figures_need_a_file(shipped, tmp_path, capsys):
    assert run("plot", "traversal", shipped) == 2
    assert "stand_in is a preset, whose folder stays as it is. Name the file to write " in (
        capsys.readouterr().err
    )
    for kind in ("traversal", "kl", "learning-curves"):
        file = tmp_path / f"{kind}.png"
        assert run("plot", kind, shipped, "--out", file) == 0 and file.is_file()
    assert run("plot", "kl-diffusion", shipped, "--out", tmp_path / "diffusion.png") == 2


def test_commands_that_take_runs_alone(shipped, made, capsys):
    for words in (
        ("report", shipped),
        ("report", made),
        ("doctor", shipped),
        ("doctor", made),
        ("train", "--resume", shipped),
        ("annealing-test", "--resume", made),
        ("presets", "create", shipped, "--output", "again"),
    ):
        assert run(*words) == 2, words
        error = capsys.readouterr().err
        assert "stand_in" in error and "preset" in error and error.count("\n") == 1, error


def test_comparison_with_a_run(shipped, begun, capsys):
    assert run("compare", shipped, begun, "--json") == 0
    (group,) = json.loads(capsys.readouterr().out)["groups"]
    assert group["runs"] == [shipped, "tiny"]
    assert run("report", begun, shipped, "--output", "page.html") == 0


@pytest.mark.thorough
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="exports")
def test_export(shipped, capsys):
    assert run("export", shipped, "exported", "--json") == 0
    assert json.loads(capsys.readouterr().out)["folder"] == "exported"


def test_lists_of_runs_leave_presets_out(begun, made, tmp_path, capsys):
    shutil.copytree(begun, tmp_path / "runs" / "tiny")
    shutil.copytree(made, tmp_path / "runs" / "mine")
    assert run("runs", "list", "--runs-dir", tmp_path / "runs", "--json") == 0
    assert [row["run"] for row in json.loads(capsys.readouterr().out)] == ["tiny"]


@pytest.mark.parametrize("place", [".", "runs"])
def test_a_run_of_the_same_name_wins(shipped, begun, place, capsys, caplog):
    shutil.copytree(begun, f"{place}/{shipped}")
    assert run("evaluate", shipped, "--json") == 0
    where = f"runs/{shipped}" if place == "runs" else shipped
    assert f"stand_in is taken to be the folder {where}, not the preset." in caplog.text
    file = json.loads(capsys.readouterr().out)["settings"]["model_sha256"]
    assert file == file_hash(f"{where}/model.keras")


def test_training_begins_with_its_weights(shipped, made, capsys):
    from keras_devae.models import DeVAE

    source = DeVAE.from_preset(shipped)
    settings = json.loads((made / "run.json").read_text())["settings"]
    config = RunConfig.from_nested(settings).replace(init_from=shipped, steps=2, checkpoint_every=2)
    with Run.new(config, "new") as new:
        kernel, expected = (m.encoder.get_layer("z_mean").kernel for m in (new.model, source))
        np.testing.assert_array_equal(np.array(kernel), np.array(expected))
        new.train(progress=False)
    record = new.folder.read_record()
    assert record["settings"]["training"]["init_from"] == shipped
    assert (
        record["init_from"]["sha256"]
        == json.loads((made / "metadata.json").read_text())["sha256"]["model.weights.h5"]
    )
    options = ("--dataset", "dsprites", "--image-size", "32", "--steps", "1")
    assert run("train", *options, "--init-from", "stand_on") == 2
    assert "or a preset. Received: stand_on" in capsys.readouterr().err


def test_in_python(shipped):
    opened = Run.open(shipped)
    assert opened.config.training.steps == 30 and len(opened.dataset) == 300
    assert opened.folder.name == shipped and opened.scores["layers"]
    assert Session(opened.model, opened.dataset, 20).decode(0, 0, [1.0]).shape == (32, 32, 3)
    for use in (opened.evaluate, opened.report):
        with pytest.raises(ValueError, match="stays as it is"):
            use()


def test_a_name_that_is_nearly_one(shipped, capsys):
    assert run("evaluate", "stand_on") == 2
    assert "no preset of that name. Did you mean 'stand_in'?" in capsys.readouterr().err


def test_without_a_run_there_is_no_data(tiny, tmp_path, capsys):
    tiny("devae").save_to_preset(tmp_path / "model")
    assert run("evaluate", tmp_path / "model") == 2
    assert "was not made from a run" in capsys.readouterr().err


def test_making_one(begun, tmp_path, capsys):
    words = ("presets", "create", begun, "--output", tmp_path / "made", "--license", "apache-2.0")
    assert run(*words, "--name", "mine", "--weights-dtype", "float32") == 0
    assert find_preset(tmp_path / "made").name == "mine"
    card = (tmp_path / "made" / "README.md").read_text()
    assert "license: apache-2.0\n---\n\n# mine\n" in card
    capsys.readouterr()
    assert run(*words) == 2
    assert "made exists" in capsys.readouterr().err
    assert run("presets", "create", begun, "--output", tmp_path / "b", "--name", "a/b") == 2


def test_an_unfinished_run_makes_none(begun, tmp_path, capsys):
    shutil.copytree(begun, tmp_path / "run")
    (tmp_path / "run" / "model.keras").unlink()
    assert run("presets", "create", tmp_path / "run", "--output", tmp_path / "made") == 2
    assert "is not trained to its end" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()
