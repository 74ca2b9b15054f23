"""`keras-devae report`."""

import json

import numpy as np
import pytest
from running import run

from keras_devae.runs import RunDirectory
from keras_devae.studies import Study

WORDS = [
    *("--model", "vae", "--network", "mlp"),
    *("--latent-dim", "2", "--steps", "4", "--checkpoint-every", "2", "--batch-size", "16"),
    *("--evaluation-images", "32", "--metrics", "kl"),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory, blobs):
    """The folder of a short run, `runs/one`, and of its images."""
    folder = tmp_path_factory.mktemp("place")
    factors = np.random.default_rng(0).integers(0, 3, (64, 2))
    np.savez(folder / "images.npz", images=blobs(64, (16, 16, 1)), factors=factors)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # With the whole path, the data set is called the same in every report.
        words = ["--dataset", f"npz:{folder}/images.npz", *WORDS]
        assert run("train", *words, "--run", "one") == 0
    return folder


@pytest.fixture
def place(trained, monkeypatch):
    """Works in that folder."""
    monkeypatch.chdir(trained)
    return trained


@pytest.mark.backends
def test_the_report_of_training_is_made_anew(place, capsys):
    directory = RunDirectory("runs/one")
    before = directory.report_file.read_text()
    directory.report_file.write_text("something else")
    (directory.figures / "traversal.png").unlink()
    assert run("report", "runs/one") == 0
    assert capsys.readouterr().out.strip() == "runs/one/report.html"
    assert directory.report_file.read_text() == before
    assert (directory.figures / "traversal.png").is_file()


def test_another_file(place, tmp_path):
    before = (place / "runs/one/report.html").read_bytes()
    assert run("report", "runs/one", "--output", tmp_path / "page.html") == 0
    assert (tmp_path / "page.html").read_bytes() == before


def copy_of(place, name, seed):
    """A second run with what a page of several is made from."""
    source, copy = place / "runs/one", place / "runs" / name
    copy.mkdir(exist_ok=True)
    config = json.loads((source / "config.json").read_text())
    config["settings"]["training"]["seed"] = seed
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "metrics.json").write_bytes((source / "metrics.json").read_bytes())


def test_several_runs_are_compared(place, capsys, tmp_path, monkeypatch):
    copy_of(place, "two", 1)
    assert run("report", "runs/one", "runs/two", "--output", tmp_path / "page.html") == 0
    assert "2 runs in 1 group." in (tmp_path / "page.html").read_text()
    # Without a file's name it is beside them.
    assert run("report", "runs") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "runs/comparison.html"
    (place / "runs/comparison.html").unlink()
    monkeypatch.chdir(place / "runs/one")
    assert run("report", ".", "../two") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "../comparison.html"
    assert 'href="one/report.html"' in (place / "runs/comparison.html").read_text()


def test_a_study_stands_for_its_runs(place, capsys):
    study = f'name = "both"\n[settings]\ndataset = "npz:{place}/images.npz"\nmodel = "vae"\n'
    (place / "study.toml").write_text(f"{study}[sweep.product]\nseed = [0, 1]\n")
    study = Study.from_file("study.toml")
    study.write()
    for each in study.runs:
        copy_of(place, f"both/{each.name}", study.plan[each.name][1].training.seed)
    assert run("report", "runs/both") == 0
    assert capsys.readouterr().out.strip() == "runs/both/comparison.html"
    assert "2 runs in 1 group." in (place / "runs/both/comparison.html").read_text()


def test_wrong_use(place, capsys):
    assert run("report") == 2
    assert run("report", "nowhere") == 2
    assert "There is no run in nowhere" in capsys.readouterr().err
    assert run("report", "runs/one", "--output", place / "images.npz" / "page.html") == 2
    assert "Cannot write" in capsys.readouterr().err


def test_images_that_are_gone(place, capsys):
    (place / "images.npz").rename(place / "elsewhere.npz")
    try:
        assert run("report", "runs/one") in (1, 2)
    finally:
        (place / "elsewhere.npz").rename(place / "images.npz")
    (sentence,) = (line for line in capsys.readouterr().err.splitlines() if "Error" in line)
    assert "images.npz" in sentence
