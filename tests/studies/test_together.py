"""Runs of a study that are trained together, against the same runs trained alone."""

import csv
import json
import os
import re
import signal
import zipfile

import keras
import numpy as np
import pytest

from keras_devae.backend.interface import active
from keras_devae.models.saving import load_saved
from keras_devae.runs.checkpoints import state_variables
from keras_devae.runs.recorder import RunRecorder
from keras_devae.studies import engines, together, worker
from keras_devae.studies.grouping import Grouping
from keras_devae.studies.scheduler import carry_out_study
from keras_devae.studies.study import Study

pytestmark = [
    pytest.mark.backends,
    pytest.mark.skipif(not active().trains_together, reason="this backend trains runs one by one"),
]
UNITS = {"network_units": [8], "checkpoint_every": 2, "steps": 4}


@pytest.fixture
def studies(study_file):
    """Makes two studies of the same runs, in folders of their own."""

    def make(sweep, **settings):
        made = []
        for name in ("alone", "together"):
            study = Study.from_file(study_file(sweep, name, **{**UNITS, **settings}))
            study.write()
            made.append(study)
        return made

    return make


def carry_out(study, size=None):
    grouping = None if size is None else Grouping(study, size)
    engine = engines.make_engine("inline")
    return carry_out_study(study, engine, lambda progress: None, grouping=grouping)


def rows(run):
    with run.directory.history_file.open(newline="") as file:
        return list(csv.reader(file))


def files_of(run):
    """The files of a run, but for its checkpoints; codes are named after the bits of weights."""
    paths = [each.relative_to(run.directory.path) for each in run.directory.path.rglob("*")]
    names = {re.sub("-[0-9a-f]{12,}", "", str(path)) for path in paths}
    return {name for name in names if not name.startswith("checkpoints/step")}


def configuration(file):
    """The configuration in a saved model, without numbers that depend on what the process made."""

    def without(entries):
        return {name: value for name, value in entries.items() if name != "shared_object_id"}

    text = zipfile.ZipFile(file).read("config.json").decode()
    return json.loads(re.sub(r'_\d+"', '"', text), object_hook=without)


def compare(alone, other, tolerance=1e-5):
    """Checks that the folders of two runs hold the same, to a relative rounding."""
    assert files_of(other) == files_of(alone)
    (head, *values), (other_head, *other_values) = rows(alone), rows(other)
    assert other_head == head and len(other_values) == len(values) > 0
    numbers = np.array(other_values, float)
    np.testing.assert_allclose(numbers, np.array(values, float), tolerance, tolerance)
    files = [run.directory.model_file for run in (alone, other)]
    assert configuration(files[1]) == configuration(files[0])
    models = [load_saved(file) for file in files]
    for first, second in zip(*map(state_variables, models), strict=True):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(second).astype(float),
            keras.ops.convert_to_numpy(first).astype(float),
            tolerance,
            tolerance,
        )
    settings = [run.directory.read_config().to_dict() for run in (alone, other)]
    assert settings[0] == settings[1]
    scores = [
        json.loads(run.directory.metrics_file.read_text())["layers"] for run in (alone, other)
    ]
    for first, second in zip(*scores, strict=True):
        assert second == {name: pytest.approx(value, 1e-4, 1e-4) for name, value in first.items()}


def check(studies, sweep, mapping=None, monkeypatch=None, tolerance=1e-5, **settings):
    """Carries the runs out alone and together, and compares them."""
    alone, other = studies(sweep, **settings)
    carry_out(alone)
    if mapping:
        monkeypatch.setattr(type(active()), "mapping", lambda self: mapping)
    assert carry_out(other, 16).done == len(other.runs)
    for first, second in zip(alone.runs, other.runs, strict=True):
        assert "Trained together" in second.log_file.read_text()
        compare(first, second, tolerance)
    return other


def test_seeds_and_betas_train_together_as_alone(studies, monkeypatch):
    sweep = {"list": [{"seed": 0}, {"seed": 1}, {"seed": 0, "learning_rate": 0.01, "beta": 4.0}]}
    counted = []
    original = type(active()).join_steps

    def join(self, models, batches):
        joined = original(self, models, batches)
        counted.append([positions for positions, _ in joined])
        return joined

    monkeypatch.setattr(type(active()), "join_steps", join)
    study = check(studies, sweep, "vmap", monkeypatch, model="beta_vae")
    assert counted == [[[0, 1, 2]]]
    # The time is divided among them.
    assert all(run.seconds() > 0 for run in study.runs)


@pytest.mark.thorough
@pytest.mark.parametrize("mapping", ["vmap", "map", "in turn"])
@pytest.mark.parametrize("model", ["devae", "beta_tc_vae", "factor_vae"])
def test_four_seeds(studies, monkeypatch, model, mapping):
    small = {"discriminator_units": [16, 16]} if model == "factor_vae" else {}
    sweep = {"product": {"seed": [0, 1, 2, 3]}}
    check(studies, sweep, mapping, monkeypatch, model=model, **small)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate_schedule": "cosine", "warmup_steps": 2},
        {"learning_rate_schedule": "plateau", "plateau_patience": 1, "warmup_steps": 1},
        {"ema_momentum": 0.9},
        {"mixed_precision": "float16"},
        {"mixed_precision": "float16", "learning_rate_schedule": "cosine", "clipnorm": 1.0},
        {"resident": True},
        {"resident": True, "validation_split": 0.2},
        {"steps_per_execution": 2},
        {"track": ["kl", "speed"], "track_every": 1},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:.*the posterior has collapsed")
def test_settings(studies, monkeypatch, settings):
    sweep = {"zip": {"seed": [0, 1], "learning_rate": [1e-3, 1e-2]}}
    tolerance = 1e-2 if "mixed_precision" in settings else 1e-5
    settings = {"steps": 6, **settings}
    check(studies, sweep, "vmap", monkeypatch, tolerance, model="beta_vae", **settings)


@pytest.mark.thorough
def test_runs_that_stop_early_leave_the_others(studies, monkeypatch):
    # The rate that is too high lets the loss rise.
    sweep = {"zip": {"seed": [0, 1, 2], "learning_rate": [1e-3, 0.9, 1e-3]}}
    wanted = {"early_stopping": 1, "save_best": True, "validation_split": 0.25, "steps": 10}
    study = check(studies, sweep, "vmap", monkeypatch, model="vae", **wanted)
    last = [int(rows(run)[-1][0]) for run in study.runs]
    assert last[0] == 10 > last[1], last


def test_one_that_fails_leaves_the_others_as_they_are(studies):
    sweep = {"zip": {"seed": [0, 1], "learning_rate": [1e-3, 1e30]}}
    alone, other = studies(sweep)
    carry_out(alone)
    progress = carry_out(other, 16)
    assert (progress.done, progress.failed) == (1, 1)
    compare(alone.runs[0], other.runs[0])
    reason = alone.runs[1].reason()
    assert "became" in reason and other.runs[1].reason() == reason.replace("/alone/", "/together/")


def interrupted(monkeypatch, study, step):
    """Interrupts all runs of a study, which are trained together, after a step."""
    count = RunRecorder.on_train_batch_end

    def stop(self, batch, logs=None):
        count(self, batch, logs)
        if self.step == step and self.run.name == study.runs[0].name:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(RunRecorder, "on_train_batch_end", stop)
        return together.work_together(study.runs)


@pytest.mark.thorough
def test_an_interruption_keeps_the_last_step_of_all(studies, monkeypatch):
    alone, other = studies({"product": {"seed": [0, 1, 2]}}, steps=6, checkpoint_every=3)
    carry_out(alone)
    assert interrupted(monkeypatch, other, 5) == 130
    assert [run.steps_done() for run in other.runs] == [5, 5, 5]
    assert [run.state() for run in other.runs] == ["interrupted"] * 3
    assert carry_out(other, 16).done == 3
    for first, second in zip(alone.runs, other.runs, strict=True):
        compare(first, second)


@pytest.mark.thorough
def test_a_run_that_is_behind_catches_up_and_one_within_an_epoch_ends_alone(studies, monkeypatch):
    alone, other = studies({"product": {"seed": [0, 1, 2, 3]}}, steps=8)
    carry_out(alone)
    count = RunRecorder.on_train_batch_end
    stops = dict(zip([run.name for run in other.runs], [None, 4, 3, 8], strict=True))

    def stop(self, batch, logs=None):
        count(self, batch, logs)
        if self.step == stops[self.run.name]:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunRecorder, "on_train_batch_end", stop)
        for run in other.runs[1:]:
            keras.utils.clear_session()
            assert worker.work(run) == 130
    begun = [run.steps_done() for run in other.runs]
    assert begun[0] == 0 and begun[2] == 3
    assert carry_out(other, 16).done == 4
    for first, second in zip(alone.runs, other.runs, strict=True):
        compare(first, second)


def test_what_is_done_or_held_by_others_is_left_alone(studies, finish_run, monkeypatch):
    _, study = studies({"product": {"seed": [0, 1, 2]}})
    finish_run(study, study.runs[0])
    monkeypatch.setattr(worker, "LOCK_SECONDS", 0)
    lock = study.runs[1].lock()
    lock.acquire()
    assert together.work_together(study.runs) == worker.BUSY
    lock.release()
    assert [run.state() for run in study.runs] == ["done", "waiting", "done"]
    assert study.runs[0].attempts() == []
