"""Forty runs that meet with every accident, and a study that is stopped by its user."""

import collections
import csv
import os
import signal
import subprocess
import sys
import time

import pytest

from keras_devae.studies import Study

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for processes in /proc"),
]


@pytest.fixture
def start(workplace):
    """Starts `keras-devae study ...` in a process of its own; kills what is left at the end."""
    processes = []

    def start(*words):
        command = [sys.executable, "-m", "keras_devae.cli", "study", *map(str, words)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
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


def test_forty_runs_two_workers_one_killed_one_failing_and_the_study_killed_once(
    study_file, start, workers_of
):
    # What makes one fail shows only while it trains.
    sweep = {"list": [{"product": {"seed": list(range(39))}}, {"seed": 39, "learning_rate": 1e30}]}
    file = study_file(sweep, name="forty")
    study = Study.from_file(file)
    assert len(study.runs) == 40
    first = start("run", file, "--workers", "2")

    # A worker is killed while it trains; held up first, so that it does not end just before.
    def kill_one():
        for name, process in workers_of(study).items():
            os.kill(process, signal.SIGSTOP)
            begun = _run(study, name).directory.checkpoint_steps()
            if begun and not _run(study, name).is_done():
                os.kill(process, signal.SIGKILL)
                return name
            os.kill(process, signal.SIGCONT)
        return None

    wait_until(lambda: study.counts()["done"] >= 3, "three runs done")
    killed = wait_until(kill_one, "a run that trains")
    wait_until(lambda: _run(study, killed).is_done(), "the killed run taken up again")

    # The study itself is killed. Its workers end by themselves.
    wait_until(lambda: study.counts()["done"] >= 12 and len(workers_of(study)) == 2, "two at work")
    orphans = set(workers_of(study))
    first.kill()
    assert first.wait() == -signal.SIGKILL
    wait_until(
        lambda: not workers_of(study) and not study.counts()["running"],
        "the workers of a killed study end",
    )
    assert 12 <= study.counts()["done"] < 39

    second = start("run", file, "--workers", "2")
    out, _ = second.communicate()
    assert second.returncode == 1 and b"39/40 done, 1 failed" in out
    assert study.counts() == {"done": 39, "running": 0, "interrupted": 0, "failed": 1, "waiting": 0}

    failing = study.runs[39]
    assert "became nan" in failing.reason() and [r for r in study.runs if r.reason()] == [failing]
    for run in study.runs:
        ends = [a["status"] for a in run.attempts() if a["event"] == "end"]
        starts = [a for a in run.attempts() if a["event"] == "start"]
        # Each came to its end once, and started more than once only where it was stopped.
        assert collections.Counter(ends)[1 if run is failing else 0] == 1, run.name
        most = 1 + (run.name == killed) + (run.name in orphans)
        assert len(starts) <= most, run.name
        steps = [row["step"] for row in run.directory.read_history()]
        assert steps == ([] if run is failing else [2, 4])
    assert len([a for a in _run(study, killed).attempts() if a["event"] == "start"]) == 2

    # A third time there is nothing to do, and nobody does it.
    attempts = {run.name: run.attempts() for run in study.runs}
    third = start("run", file)
    out, _ = third.communicate()
    assert third.returncode == 1 and b"39/40 done, 1 failed" in out
    assert {run.name: run.attempts() for run in study.runs} == attempts

    assert start("table", file, "--output", "results.csv").wait() == 0
    with open("results.csv", newline="") as table:
        rows = list(csv.DictReader(table))
    states = {row["run"]: (row["state"], row["reason"]) for row in rows}
    assert len(states) == 40 and collections.Counter(s for s, _ in states.values()) == {
        "done": 39,
        "failed": 1,
    }
    assert "became nan" in states[failing.name][1]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopping_a_study_ends_its_workers_and_says_how_to_go_on(
    study_file, start, workers_of, number, status
):
    file = study_file({"product": {"seed": [0, 1, 2]}}, steps=200_000)
    study = Study.from_file(file)
    process = start("run", file, "--workers", "2")
    wait_until(lambda: [r for r in study.runs if r.steps_done()], "a checkpoint")
    process.send_signal(number)
    _, errors = process.communicate()
    assert process.returncode == status
    assert b"Resume it with: keras-devae study run" in errors
    assert not workers_of(study)
    counts = study.counts()
    assert counts["interrupted"] >= 1 and counts["running"] == counts["failed"] == 0


def _run(study, name):
    return next(run for run in study.runs if run.name == name)
