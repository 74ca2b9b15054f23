"""The process of a worker, as the engines start it."""

import os
import subprocess
import sys

from keras_devae.backend.choosing import SHARED_MEMORY

#: Variables that say how many threads the libraries use.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
#: What a worker must not take over: where its starter draws, and what its terminal can show.
_OWN = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "MPLBACKEND": "agg"}
_WORKER = "keras_devae.studies.worker"


def start_worker(run, threads, environment=None, share_gpu=False):
    """Starts the process that carries a run out; what it prints goes to the run's log.

    Args:
        run: The `StudyRun`.
        threads: Number of threads it should use, where the environment does not say.
        environment: Further environment variables, or `None`.
        share_gpu: Whether other processes may compute on the same GPU, so that it should take no
            more of its memory than it needs; default false.

    Returns:
        A `subprocess.Popen`.
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
            # Ctrl-C in the terminal is the study's affair, which then ends its workers.
            start_new_session=True,
        )
