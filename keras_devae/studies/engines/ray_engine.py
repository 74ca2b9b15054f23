"""Runs on a Ray cluster, each in a fresh process that a task of the cluster starts."""

import dataclasses
import os
import signal
import time

from keras_devae.checks import at_least, finite_at_least, has_extra, positive
from keras_devae.errors import FailureError, UsageError
from keras_devae.studies.engines.processes import start_worker

#: Environment variables that the nodes take over from here.
_PASSED_ON = ("KERAS_BACKEND", "KERAS_DEVAE_DATA")


class RayEngine:
    """Hands runs to a Ray cluster.

    The study's folder must be at the same path on all nodes, on storage that they share.

    Args:
        address: Address of the cluster, `"auto"`, or `None`: that of the environment variable
            `RAY_ADDRESS`, else a cluster of this machine alone that ends with the study.
        cpus_per_run: Processors that a run occupies; default 1.
        gpus_per_run: GPUs, or a part of one; default 0. Ray takes whole numbers above 1, of
            processors too.
        workers: How many runs at a time at most, or `None`: what the cluster has room for.

    Raises:
        UsageError: If Ray is not installed, a number is out of range, or no node is large enough.
        FailureError: If there is no such cluster.
    """

    def __init__(self, address=None, cpus_per_run=1, gpus_per_run=0, workers=None):
        self._needs = {
            "CPU": _whole_above_one("cpus_per_run", positive("cpus_per_run", cpus_per_run)),
            "GPU": _whole_above_one("gpus_per_run", finite_at_least("gpus_per_run", gpus_per_run)),
        }
        self._limit = None if workers is None else at_least("workers", workers, 1)
        self._tasks = {}
        self._ray = _connected(address)
        if not self.workers:
            self._ray.shutdown()
            raise UsageError(
                f"No node of the Ray cluster has what a run needs: {cpus_per_run:g} CPUs and "
                f"{gpus_per_run:g} GPUs. Ask for less with --cpus-per-run and --gpus-per-run."
            )
        # Whether a run that was lost is tried again is the study's to say.
        needs = {"num_cpus": cpus_per_run, "num_gpus": gpus_per_run}
        self._task = self._ray.remote(max_retries=0, **needs)(_run_on_node)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for task in self._tasks.values():
            # The process that the task started ends with the pipe between them.
            self._ray.cancel(task, force=True)
        self._ray.shutdown()

    @property
    def workers(self):
        """How many runs the cluster, or the limit, has room for."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        room = sum(
            min(int(node.get(kind, 0) // need) for kind, need in self._needs.items() if need)
            for node in nodes
        )
        return room if self._limit is None else min(room, self._limit)

    @property
    def at_work(self):
        """The names of the runs that it is working on."""
        return [run.name for run in self._tasks]

    def has_room(self):
        """Tells whether it can take another run."""
        return len(self._tasks) < self.workers

    def start(self, run):
        """Hands a run to the cluster.

        Args:
            run: The `StudyRun`.
        """
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        threads = max(int(self._needs["CPU"]), 1)
        there = dataclasses.replace(run, study=run.study.resolve())
        self._tasks[run] = self._task.remote(there, threads, environment, self._needs["GPU"] < 1)

    def ended(self):
        """Returns the runs that have ended since the last call.

        Returns:
            List of tuples of the run, the exit status, negative for a signal or `None` where the
            node was lost, and the seconds, 0 where they are not known.

        Raises:
            FailureError: If a node cannot start a run.
        """
        tasks = list(self._tasks.values())
        ready = set(self._ray.wait(tasks, num_returns=len(tasks), timeout=0)[0]) if tasks else ()
        over = [run for run, task in self._tasks.items() if task in ready]
        return [(run, *self._outcome(self._tasks.pop(run))) for run in over]

    def _outcome(self, task):
        try:
            return self._ray.get(task)
        except self._ray.exceptions.RayTaskError as error:
            raise FailureError(
                f"A node cannot start a run: {error.cause}. Is the study's folder at the same path "
                "there, on storage that the nodes share, and keras-devae installed in the Python "
                "that Ray runs there? Mend that and run the study again."
            ) from None
        except self._ray.exceptions.RayError:
            return None, 0


def _whole_above_one(name, value):
    if value > 1 and value != int(value):
        raise UsageError(f"`{name}` must be a whole number, or a part of 1. Received: {value:g}.")
    return value


def _run_on_node(run, threads, environment, share_gpu):
    began = time.monotonic()
    process = start_worker(run, threads, environment, share_gpu)
    return process.wait(), time.monotonic() - began


def _connected(address):
    has_extra("This engine", "ray", "ray")
    import ray

    # Ray answers SIGTERM with an exit of its own, which would leave the runs to themselves.
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        message = " ".join(str(error).split())
        raise FailureError(f"Ray does not start or find its cluster: {message}") from None
    finally:
        signal.signal(signal.SIGTERM, handler)
    return ray
