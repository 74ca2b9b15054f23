"""One process at a time trains a run."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time

import filelock
import pytest

from keras_devae.errors import UsageError
from keras_devae.runs import RunDirectory
from keras_devae.runs.config.run_config import RunConfig

CLAIM = """
import sys, time
from keras_devae.runs import RunDirectory
run = RunDirectory.create(sys.argv[1])
run.config_file.write_text("{}")
print("claimed", flush=True)
time.sleep(600)
"""


def test_a_claimed_run_is_refused(tmp_path):
    run = RunDirectory.create(tmp_path / "run")
    other = RunDirectory(tmp_path / "run")
    assert run.is_claimed() and other.is_claimed()
    with pytest.raises(UsageError, match=r"Another process is training the run .*run\."):
        other.claim()
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="Another process"):
            RunDirectory.create(tmp_path / "run", overwrite)
    run.release()
    assert not run.is_claimed() and not other.is_claimed()
    other.claim()
    # Twice by the same object is once.
    other.claim()
    with pytest.raises(UsageError, match="Another process"):
        run.claim()


def test_somebody_who_only_looks_refuses_nobody(tmp_path):
    run, looking = RunDirectory.create(tmp_path / "run"), threading.Event()
    run.release()

    def look():
        other = RunDirectory(run.path)
        other.claim()
        looking.set()
        time.sleep(0.2)
        other.release()

    thread = threading.Thread(target=look)
    thread.start()
    looking.wait()
    run.claim()
    thread.join()
    run.release()


@pytest.mark.parametrize("error", [NotImplementedError(), OSError(errno.EROFS, "read-only")])
def test_where_nothing_can_be_locked_nobody_has_a_claim(tmp_path, monkeypatch, error):
    run = RunDirectory.create(tmp_path / "run")
    run.release()

    def refuse(self, timeout):
        raise error

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    assert not run.is_claimed()


def test_a_claim_ends_with_its_object(tmp_path):
    run = RunDirectory.create(tmp_path / "run")
    del run
    RunDirectory.create(tmp_path / "run").release()


def test_a_killed_process_leaves_no_claim(tmp_path):
    command = [sys.executable, "-c", CLAIM, str(tmp_path / "run")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "claimed\n"
    run = RunDirectory.open(tmp_path / "run")
    assert run.is_claimed()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not run.is_claimed()
    run.claim()


@pytest.mark.thorough
def test_of_several_that_begin_at_once_one_wins(tmp_path):
    start = time.time() + 1.5
    claim = f"import time; time.sleep(max(0, {start} - time.time()))\n" + CLAIM.replace(
        "time.sleep(600)", "time.sleep(1)"
    )
    command = [sys.executable, "-c", claim, str(tmp_path / "run")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(4)]
    results = [process.communicate() for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 1, 1, 1]
    assert sum(output == "claimed\n" for output, _ in results) == 1
    # A loser finds the claim taken, or, where the winner has ended by then, the run made.
    refusals = ("Another process is training the run", "exists. Choose another name")
    assert sum(any(text in errors for text in refusals) for _, errors in results) == 3


def test_overwriting_empties_the_folder_of_a_run_and_no_other(tmp_path):
    run = RunDirectory.create(tmp_path / "run")
    run.write_record(RunConfig(), {}, {})
    run.checkpoints.mkdir()
    run.checkpoint_file(5).touch()
    run.release()
    with pytest.raises(UsageError, match="exists"):
        RunDirectory.create(tmp_path / "run")
    assert run.checkpoint_steps() == [5]
    again = RunDirectory.create(tmp_path / "run", overwrite=True)
    assert [entry.name for entry in again.path.iterdir()] == [".lock"]


def test_a_run_that_was_killed_before_it_had_a_configuration_is_no_hindrance(tmp_path):
    run = RunDirectory.create(tmp_path / "run")
    run.release()
    (run.path / ".config.keras-devae-4194305-0123456789abcdef.json").write_text("{")
    again = RunDirectory.create(tmp_path / "run")
    assert [entry.name for entry in again.path.iterdir()] == [".lock"]
