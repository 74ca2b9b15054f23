"""Executes runs in processes on this machine."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from keras_devae.backend.choosing import SHARED_MEMORY
from keras_devae.checks import at_least
from keras_devae.process.machine import usable_cores
from keras_devae.studies.engines.base import EndedRun, Engine, status_of
from keras_devae.studies.study_run import StudyRun

#: Environment variables that set the number of threads of the libraries.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
#: Set for every worker, whatever plotting backend and terminal encoding its parent has.
_OWN = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "MPLBACKEND": "agg"}
_WORKER = "keras_devae.studies.worker"
#: Time per run for a worker to finish its step and write a checkpoint before it is killed.
_PATIENCE_SECONDS = 30


def start_worker(
    run: StudyRun,
    threads: int,
    environment: Mapping[str, str] | None = None,
    share_gpu: bool = False,
    others: Iterable[StudyRun] = (),
) -> subprocess.Popen[bytes]:
    """Starts the process that executes a run; it ends when its standard input is closed.

    It trains the run together with `others`, if any. Its output goes to the run's log. The
    environment takes precedence over `threads`; with `share_gpu`, the process takes only as much
    GPU memory as it needs.
    """
    limits = {name: str(threads) for name in THREAD_VARIABLES}
    limits |= SHARED_MEMORY if share_gpu else {}
    runs = [run, *others]
    with run.log_file.open("ab") as log:
        return subprocess.Popen(
            # With -P, a user's files in this folder are not taken for modules.
            [sys.executable, "-P", "-m", _WORKER, str(run.study), *(each.name for each in runs)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**limits, **os.environ, **(environment or {}), **_OWN},
            # Ctrl-C in the terminal is for the study, which then ends its workers.
            start_new_session=True,
        )


class _Process(NamedTuple):
    """A process and the runs that it executes."""

    popen: subprocess.Popen[bytes]
    began: float
    runs: tuple[StudyRun, ...]

    def ended(self, status: int) -> list[EndedRun]:
        """Returns how each run ended when the process did."""
        if self.popen.stdin is not None:
            self.popen.stdin.close()
        seconds = (time.monotonic() - self.began) / len(self.runs)
        if len(self.runs) == 1:
            return [EndedRun(self.runs[0], status, seconds)]
        return [EndedRun(run, status_of(run, status), seconds) for run in self.runs]


class ProcessEngine(Engine):
    """Starts a fresh process for each run, or group of runs, `workers` at a time.

    They share the cores evenly, and the first GPU that `CUDA_VISIBLE_DEVICES` allows, if any.
    """

    workers = 1

    def __init__(self, workers: int = 1) -> None:
        self.workers = at_least("workers", workers, 1)
        self._threads = max(usable_cores() // workers, 1)
        self._processes: list[_Process] = []

    @property
    def running(self) -> list[str]:
        """Names of the runs whose processes have not been seen to end."""
        return [run.name for process in self._processes for run in process.runs]

    def has_room(self) -> bool:
        """Returns whether it can start another process."""
        return len(self._processes) < self.workers

    def start(self, run: StudyRun) -> None:
        """Starts the process of a run."""
        self.start_together([run])

    def start_together(self, runs: Sequence[StudyRun]) -> None:
        """Starts the process of runs that are trained together."""
        run, *others = runs
        process = start_worker(run, self._threads, share_gpu=self.workers > 1, others=others)
        self._processes.append(_Process(process, time.monotonic(), tuple(runs)))

    def take_ended(self) -> list[EndedRun]:
        """Returns the runs whose processes have ended since the last call."""
        polled = [(process, process.popen.poll()) for process in self._processes]
        self._processes = [process for process, status in polled if status is None]
        return [
            run for process, status in polled if status is not None for run in process.ended(status)
        ]

    def __exit__(self, *error: object) -> None:
        for process in self._processes:
            process.popen.terminate()
        for process in self._processes:
            try:
                process.popen.wait(_PATIENCE_SECONDS * len(process.runs))
            except subprocess.TimeoutExpired:
                process.popen.kill()
                process.popen.wait()
            for run, status, seconds in process.ended(process.popen.returncode):
                if status is not None and status < 0:
                    run.note_end(status, seconds)
        self._processes = []
