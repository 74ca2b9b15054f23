"""Damaged folders of runs: every command says in a sentence what is wrong, of that run alone."""

import os
import random
import shutil
import sys

import numpy as np
import pytest
from damages import NAMES, all_damages
from wrong_use import patience

from keras_devae.cli import main
from keras_devae.errors import FailureError, UsageError
from keras_devae.runs import RunDirectory
from keras_devae.runs.diagnosis import examine

#: The module, whose name in the package is its function's.
main_module = sys.modules["keras_devae.cli.main"]

# Tiny models have dead codes, which metrics warn of.
pytestmark = pytest.mark.filterwarnings("ignore")

#: Commands that read what is in the folder of a run, without a model.
READERS = (
    ("doctor", "RUN"),
    ("runs", "list", "--runs-dir", "RUNS"),
    ("compare", "RUNS"),
    ("doctor", "RUN", "--repair"),
)
#: Those that load its model, or draw.
USERS = (
    ("evaluate", "RUN"),
    ("report", "RUN"),
    ("report", "RUNS"),
    ("plot", "traversal", "RUN"),
    ("plot", "learning-curves", "RUN"),
    ("plot", "information-diffusion", "RUN"),
    ("plot", "kl-diffusion", "RUN"),
    ("plot", "mig-reconstruction", "RUN"),
    ("export", "RUN", "EXPORTED"),
    ("train", "--resume", "RUN"),
    ("doctor", "RUN", "--repair"),
    ("train", "--resume", "RUN"),
)


def call(*words):
    """Runs the command line in this process and returns its exit code."""
    with pytest.raises(SystemExit) as ending:
        main([str(word) for word in words])
    return ending.value.code


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with the finished runs `whole` and `other`."""
    folder = tmp_path_factory.mktemp("runs")
    factors = np.random.default_rng(0).integers(0, 3, (40, 2))
    images = np.zeros((40, 32, 32, 1), np.uint8)
    for image, (row, column) in zip(images, factors, strict=True):
        image[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 255
    np.savez(folder / "own.npz", images=images, factors=factors)
    words = ["train", "--dataset", f"npz:{folder / 'own.npz'}", "--latent-dim", 3]
    words += ["--metrics", "mig,reconstruction_error", "--evaluation-images", 40]
    words += ["--runs-dir", folder / "runs"]
    tracked = ["--track", "information,kl", "--track-every", 4, "--checkpoint-every", 3]
    steps = ["--model", "vae", "--steps", 12, "--batch-size", 4]
    assert call(*words, *steps, *tracked, "--run", "whole") == 0
    assert call(*words, "--model", "pca", "--run", "other") == 0
    return folder / "runs"


@pytest.fixture
def copies(runs, tmp_path):
    """Makes fresh copies of both runs, and returns their folder."""

    def copy():
        shutil.rmtree(tmp_path / "runs", ignore_errors=True)
        return shutil.copytree(runs, tmp_path / "runs")

    return copy


@pytest.fixture
def raw(monkeypatch):
    """List of the errors that reach the edge of the command line and are none of this package."""
    found, sentence = [], main_module._sentence

    def note(error):
        if not isinstance(error, (UsageError, FailureError)):
            found.append(repr(error))
        return sentence(error)

    monkeypatch.setattr(main_module, "_sentence", note)
    return found


def attack(damages, commands, copies, raw, capsys):
    """Damages runs, one at a time, and returns what commands made of that which they should not."""
    wrong = []
    for name, damage in damages.items():
        folder = copies()
        damage(folder / "whole")
        places = {"RUN": folder / "whole", "RUNS": folder, "EXPORTED": folder.parent / "exported"}
        for words in commands:
            with patience(60):
                status = call(*(places.get(word, word) for word in words))
            shown = capsys.readouterr()
            if raw or status not in (0, 1, 2) or "Traceback" in shown.err:
                wrong.append((name, words, status, raw[:], shown.err[-300:]))
                raw.clear()
            if words[0] in ("runs", "compare") and "pca" not in shown.out:
                wrong.append((name, words, "the other run is hidden"))
    return wrong


def test_some_damages(runs, copies, raw, capsys):
    damages = all_damages(runs / "whole")
    chosen = random.Random(0).sample(sorted(damages), 40)
    assert not attack({name: damages[name] for name in chosen}, READERS, copies, raw, capsys)


@pytest.mark.thorough
def test_all_damages(runs, copies, raw, capsys):
    assert not attack(all_damages(runs / "whole"), READERS, copies, raw, capsys)


@pytest.mark.thorough
def test_damaged_runs_in_use(runs, copies, raw, capsys):
    damages = all_damages(runs / "whole")
    chosen = random.Random(1).sample(sorted(damages), 60)
    assert not attack({name: damages[name] for name in chosen}, USERS, copies, raw, capsys)


def problems(run, repair=False):
    return {f.what for f in examine(run, repair) if f.state == "problem"}


@pytest.mark.parametrize("name", NAMES)
def test_strange_checkpoints_are_named_and_left(name, copies):
    run = RunDirectory(copies() / "whole")
    content = run.checkpoint_file(9).read_bytes()
    (run.checkpoints / name).write_bytes(content)
    assert run.checkpoint_steps() == [12, 9]
    for repair in (False, True):
        assert problems(run.path, repair) == {f"checkpoints/{name}"}
    run.remove_old_checkpoints(keep=0)
    assert (run.checkpoints / name).read_bytes() == content and not run.checkpoint_steps()


@pytest.mark.parametrize("name", ["model.keras", "metrics.json", "history.csv", "figures"])
def test_what_stands_in_the_wrong_place_is_kept(name, copies, capsys):
    """A folder in a file's place, and the reverse, are refused, and renamed by --repair."""
    run = RunDirectory(copies() / "whole")
    place = run.path / name
    is_folder = place.is_dir()
    shutil.rmtree(place) if is_folder else place.unlink()
    if is_folder:
        place.write_text("mine")
    else:
        place.mkdir()
        (place / "mine").write_text("mine")
    assert call("train", "--resume", run.path) == 1
    assert "where the run writes" in capsys.readouterr().err
    assert name in problems(run.path)
    # What a table held that is set aside cannot be computed again.
    assert (name in problems(run.path, repair=True)) == (name == "history.csv")
    kept = place.with_name(f"{name}.damaged")
    assert (kept if is_folder else kept / "mine").read_text() == "mine"
    assert not os.path.lexists(place)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"settings": {"steps": "many"}, "data": {}}', "`steps` must be a whole number"),
        (b'{"settings": {}, "data": []}', "`data` must be a table"),
        (b'{"settings": {}}', "lacks `data`"),
        (b'{"settings": {}, "data": {}, "times": {"begun": "now"}}', "`times.begun` must be"),
        (b'{"settings": {}, "data": {"source": 5}}', "`data.source` must be a text"),
        (b"[" * 100_000, "cannot be read"),
        (b"\xff", "cannot be read"),
    ],
)
def test_broken_configuration_is_called_broken(content, said, copies, capsys):
    run = RunDirectory(copies() / "whole")
    run.config_file.write_bytes(content)
    for words in (("doctor", run.path), ("doctor", run.path, "--repair"), ("evaluate", run.path)):
        assert call(*words) == 1
        shown = capsys.readouterr()
        assert said in shown.out + shown.err
    assert run.config_file.read_bytes() == content
