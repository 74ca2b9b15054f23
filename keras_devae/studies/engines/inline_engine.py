"""Executes runs in this process, one after the other."""

import contextlib
import time

import keras

from keras_devae.process.interruption import INTERRUPTED, TERMINATED, Termination
from keras_devae.studies.engines.base import EndedRun, Engine
from keras_devae.studies.study_run import StudyRun
from keras_devae.studies.worker import work


class InlineEngine(Engine):
    """Executes each run in this process: for short runs and for debugging.

    A run that crashes Python takes the study with it; the other engines give each run a process.
    """

    workers = 1

    def __init__(self) -> None:
        self._ended: list[EndedRun] = []

    def __exit__(self, *error: object) -> None:
        """Does nothing: no run outlives `start`."""

    @property
    def running(self) -> list[str]:
        """Names of the runs that have ended since the last call of `take_ended`."""
        return [ended.run.name for ended in self._ended]

    def start(self, run: StudyRun) -> None:
        """Executes a run; what it prints goes to the run's log."""
        began = time.monotonic()
        with (
            run.log_file.open("a", encoding="utf-8", buffering=1) as log,
            contextlib.redirect_stdout(log),
            contextlib.redirect_stderr(log),
        ):
            status = work(run)
        # Models of this run would only take up memory during the next.
        keras.utils.clear_session()
        if status == INTERRUPTED:
            raise KeyboardInterrupt
        if status == TERMINATED:
            raise Termination
        self._ended.append(EndedRun(run, status, time.monotonic() - began))

    def take_ended(self) -> list[EndedRun]:
        """Returns the runs that have ended since the last call."""
        ended, self._ended = self._ended, []
        return ended
