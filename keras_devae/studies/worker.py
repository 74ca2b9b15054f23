"""A process that executes runs: `python -m keras_devae.studies.worker STUDY RUN [RUN ...]`.

Several runs are trained together. The process ends when its standard input, a pipe from the process
that started it, closes, so that no training continues unnoticed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from keras_devae.errors import FailureError, UsageError
from keras_devae.process.interruption import INTERRUPTED, Interruption, exit_status, heed_signals
from keras_devae.runs import Run
from keras_devae.runs.run_lock import ClaimedError
from keras_devae.studies.study_run import StudyRun

if TYPE_CHECKING:
    from keras_devae.models.fitting import Parts

#: Exit status of a worker whose run another process is working on.
BUSY = 75
#: Time to wait for a lock that is only being tested, or that a dying worker still holds.
LOCK_SECONDS = 10


def work(run: StudyRun) -> int:
    """Begins or resumes a run, trains, measures, notes how it ended, and returns an exit status."""
    with _held(run) as status:
        if status is not None:
            return status
        with _attempted(run) as attempt:
            carry_out(run)
    return attempt.status


def work_in_parts(run: StudyRun, sharing: int) -> Parts[int]:
    """Does what `work` does, but yields each part of training for the caller to carry out.

    `sharing` is the number of runs among which the time is divided.
    """
    with _held(run) as status:
        if status is not None:
            return status
        with _attempted(run, sharing) as attempt:
            yield from carry_out_in_parts(run)
    return attempt.status


@contextlib.contextmanager
def _held(run):
    """Locks a run; yields an exit status if there is nothing to do, or another process does it."""
    lock = run.lock()
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except ClaimedError:
        yield BUSY
        return
    try:
        if run.is_done():
            yield 0
        else:
            # It may also be trained by hand.
            yield BUSY if run.directory.is_claimed() else None
    finally:
        lock.release()


class _Attempt:
    """How an attempt at a run ended."""

    status = 0


@contextlib.contextmanager
def _attempted(run, sharing=1):
    """Notes that a run begins, and how it ends; yields what then has its exit status."""
    attempt = _Attempt()
    run.note_start()
    began = time.monotonic()
    try:
        with Interruption():
            yield attempt
    except KeyboardInterrupt as ending:
        attempt.status = exit_status(ending)
    except ClaimedError:
        # Somebody has just started to train it by hand.
        attempt.status = BUSY
    except (UsageError, FailureError) as error:
        attempt.status = 2 if isinstance(error, UsageError) else 1
        _fail(run, str(error), attempt.status)
    except Exception as error:
        traceback.print_exc()
        attempt.status = 1
        _fail(run, f"{type(error).__name__}: {' '.join(str(error).split())}", attempt.status)
    run.note_end(attempt.status, (time.monotonic() - began) / sharing)


def carry_out(run: StudyRun) -> None:
    """Trains and measures a run, from its beginning or from its newest checkpoint."""
    # Whether its backend can be used is seen before Keras is imported.
    owner = _owner(run)
    from keras_devae.models.fitting import carried_out

    carried_out(_in_parts(owner))


def carry_out_in_parts(run: StudyRun) -> Parts[None]:
    """Does what `carry_out` does, but yields each part of training."""
    yield from _in_parts(_owner(run))


def _owner(run):
    folder = run.directory
    if folder.config_file.is_file():
        return Run.resume(folder.path, backend=folder.read_config().compute.backend)
    _, config = run.read_settings()
    return Run.new(config, folder.path)


def _in_parts(owner):
    with owner:
        print(f"{owner.dataset.description}; {owner.config.compute.backend}", flush=True)
        yield from owner.train_in_parts()
        owner.evaluate()
        owner.report()


def _fail(run, reason, status):
    print(f"Error: {reason}", file=sys.stderr, flush=True)
    run.fail(reason, status)


def watch_starter() -> None:
    """Ends this process when the one that started it is gone."""

    def wait():
        while os.read(0, 1024):
            pass
        # Files are only put in place complete, so any moment is safe to stop.
        os._exit(INTERRUPTED)

    threading.Thread(target=wait, daemon=True).start()


def main(arguments: list[str]) -> None:
    """Runs the process, given the folder of the study and the names of one or several runs."""
    heed_signals()
    # Its handler writes to whatever is the standard error, of several runs the log of each.
    handlers = [logging.lastResort] if logging.lastResort else None
    logging.basicConfig(format="%(message)s", level=logging.WARNING, handlers=handlers)
    folder, *names = arguments
    runs = [StudyRun(Path(folder), name) for name in names]
    watch_starter()
    if len(runs) == 1:
        sys.exit(work(*runs))
    from keras_devae.studies.together import work_together

    sys.exit(work_together(runs))


if __name__ == "__main__":
    main(sys.argv[1:])
