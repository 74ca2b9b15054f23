"""Executes runs in processes on this machine."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping

from keras_devae.backend.choosing import SHARED_MEMORY
from keras_devae.checks import at_least
from keras_devae.process.machine import usable_cores
from keras_devae.studies.engines.base import EndedRun, Engine
from keras_devae.studies.study_run import StudyRun

#: Environment variables that set the number of threads of the libraries.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
#: Set for every worker, whatever plotting backend and terminal encoding its parent has.
_OWN = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "MPLBACKEND": "agg"}
_WORKER = "keras_devae.studies.worker"
#: Time for a worker to finish its step and write a checkpoint before it is killed.
_PATIENCE_SECONDS = 30


def start_worker(
    run: StudyRun,
    threads: int,
    environment: Mapping[str, str] | None = None,
    share_gpu: bool = False,
) -> subprocess.Popen[bytes]:
    """Starts the process that executes a run; it ends when its standard input is closed.

    Its output goes to the run's log. The environment takes precedence over `threads`; with
    `share_gpu`, the process takes only as much GPU memory as it needs.
    """
    limits = {name: str(threads) for name in THREAD_VARIABLES}
    limits |= SHARED_MEMORY if share_gpu else {}
    with run.log_file.open("ab") as log:
        return subprocess.Popen(
            # With -P, a user's files in this folder are not taken for modules.
            [sys.executable, "-P", "-m", _WORKER, str(run.study), run.name],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**limits, **os.environ, **(environment or {}), **_OWN},
            # Ctrl-C in the terminal is for the study, which then ends its workers.
            start_new_session=True,
        )


class ProcessEngine(Engine):
    """Starts a fresh process for each run, `workers` at a time.

    They share the cores evenly, and the first GPU that `CUDA_VISIBLE_DEVICES` allows, if any.
    """

    workers = 1

    def __init__(self, workers: int = 1) -> None:
        self.workers = at_least("workers", workers, 1)
        self._threads = max(usable_cores() // workers, 1)
        self._processes: dict[StudyRun, tuple[subprocess.Popen[bytes], float]] = {}

    @property
    def running(self) -> list[str]:
        """Names of the runs whose processes have not been seen to end."""
        return [run.name for run in self._processes]

    def start(self, run: StudyRun) -> None:
        """Starts the process of a run."""
        process = start_worker(run, self._threads, share_gpu=self.workers > 1)
        self._processes[run] = (process, time.monotonic())

    def take_ended(self) -> list[EndedRun]:
        """Returns the runs whose processes have ended since the last call."""
        statuses = [(run, process.poll()) for run, (process, _) in self._processes.items()]
        ended = [(run, status) for run, status in statuses if status is not None]
        return [EndedRun(run, status, self._forget(run)) for run, status in ended]

    def _forget(self, run: StudyRun) -> float:
        process, began = self._processes.pop(run)
        if process.stdin is not None:
            process.stdin.close()
        return time.monotonic() - began

    def __exit__(self, *error: object) -> None:
        for process, _ in self._processes.values():
            process.terminate()
        for run, (process, _) in list(self._processes.items()):
            try:
                process.wait(_PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            status, seconds = process.returncode, self._forget(run)
            if status < 0:
                run.note_end(status, seconds)
