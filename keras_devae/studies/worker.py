"""A process that executes one run: `python -m keras_devae.studies.worker STUDY RUN`.

It ends when its standard input, a pipe from the process that started it, closes, so that no
training continues unnoticed.
"""

import logging
import os
import sys
import threading
import time
import traceback
from pathlib import Path

from keras_devae.errors import FailureError, UsageError
from keras_devae.process.interruption import INTERRUPTED, Interruption, exit_status, heed_signals
from keras_devae.runs import Run
from keras_devae.runs.run_lock import ClaimedError
from keras_devae.studies.study_run import StudyRun

#: Exit status of a worker whose run another process is working on.
BUSY = 75
#: Time to wait for a lock that is only being tested, or that a dying worker still holds.
LOCK_SECONDS = 10


def work(run: StudyRun) -> int:
    """Begins or resumes a run, trains, measures, notes how it ended, and returns an exit status."""
    lock = run.lock()
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except ClaimedError:
        return BUSY
    try:
        if run.is_done():
            return 0
        # It may also be trained by hand.
        return BUSY if run.directory.is_claimed() else _attempt(run)
    finally:
        lock.release()


def _attempt(run):
    run.note_start()
    began = time.monotonic()
    try:
        with Interruption():
            carry_out(run)
        status = 0
    except KeyboardInterrupt as ending:
        status = exit_status(ending)
    except ClaimedError:
        # Somebody has just started to train it by hand.
        status = BUSY
    except (UsageError, FailureError) as error:
        status = 2 if isinstance(error, UsageError) else 1
        _fail(run, str(error), status)
    except Exception as error:
        traceback.print_exc()
        status = 1
        _fail(run, f"{type(error).__name__}: {' '.join(str(error).split())}", status)
    run.note_end(status, time.monotonic() - began)
    return status


def carry_out(run: StudyRun) -> None:
    """Trains and measures a run, from its beginning or from its newest checkpoint."""
    folder = run.directory
    if folder.config_file.is_file():
        owner = Run.resume(folder.path, backend=folder.read_config().compute.backend)
    else:
        _, config = run.read_settings()
        owner = Run.new(config, folder.path)
    with owner:
        print(f"{owner.dataset.description}; {owner.config.compute.backend}", flush=True)
        owner.train()
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
    """Runs the process, given the folder of the study and the name of the run."""
    heed_signals()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    folder, name = arguments
    watch_starter()
    sys.exit(work(StudyRun(Path(folder), name)))


if __name__ == "__main__":
    main(sys.argv[1:])
