"""Executes runs in this process, one after the other."""

import contextlib
import time
from collections.abc import Sequence

import keras

from keras_devae.process.interruption import INTERRUPTED, TERMINATED, Termination
from keras_devae.studies.engines.base import EndedRun, Engine, status_of
from keras_devae.studies.study_run import StudyRun
from keras_devae.studies.together import work_together
from keras_devae.studies.worker import work


class InlineEngine(Engine):
    """Executes each run, or group of runs, in this process: for short runs and for debugging.

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
        self._end(status)
        self._ended.append(EndedRun(run, status, time.monotonic() - began))

    def start_together(self, runs: Sequence[StudyRun]) -> None:
        """Executes several runs, trained together; what each prints goes to its log."""
        began = time.monotonic()
        status = work_together(runs)
        self._end(status)
        seconds = (time.monotonic() - began) / len(runs)
        self._ended += [EndedRun(run, status_of(run, status), seconds) for run in runs]

    def _end(self, status):
        """Frees memory, and raises what interrupted the runs, if anything did."""
        # Models of these runs would only take up memory during the next.
        keras.utils.clear_session()
        if status == INTERRUPTED:
            raise KeyboardInterrupt
        if status == TERMINATED:
            raise Termination

    def take_ended(self) -> list[EndedRun]:
        """Returns the runs that have ended since the last call."""
        ended, self._ended = self._ended, []
        return ended
