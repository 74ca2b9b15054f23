"""Runs as processes of this machine."""

import subprocess
import time

from keras_devae.checks import at_least
from keras_devae.process.machine import usable_cores
from keras_devae.studies.engines.processes import start_worker

#: How long a worker may take to end its step and write a checkpoint before it is killed.
_PATIENCE_SECONDS = 30


class LocalEngine:
    """Starts a fresh process for each run.

    Args:
        workers: How many at a time; default 1. Each uses as many threads as there are cores for
            each, and on a machine with GPUs all share the first one of those that
            `CUDA_VISIBLE_DEVICES` leaves them.
    """

    def __init__(self, workers=1):
        self.workers = at_least("workers", workers, 1)
        self._threads = max(usable_cores() // workers, 1)
        self._processes = {}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stop()

    @property
    def at_work(self):
        """The names of the runs that it is working on."""
        return [run.name for run in self._processes]

    def has_room(self):
        """Tells whether it can take another run."""
        return len(self._processes) < self.workers

    def start(self, run):
        """Starts a run.

        Args:
            run: The `StudyRun`.
        """
        process = start_worker(run, self._threads, share_gpu=self.workers > 1)
        self._processes[run] = (process, time.monotonic())

    def ended(self):
        """Returns the runs whose processes have ended since the last call.

        Returns:
            List of tuples of the run, the exit status, negative for a signal, and the seconds.
        """
        over = [(run, process.poll()) for run, (process, _) in self._processes.items()]
        return [(run, status, self._forget(run)) for run, status in over if status is not None]

    def _forget(self, run):
        process, began = self._processes.pop(run)
        process.stdin.close()
        return time.monotonic() - began

    def _stop(self):
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
