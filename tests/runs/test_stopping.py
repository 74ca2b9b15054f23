"""Watching a value: best checkpoint, early stopping, held-out images; interrupted and resumed."""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time

import numpy as np
import pytest

import keras_devae as kd
from keras_devae.errors import FailureError, UsageError
from keras_devae.files import read_table
from keras_devae.models.stationarity import stationary_from
from keras_devae.runs.diagnosis import examine
from keras_devae.runs.stopping import Watch, watch_of
from keras_devae.runs.trained_model import load_run_model
from keras_devae.runs.validation import split

SETTINGS = {
    "model": "beta_vae",
    "model_options": {"beta": 1.0},
    "dataset": "dsprites",
    "source": "rendered",
    "image_size": 32,
    "network": "mlp",
    "network_units": (8,),
    "variants": ("subset:200",),
    "steps": 40,
    "learning_rate": 0.01,
    "checkpoint_every": 2,
    "batch_size": 8,
    "metrics": ("kl",),
    "evaluation_images": 50,
}
WATCHED = {"validation_split": 0.2, "save_best": True, "early_stopping": 2}


def config(**changes):
    return kd.runs.RunConfig(**{**SETTINGS, **changes})


def trained(path, **changes):
    with kd.runs.Run.new(config(**changes), path) as run:
        run.train(progress=False)
        return run, run.evaluate()


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("runs") / "a", **WATCHED)


def test_outcome_counts_from_the_start():
    falls = Watch("loss", False, 4, 2, True)
    points = [(2, 0.0), (4, 5.0), (6, 4.0), (8, float("nan")), (10, 4.0)]
    seen = falls.outcome(points)
    assert (seen.best_step, seen.best_value, seen.since) == (6, 4.0, 2)
    assert falls.stops(seen) and not falls.stops(falls.outcome(points[:4]))
    rises = Watch("mig.score", True, 0, None, True)
    assert rises.outcome(points).best_step == 4


def test_split_is_repeatable_and_keeps_sequences():
    images = np.zeros((40, 16, 16, 1), np.uint8)
    data = kd.data.from_arrays(images)
    first, again, other = split(data, 0.25, 0), split(data, 0.25, 0), split(data, 0.25, 1)
    assert len(first) == 30 and len(first.held_out) == 10
    rows = [set(part._rows.tolist()) for part in (first, first.held_out)]
    assert rows[0] | rows[1] == set(range(40)) and not rows[0] & rows[1]
    assert np.array_equal(first._rows, again._rows)
    assert not np.array_equal(first._rows, other._rows)
    data.sequences = np.arange(40) // 5
    kept = split(data, 0.25, 0)
    groups = [set((part._rows // 5).tolist()) for part in (kept, kept.held_out)]
    assert not groups[0] & groups[1] and len(kept.held_out) == 10
    data.sequences = np.zeros(40, int)
    with pytest.raises(UsageError, match="holds out"):
        split(data, 0.25, 0)


@pytest.mark.backends
def test_run_stops_and_keeps_the_best(stopped):
    run, scores = stopped
    history = run.folder.read_history()
    ended = run.folder.read_record()["ended"]
    losses = {int(row["step"]): row["val_loss"] for row in history}
    assert ended["best_step"] == min(losses, key=losses.get)
    assert ended["step"] == ended["best_step"] + 4 < 40 and ended["stopped_early"]
    assert scores["settings"]["model_step"] == ended["model_step"] == ended["best_step"]
    assert len(run.dataset) == 160 and scores["validation"]["settings"]["images"] == 40
    # The model in the folder gives the best loss again.
    model = kd.runs.Run.open(run.folder.path).model
    batches = run.held_out.batches(8, shuffle=False)
    again = model.evaluate(batches, verbose=0, return_dict=True)["loss"]
    assert again == pytest.approx(ended["best_value"], rel=1e-5)
    findings = examine(run.folder.path)
    assert {finding.state for finding in findings if finding.what == "history.csv"} == {"ok"}


@pytest.mark.backends
def test_killed_run_resumes_to_the_same_end(stopped, tmp_path):
    path = tmp_path / "killed"
    script = (
        "import os, signal, keras_devae as kd\n"
        "from keras_devae.runs import recorder\n"
        f"config = kd.runs.RunConfig.from_dict({config(**WATCHED).to_dict()!r})\n"
        "before = recorder.RunRecorder.on_train_batch_end\n"
        "def kill(self, batch, logs=None):\n"
        "    before(self, batch, logs)\n"
        "    if self.step == LAST: os.kill(os.getpid(), signal.SIGKILL)\n"
        "recorder.RunRecorder.on_train_batch_end = kill\n"
        f"with kd.runs.Run.new(config, {str(path)!r}) as run: run.train(progress=False)\n"
    )
    run, _ = stopped
    ended = run.folder.read_record()["ended"]
    # Between the best step and the end, where both its checkpoint and the count matter.
    script = script.replace("LAST", str(ended["step"] - 1))
    done = subprocess.run([sys.executable, "-c", script], env=os.environ, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    with kd.runs.Run.resume(path) as resumed:
        resumed.train(progress=False)
    found = resumed.folder.read_record()["ended"]
    assert (found["step"], found["best_step"]) == (ended["step"], ended["best_step"])
    assert found["best_value"] == pytest.approx(ended["best_value"], rel=1e-4)
    assert len(resumed.folder.read_history()) == len(run.folder.read_history())


def test_end_is_found_again_without_the_model(stopped, tmp_path):
    run, _ = stopped
    path = tmp_path / "copy"
    shutil.copytree(run.folder.path, path)
    ended = run.folder.read_record()["ended"]
    (path / "model.keras").unlink()
    with kd.runs.Run.resume(path) as resumed:
        resumed.train(progress=False)
    assert resumed.folder.read_record()["ended"] == ended


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"monitor": "val_los", "save_best": True}, "val_loss"),
        ({"monitor": "val_loss", "save_best": True}, "held out"),
        ({"monitor": "loss"}, "save_best"),
        ({"monitor": "mig", "save_best": True}, "track"),
        ({"monitor": "val_mig", "save_best": True, "track": ("mig",)}, "held out"),
        ({"monitor": "val_mig", "save_best": True, "validation_split": 0.1}, "track"),
        ({"validation_split": 0.1, "validation_dataset": "npz:x.npz"}, "not both"),
        ({"validation_split": 1.0}, "validation_split"),
    ],
)
def test_refused_before_loading(changes, message):
    with pytest.raises(UsageError, match=message):
        config(**changes)


def test_waits_for_schedules():
    options = {"capacity_steps": 10}
    chosen = config(model="annealed_vae", model_options=options, save_best=True)
    assert watch_of(chosen).starts == 12
    with pytest.raises(UsageError, match="training ends at step 40: train for longer"):
        watch_of(chosen.replace(model_options={"capacity_steps": 40}))
    assert stationary_from({"betas": (3, 2, 1), "stage_steps": 5}, 9) == 10
    assert stationary_from({"stage_steps": 5}, 4) == 15
    schedule = {"class_name": "LinearSchedule", "config": {"steps": 7}}
    assert stationary_from({"beta": schedule}, 4) == 7


def test_watched_score_rises(tmp_path):
    changes = {"track": ("mig",), "track_every": 2, "steps": 4, "monitor": "mig"}
    run, _ = trained(tmp_path / "b", **changes, save_best=True)
    ended = run.folder.read_record()["ended"]
    assert ended["watched"] == "mig.score" and ended["model_step"] in (2, 4)


def test_other_images_validate(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "x.npz", images=rng.integers(0, 255, (9, 32, 32, 1), dtype=np.uint8))
    other = f"npz:{tmp_path / 'x.npz'}"
    run, scores = trained(tmp_path / "c", validation_dataset=other, variants=(), steps=2)
    assert len(run.held_out) == 9 and "val_loss" in run.folder.read_history()[0]
    assert set(scores["validation"]["layers"][0]) == {"layer", "kl.total"}


def test_scores_of_both_are_tracked_and_watched(tmp_path):
    changes = {"track": ("mig", "kl"), "track_every": 4, "steps": 6, "monitor": "val_mig"}
    held_out = {"validation_split": 0.25, "save_best": True}
    run, _ = trained(tmp_path / "f", **changes, **held_out)
    rows = read_table(run.folder.tracking / "metrics.csv")
    assert [row["step"] for row in rows] == [0, 4, 6]
    # A row of the history has the scores measured at its step, and no others.
    history = {row["step"]: row for row in run.folder.read_history()}
    assert list(history) == [2, 4, 6] and np.isnan(history[2]["val_mig.score"])
    for row in rows[1:]:
        for name in ("mig.score", "val_mig.score"):
            assert history[row["step"]][name] == row[name]
    ended = run.folder.read_record()["ended"]
    best = max(rows[1:], key=lambda row: row["val_mig.score"])
    assert ended["watched"] == "val_mig.score" and ended["best_step"] == best["step"]
    # What was tracked at the end is what `evaluate` gives for the images held out.
    last = load_run_model(run.folder.checkpoint_file(6), run.config)
    again = kd.evaluation.evaluate(last, run.held_out, ["mig"], images=50, settings="fast")
    assert rows[-1]["val_mig.score"] == pytest.approx(again["layers"][0]["mig.score"], rel=1e-6)
    page = run.report()
    assert page["tracked-scores"].is_file()


def test_images_held_out_without_factors_are_tracked_as_far_as_they_allow(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "x.npz", images=rng.integers(0, 255, (9, 32, 32, 1), dtype=np.uint8))
    other = {"validation_dataset": f"npz:{tmp_path / 'x.npz'}", "steps": 2, "variants": ()}
    tracked = {"track": ("mig", "active_variables"), "track_every": 2}
    with pytest.raises(UsageError, match="val_mig needs factors"):
        trained(tmp_path / "g", **other, **tracked, monitor="val_mig", save_best=True)
    run, _ = trained(tmp_path / "g", **other, **tracked)
    (row, _) = read_table(run.folder.tracking / "metrics.csv")
    assert {"mig.score", "val_active_variables.count"} <= set(row) and "val_mig.score" not in row


def test_changed_images_held_out_are_noticed(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (9, 32, 32, 1), dtype=np.uint8)
    np.savez(tmp_path / "x.npz", images=images)
    other = f"npz:{tmp_path / 'x.npz'}"
    run, _ = trained(tmp_path / "h", validation_dataset=other, variants=(), steps=2)
    with kd.runs.Run.resume(run.folder.path) as resumed:
        resumed.train(progress=False)
    np.savez(tmp_path / "x.npz", images=255 - images)
    with pytest.raises(FailureError, match="was made with other images held out"):
        kd.runs.Run.resume(run.folder.path)
    with pytest.raises(FailureError, match="was made with other images held out"):
        kd.runs.Run.open(run.folder.path).score_held_out()


@pytest.mark.filterwarnings("ignore::Warning:sqlalchemy", "ignore:.*noload")
def test_mlflow_continues_the_logged_run(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'store.db'}")
    pytest.importorskip("sqlalchemy")
    changes = {"steps": 4, "track": ("mig", "kl"), "track_every": 2, "validation_split": 0.2}
    run, scores = trained(tmp_path / "d", **changes, metrics=("mig",), mlflow=True)
    (run.folder.path / "model.keras").unlink()
    run.folder.checkpoint_file(4).unlink()
    client = mlflow.tracking.MlflowClient()
    where = [client.get_experiment_by_name("keras-devae").experiment_id]
    assert [logged.info.status for logged in client.search_runs(where)] == ["FINISHED"]
    with kd.runs.Run.resume(run.folder.path) as resumed:
        resumed.train(progress=False)
        assert [logged.info.status for logged in client.search_runs(where)] == ["RUNNING"]
    (logged,) = client.search_runs(where)
    row = run.folder.read_history()[-1]
    found = logged.data.metrics
    for name in ("loss", "val_loss", "mig.score", "val_mig.score"):
        assert found[name] == pytest.approx(row[name], rel=1e-4), name
    assert {"kl/total", "kl/z0", "learning_rate"} <= set(found)
    for name, part in (("mig.score", scores), ("val_mig.score", scores["validation"])):
        assert found[f"final/{name}"] == part["layers"][0]["mig.score"]
    steps = [entry.step for entry in client.get_metric_history(logged.info.run_id, "kl/total")]
    assert set(steps) == {0, 2, 4}


def test_wandb_logs_offline(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    changes = {"steps": 4, "track": ("mig",), "track_every": 2, "validation_split": 0.2}
    run, scores = trained(tmp_path / "e", **changes, metrics=("mig",), wandb=True)
    (file,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    # Its own process may still be writing.
    deadline = time.monotonic() + 60
    while 4 not in (logged := logged_by_wandb(file)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for row in run.folder.read_history():
        for name in ("loss", "val_loss", "mig.score", "val_mig.score"):
            assert logged[row["step"]][name] == pytest.approx(row[name])
    assert 0 in logged and "loss" not in logged[0]
    for name, part in (("mig.score", scores), ("val_mig.score", scores["validation"])):
        assert logged[4][f"final/{name}"] == pytest.approx(part["layers"][0]["mig.score"])


def logged_by_wandb(file):
    """Reads what Weights & Biases wrote, a log as LevelDB's: step -> values by name."""
    from wandb.proto import wandb_internal_pb2

    data, place, parts, steps = file.read_bytes(), 7, [], {}
    while place + 7 <= len(data):
        room = 2**15 - place % 2**15
        if room < 7:  # The rest of a block is empty.
            place += room
            continue
        size, kind = struct.unpack_from("<HB", data, place + 4)
        parts.append(data[place + 7 : place + 7 + size])
        place += 7 + size
        if kind in (1, 4):  # The whole of a record, or the end of one.
            record = wandb_internal_pb2.Record()
            record.ParseFromString(b"".join(parts))
            parts = []
            items = {item.key or item.nested_key[0]: item for item in record.history.item}
            values = {name: json.loads(item.value_json) for name, item in items.items()}
            if values:
                steps[values["_step"]] = values
    return steps
