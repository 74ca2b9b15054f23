"""Runs trained together in processes of their own, which are killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_together import carry_out, compare

from keras_devae.backend.interface import active
from keras_devae.studies.study import Study

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.backends,
    pytest.mark.skipif(not active().trains_together, reason="this backend trains runs one by one"),
    pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for processes in /proc"),
]


@pytest.fixture
def start(workplace):
    """Starts `keras-devae study run FILE --together` in a process of its own."""
    processes = []

    def start(file):
        command = [sys.executable, "-m", "keras_devae.cli", "--backend", "jax"]
        words = ["study", "run", str(file), "--together"]
        process = subprocess.Popen(command + words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def wait_until(condition, what):
    """Waits for something that other processes do, as long as a slow machine may take."""
    end = time.monotonic() + 300
    while not (result := condition()):
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(0.05)
    return result


def worker_of(study):
    """The number of the process that carries the runs of a study out, if there is one."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if "keras_devae.studies.worker" in words and study.runs[-1].name in words:
            return int(entry.name)
    return None


def test_killed_in_the_middle_and_resumed_all_runs_are_as_if_alone(study_file, start):
    sweep = {"product": {"seed": [0, 1, 2, 3]}}
    settings = {"network_units": [8], "model": "beta_tc_vae", "steps": 40, "checkpoint_every": 4}
    alone = Study.from_file(study_file(sweep, "alone", **settings))
    alone.write()
    carry_out(alone)
    file = study_file(sweep, "together", **settings)
    study = Study.from_file(file)

    def reached(step):
        return all(run.steps_done() >= step for run in study.runs)

    # First the process of the runs is killed, which the study starts again; then the study is.
    first = start(file)
    wait_until(lambda: reached(8), "checkpoints")
    os.kill(wait_until(lambda: worker_of(study), "a worker"), signal.SIGKILL)
    wait_until(lambda: all(len(starts_of(run)) == 2 for run in study.runs), "a second start")
    wait_until(lambda: reached(16), "more checkpoints")
    first.kill()
    wait_until(lambda: worker_of(study) is None, "the end of the worker")
    assert not any(run.is_done() for run in study.runs)

    second = start(file)
    out, errors = second.communicate()
    assert second.returncode == 0, errors
    assert b"Together 4 runs in 1 group" in out and b"4/4 done" in out
    for run, other in zip(alone.runs, study.runs, strict=True):
        compare(run, other)
        begun = starts_of(other)
        assert len(begun) == 3 and begun[0] == 0 < begun[1] < begun[2]


def starts_of(run):
    """The steps at which a run was begun or resumed."""
    return [attempt["step"] for attempt in run.attempts() if attempt["event"] == "start"]
