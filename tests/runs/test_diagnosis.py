"""A run's folder is damaged in one way at a time, diagnosed and mended, and trains to its end."""

import errno
import json
import os
import shlex
import shutil
import sys

import numpy as np
import pytest
from thoroughness import quick_first

from keras_devae.callbacks.measuring import MeasuringCallback
from keras_devae.cli import main
from keras_devae.errors import FailureError, UsageError
from keras_devae.runs import RunDirectory, diagnosis
from keras_devae.runs.diagnosis import examine

#: No process has this number.
NOBODY = 2**22 + 1


def call(*words):
    """Runs the command line in this process and returns its exit code."""
    with pytest.raises(SystemExit) as ending:
        main([str(word) for word in words])
    return ending.value.code


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of 12 steps with checkpoints of the steps 9 and 12."""
    folder = tmp_path_factory.mktemp("runs")
    images = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 1), dtype=np.uint8)
    np.savez(folder / "own.npz", images=images)
    words = ["train", "--dataset", f"npz:{folder / 'own.npz'}"]
    words += ["--model", "vae", "--steps", 12, "--checkpoint-every", 3, "--batch-size", 4]
    words += ["--metrics", "kl", "--track", "reconstruction_error", "--track-every", 4]
    assert call(*words, "--evaluation-images", 20, "--runs-dir", folder, "--run", "whole") == 0
    return RunDirectory(folder / "whole")


@pytest.fixture
def run(finished, tmp_path):
    """A copy of it to damage."""
    shutil.copytree(finished.path, tmp_path / "run")
    return RunDirectory(tmp_path / "run")


def states(findings):
    return {finding.what: finding.state for finding in findings}


def unfinish(run):
    """Makes it a run that was killed in step 12."""
    for file in (run.model_file, run.metrics_file, run.checkpoint_file(12)):
        file.unlink()


def cut(file):
    file.write_bytes(file.read_bytes()[:-1000])


def change_a_byte(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_a_whole_run_is_whole(finished):
    findings = examine(finished.path)
    assert set(states(findings).values()) == {"ok"}
    assert {"config.json", "checkpoints", "model.keras", "history.csv", "metrics.json"} <= set(
        states(findings)
    )
    assert "30 images" not in str(findings) and "finished, all 12 steps" in str(findings)


def damage_newest_checkpoint(run):
    unfinish(run)
    change_a_byte(run.checkpoint_file(9))
    shutil.copy(run.checkpoint_file(9), run.checkpoint_file(6))
    cut(run.checkpoint_file(6))


def damage_model(run):
    change_a_byte(run.model_file)
    run.metrics_file.unlink()


def add_leftovers(run):
    unfinish(run)
    unfinished = run.checkpoints / f".step-00000012.keras-devae-{NOBODY}-0123456789abcdef.keras"
    unfinished.mkdir()
    (unfinished / "step-00000012.keras").write_bytes(b"half")
    (unfinished / "tmpabc").write_bytes(b"weights")
    (run.path / f".history.keras-devae-{NOBODY}-0123456789abcdef.csv").write_text("step")
    (run.tracking / f".metrics.keras-devae-{NOBODY}-0123456789abcdef.csv").write_text("step")


def cut_history(run):
    unfinish(run)
    run.history_file.write_text(run.history_file.read_text()[:-20])


def lose_history(run):
    unfinish(run)
    shutil.copy(run.checkpoint_file(9), run.checkpoint_file(6))
    lines = run.history_file.read_text().splitlines(keepends=True)
    run.history_file.write_text("".join(lines[:3]))


def cut_table(run):
    unfinish(run)
    table = run.tracking / "metrics.csv"
    table.write_text(table.read_text()[:-30])


def break_scores(run):
    run.metrics_file.write_text('{"settings": {')


DAMAGES = {
    "checkpoints/step-00000009.keras": damage_newest_checkpoint,
    "model.keras": damage_model,
    "temporary files": add_leftovers,
    "history.csv": cut_history,
    "tracking/metrics.csv": cut_table,
    "metrics.json": break_scores,
}


@pytest.mark.parametrize("what", quick_first(DAMAGES, {"history.csv"}))
def test_damage_is_found_mended_and_trained_again(what, run, finished):
    DAMAGES[what](run)
    before = {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file()}
    assert states(examine(run.path))[what] == "problem"
    assert {file: file.read_bytes() for file in run.path.rglob("*") if file.is_file()} == before

    mended = states(examine(run.path, repair=True))
    assert mended[what] == "repaired"
    assert [name for name, state in mended.items() if state == "problem"] == ["progress"]
    after = states(examine(run.path))
    assert after.get(what, "ok") == "ok"

    assert call("train", "--resume", run.path) == 0
    assert run.history_file.read_bytes() == finished.history_file.read_bytes()
    table = "tracking/metrics.csv"
    assert (run.path / table).read_bytes() == (finished.path / table).read_bytes()
    assert set(states(examine(run.path)).values()) == {"ok"}


def test_history_that_is_lost_before_a_checkpoint(run):
    """Training goes back to the checkpoint that the history reaches, here a copy of another."""
    lose_history(run)
    assert "steps 9" in str(examine(run.path))
    assert states(examine(run.path, repair=True))["history.csv"] == "repaired"
    assert run.checkpoint_steps() == [6]
    assert states(examine(run.path))["history.csv"] == "ok"


def test_what_only_the_user_can_mend(run, finished):
    record = json.loads(run.config_file.read_text())
    record["settings"]["data"]["dataset"] = "npz:/nowhere/own.npz"
    run.config_file.write_text(json.dumps(record))
    scores = json.loads(run.metrics_file.read_text())
    scores["settings"]["model_sha256"] = "0" * 64
    run.metrics_file.write_text(json.dumps(scores))
    run.history_file.write_text(run.history_file.read_text().replace("\n6,", "\n6,nan,", 1))
    for repair in (False, True):
        found = states(examine(run.path, repair=repair))
        assert found["data set"] == found["metrics.json"] == "problem"
    run.config_file.write_text("{")
    assert states(examine(run.path)) == {"config.json": "problem"}


def test_history_that_is_gone(run):
    unfinish(run)
    run.history_file.unlink()
    for repair in (False, True):
        (found,) = [f for f in examine(run.path, repair) if f.what == "history.csv"]
        assert found.state == "problem" and "lacks the rows of steps 3, 6, 9" in found.sentence


def test_a_table_of_zeros_is_no_table(run):
    unfinish(run)
    for file in (run.history_file, run.tracking / "metrics.csv"):
        file.write_bytes(bytes(100))
    found = states(examine(run.path))
    assert found["history.csv"] == found["tracking/metrics.csv"] == "problem"
    callback = MeasuringCallback(3, run.tracking)
    callback.name = "metrics"
    with pytest.raises(FailureError, match=r"metrics\.csv is damaged.* --repair"):
        callback._read()
    with pytest.raises(FailureError, match=r"history\.csv is damaged.* --repair"):
        run.read_history()


def test_a_full_disk_matters_until_the_run_is_finished(run, monkeypatch):
    full = lambda path: shutil._ntuple_diskusage(10**9, 10**9, 0)  # noqa: E731
    monkeypatch.setattr(shutil, "disk_usage", full)
    assert states(examine(run.path))["disk"] == "ok"
    run.metrics_file.unlink()
    assert states(examine(run.path))["disk"] == "problem"


def test_what_cannot_be_read_is_not_taken_for_damaged(run, monkeypatch):
    def refuse(file):
        raise PermissionError(errno.EACCES, "no", str(file))

    monkeypatch.setattr(diagnosis, "archive_damage", refuse)
    for repair in (False, True):
        assert states(examine(run.path, repair))["model.keras"] == "problem"
    assert run.is_trained() and run.checkpoint_steps() == [12, 9]


def test_nothing_is_mended_where_nothing_can_be_claimed(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "filelock", None)
    unfinish(run)
    cut(run.checkpoint_file(9))
    with pytest.raises(UsageError, match="pip install filelock"):
        examine(run.path, repair=True)
    assert run.checkpoint_steps() == [9]


def test_a_run_in_use_is_left_alone(run):
    other = RunDirectory(run.path)
    other.claim()
    unfinish(run)
    (
        run.checkpoints / f".step-00000012.keras-devae-{os.getpid()}-0123456789abcdef.keras"
    ).write_bytes(b"being written")
    findings = examine(run.path)
    assert set(states(findings).values()) == {"ok"}
    assert "9 of 12 steps are saved" in str(findings)
    with pytest.raises(UsageError, match="Another process"):
        examine(run.path, repair=True)


def test_the_command(run, capsys):
    assert call("doctor", run.path) == 0
    assert "ok        history.csv: It has 4 rows.\n" in capsys.readouterr().out
    unfinish(run)
    cut(run.checkpoint_file(9))
    assert call("doctor", run.path, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    damaged = next(f for f in found if f["what"] == "checkpoints/step-00000009.keras")
    assert damaged["state"] == "problem" and "--repair" in damaged["sentence"]
    assert call("doctor", run.path, "--repair") == 1
    assert f"keras-devae train --resume {shlex.quote(str(run.path))}" in capsys.readouterr().out
    assert call("doctor", run.path.parent / "nowhere") == 2
    assert call("doctor", "--repair") == 2


def test_it_needs_no_backend(finished, fresh_python):
    code = (
        "import sys; sys.argv[:1] = ['keras-devae', 'doctor']\n"
        "from keras_devae.cli import main\n"
        "try: main()\n"
        "except SystemExit as ending: assert ending.code == 0\n"
        "assert not {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)\n"
    )
    fresh_python("-c", code, finished.path)
