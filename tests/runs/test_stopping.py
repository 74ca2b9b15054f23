"""Watching a value: best checkpoint, early stopping, held-out images; interrupted and resumed."""

import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

import keras_devae as kd
from keras_devae.errors import UsageError
from keras_devae.models.stationarity import stationary_from
from keras_devae.runs.diagnosis import examine
from keras_devae.runs.stopping import Watch, watch_of
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


@pytest.mark.filterwarnings("ignore::Warning:sqlalchemy", "ignore:.*noload")
def test_mlflow_continues_the_logged_run(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'store.db'}")
    pytest.importorskip("sqlalchemy")
    run, _ = trained(tmp_path / "d", steps=4, mlflow=True)
    (run.folder.path / "model.keras").unlink()
    run.folder.checkpoint_file(4).unlink()
    with kd.runs.Run.resume(run.folder.path) as resumed:
        resumed.train(progress=False)
    client = mlflow.tracking.MlflowClient()
    (logged,) = client.search_runs([client.get_experiment_by_name("keras-devae").experiment_id])
    loss = json.loads(json.dumps(run.folder.read_history()))[-1]["loss"]
    assert logged.data.metrics["loss"] == pytest.approx(loss, rel=1e-4)


def test_wandb_logs_offline(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    trained(tmp_path / "e", steps=2, wandb=True)
    assert list(tmp_path.glob("wandb/offline-run-*"))
