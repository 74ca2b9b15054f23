"""The process of a run: what it notes, and when it ends."""

import signal
import subprocess
import sys

import pytest

from keras_devae.errors import FailureError, UsageError
from keras_devae.process.interruption import INTERRUPTED
from keras_devae.runs import RunDirectory
from keras_devae.runs.recorder import RunRecorder
from keras_devae.studies import worker
from keras_devae.studies.engines.processes import ProcessEngine, start_worker


@pytest.fixture
def run(make_study):
    """A run of a study."""
    return make_study({}).runs[0]


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (FailureError("It is damaged."), 1, "It is damaged."),
        (UsageError("That is no number."), 2, "That is no number."),
        (ZeroDivisionError("by\nzero"), 1, "ZeroDivisionError: by zero"),
        (MemoryError("64 GiB"), 1, "MemoryError: 64 GiB"),
    ],
)
def test_a_failure_is_noted_with_its_reason(run, monkeypatch, error, status, reason):
    def fail(run):
        raise error

    monkeypatch.setattr(worker, "carry_out", fail)
    run.log_file.write_text("\n".join(str(i) for i in range(30)))
    assert worker.work(run) == status
    failure = run.failure()
    assert (failure["reason"], failure["status"]) == (reason, status)
    assert failure["log"] == [str(i) for i in range(10, 30)] and failure["time"]
    assert run.state() == "failed" and run.reason() == reason
    assert [attempt["event"] for attempt in run.attempts()] == ["start", "end"]
    # At the next attempt the failure is forgotten.
    monkeypatch.setattr(worker, "carry_out", lambda run: None)
    assert worker.work(run) == 0 and run.reason() is None
    assert [attempt.get("status") for attempt in run.attempts()] == [None, status, None, 0]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_is_no_failure(run, monkeypatch, number, status):
    monkeypatch.setattr(worker, "carry_out", lambda run: signal.raise_signal(number))
    assert worker.work(run) == status
    assert run.failure() is None and run.state() == "waiting"


def test_no_two_processes_work_on_a_run(run, monkeypatch):
    monkeypatch.setattr(worker, "LOCK_SECONDS", 0)
    states = []

    def carry_out(run):
        states.append(run.state())
        states.append(worker.work(run))

    monkeypatch.setattr(worker, "carry_out", carry_out)
    assert worker.work(run) == 0
    assert states == ["running", worker.BUSY]
    assert not run.is_held()


def test_a_run_that_is_trained_by_hand_is_left_alone(run, monkeypatch):
    monkeypatch.delattr(worker, "carry_out")
    by_hand = RunDirectory.create(run.directory.path)
    assert run.state() == "running" and worker.work(run) == worker.BUSY
    by_hand.release()
    assert run.state() == "waiting"


def test_a_run_that_somebody_begins_by_hand_just_then_has_not_failed(run, monkeypatch):
    by_hand = RunDirectory.create(run.directory.path)
    monkeypatch.setattr(RunDirectory, "is_claimed", lambda self: False)
    monkeypatch.setattr(worker, "carry_out", lambda run: run.directory.claim())
    assert worker.work(run) == worker.BUSY and run.failure() is None
    by_hand.release()


@pytest.mark.backends
def test_an_interrupted_run_goes_on_from_its_checkpoint(run, monkeypatch):
    count = RunRecorder.on_train_batch_end

    def stop_at_the_third(self, batch, logs=None):
        count(self, batch, logs)
        if self.step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunRecorder, "on_train_batch_end", stop_at_the_third)
        assert worker.work(run) == 130
    assert run.state() == "interrupted" and run.steps_done() == 3
    assert worker.work(run) == 0 and run.state() == "done"
    attempts = [(attempt["event"], attempt.get("step")) for attempt in run.attempts()]
    assert attempts == [("start", 0), ("end", None), ("start", 3), ("end", None)]
    assert [row["step"] for row in run.directory.read_history()] == [2, 4]


def test_what_is_done_is_not_done_again(make_study, finish_run, monkeypatch):
    study = make_study({})
    finish_run(study, study.runs[0])
    monkeypatch.delattr(worker, "carry_out")
    assert worker.work(study.runs[0]) == 0 and study.runs[0].attempts() == []


def test_it_ends_when_the_one_that_started_it_is_gone(workplace):
    code = """
import time
from keras_devae.studies.worker import watch_starter
watch_starter()
print("begun", flush=True)
time.sleep(600)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "begun\n"
    process.stdin.close()
    assert process.wait(600) == INTERRUPTED
    process.stdout.close()


@pytest.fixture
def recorded_environment(make_study, monkeypatch):
    """Returns the environment that a worker is started with."""
    run = make_study({}).runs[0]

    def environment(threads, share_gpu=False, **more):
        seen = {}
        monkeypatch.setattr(subprocess, "Popen", lambda command, **options: seen.update(options))
        start_worker(run, threads, more, share_gpu)
        return seen["env"]

    return environment


def test_workers_share_the_cores_unless_the_user_says_otherwise(recorded_environment, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "7")
    environment = recorded_environment(3, KERAS_BACKEND="jax")
    assert environment["OMP_NUM_THREADS"] == "3" and environment["TF_NUM_INTRAOP_THREADS"] == "7"
    assert environment["KERAS_BACKEND"] == "jax"


def test_workers_on_one_gpu_share_its_memory(recorded_environment, monkeypatch):
    names = ("TF_FORCE_GPU_ALLOW_GROWTH", "XLA_PYTHON_CLIENT_PREALLOCATE")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    assert not set(names) & set(recorded_environment(1))
    assert [recorded_environment(1, share_gpu=True)[name] for name in names] == ["true", "false"]


def test_the_number_of_workers_is_checked():
    with pytest.raises(UsageError, match="`workers` must be a whole number of at least 1"):
        ProcessEngine(0)
