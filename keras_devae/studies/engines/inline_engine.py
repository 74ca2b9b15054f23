"""Runs in this process, one after the other."""

import contextlib
import time

import keras

from keras_devae.process.interruption import INTERRUPTED, TERMINATED, Termination
from keras_devae.studies.worker import work


class InlineEngine:
    """Carries each run out in this process: for short runs, and to debug one.

    A run that crashes Python takes the study with it; the other engines give each a process.
    """

    workers = 1

    def __init__(self):
        self._over = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    @property
    def at_work(self):
        """The names of the runs that have ended since the last look."""
        return [run.name for run, _, _ in self._over]

    def has_room(self):
        """Tells whether it can take another run: the last one has been looked at."""
        return not self._over

    def start(self, run):
        """Carries a run out; what it prints goes to the run's log.

        Args:
            run: The `StudyRun`.

        Raises:
            KeyboardInterrupt: After Ctrl-C or, as `Termination`, SIGTERM.
        """
        began = time.monotonic()
        with (
            run.log_file.open("a", encoding="utf-8", buffering=1) as log,
            contextlib.redirect_stdout(log),
            contextlib.redirect_stderr(log),
        ):
            status = work(run)
        # What one run has built is of no use to the next.
        keras.utils.clear_session()
        if status == INTERRUPTED:
            raise KeyboardInterrupt
        if status == TERMINATED:
            raise Termination
        self._over.append((run, status, time.monotonic() - began))

    def ended(self):
        """Returns the runs that have ended since the last call, as `LocalEngine.ended`."""
        over, self._over = self._over, []
        return over
