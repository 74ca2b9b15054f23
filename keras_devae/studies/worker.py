"""A process that carries one run out: `python -m keras_devae.studies.worker STUDY RUN`.

Its standard input is a pipe from whoever started it. When that closes, the starter is gone, and the
process ends, so that nothing goes on that nobody knows of.
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
from keras_devae.runs.config.run_config import check_before_loading, load_dataset
from keras_devae.runs.faults import explained
from keras_devae.runs.run_lock import ClaimedError
from keras_devae.runs.starting import check_start, start_again, start_new
from keras_devae.studies.study_run import StudyRun

#: Exit status of a worker on whose run another process is working.
BUSY = 75
#: How long a worker waits for a lock that somebody only looks at, or that a dying one still holds.
LOCK_SECONDS = 10


def work(run):
    """Carries a run out: begins it or goes on with it, trains, measures, and notes how it ended.

    Args:
        run: The `StudyRun`.

    Returns:
        Exit status: 0 if it is done, 1 or 2 if it failed, `BUSY`, or that of an interruption.
    """
    lock = run.lock()
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except ClaimedError:
        return BUSY
    try:
        if run.is_done():
            return 0
        # It may be trained by hand, too.
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
        # Somebody began to train it by hand just now.
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


def carry_out(run):
    """Trains and measures a run, from its beginning or from its newest checkpoint.

    Args:
        run: The `StudyRun`.

    Raises:
        UsageError: If its settings and its data do not go together.
        ClaimedError: If another process has just begun to train it.
        FailureError: If it cannot be done.
    """
    directory = run.directory
    if directory.config_file.is_file():
        config = directory.read_config()
        begun = start_again(directory, config.compute.backend)
    else:
        begun = _begin(run)
    function, directory, config, dataset = begun

    from keras_devae.runs.finishing import finish

    print(f"{dataset.description}; {config.compute.backend}", flush=True)
    try:
        with explained(directory, lambda: "The run stopped"):
            model = function(config, directory, dataset)
            finish(model, config, directory, dataset)
    finally:
        directory.release()


def _begin(run):
    _, config = run.read_settings()
    path = run.directory.path
    check_start(path, config)
    check_before_loading(config)
    return start_new(path, config, load_dataset(config))


def _fail(run, reason, status):
    print(f"Error: {reason}", file=sys.stderr, flush=True)
    run.fail(reason, status)


def watch_starter():
    """Ends this process when the one that started it is gone."""

    def wait():
        while os.read(0, 1024):
            pass
        # Every file is put in place whole, so that this is as good a moment as any other.
        os._exit(INTERRUPTED)

    threading.Thread(target=wait, daemon=True).start()


def main(arguments):
    """Runs the process.

    Args:
        arguments: Folder of the study and name of the run.
    """
    heed_signals()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    folder, name = arguments
    watch_starter()
    sys.exit(work(StudyRun(Path(folder), name)))


if __name__ == "__main__":
    main(sys.argv[1:])
