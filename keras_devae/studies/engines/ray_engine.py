"""Executes runs on a Ray cluster, each in a fresh process that a task starts."""

import dataclasses
import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from keras_devae.checks import at_least, finite_at_least, positive, require_extra
from keras_devae.errors import FailureError, UsageError
from keras_devae.studies.engines.base import EndedRun, Engine
from keras_devae.studies.engines.processes import start_worker
from keras_devae.studies.study_run import StudyRun

#: Environment variables that are passed to the nodes.
_PASSED_ON = ("KERAS_BACKEND", "KERAS_DEVAE_DATA")


class RayEngine(Engine):
    """Submits runs to a Ray cluster.

    The study's folder must be at the same path on all nodes, on storage that they share.

    Args:
        address: Address of the cluster, `"auto"`, or `None`: the environment variable
            `RAY_ADDRESS`, else a cluster of this machine alone that ends with the study.
        cpus_per_run: Processors per run; default 1. Above 1, Ray takes whole numbers only.
        gpus_per_run: GPUs per run, or a fraction of one; default 0. Above 1, whole numbers only.
        workers: Largest number of runs at a time, or `None`: as many as the cluster has room for.
    """

    def __init__(
        self,
        address: str | None = None,
        cpus_per_run: float = 1,
        gpus_per_run: float = 0,
        workers: int | None = None,
    ) -> None:
        self._needs = {
            "CPU": _whole_above_one("cpus_per_run", positive("cpus_per_run", cpus_per_run)),
            "GPU": _whole_above_one("gpus_per_run", finite_at_least("gpus_per_run", gpus_per_run)),
        }
        self._limit = None if workers is None else at_least("workers", workers, 1)
        self._tasks: dict[StudyRun, Any] = {}
        self._ray = _connect(address)
        if not self.workers:
            self._ray.shutdown()
            raise UsageError(
                f"No node of the Ray cluster has what a run needs: {cpus_per_run:g} CPUs and "
                f"{gpus_per_run:g} GPUs. Ask for less with --cpus-per-run and --gpus-per-run."
            )
        # The scheduler decides whether a lost run is tried again.
        needs = {"num_cpus": cpus_per_run, "num_gpus": gpus_per_run}
        self._task = self._ray.remote(max_retries=0, **needs)(_run_on_node)

    def __exit__(self, *error: object) -> None:
        for task in self._tasks.values():
            # The process that the task started ends with the pipe between them.
            self._ray.cancel(task, force=True)
        self._ray.shutdown()

    @property
    def workers(self) -> int:
        """How many runs the cluster has room for, within the limit."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        room = sum(
            min(int(node.get(kind, 0) // need) for kind, need in self._needs.items() if need)
            for node in nodes
        )
        return room if self._limit is None else min(room, self._limit)

    @property
    def running(self) -> list[str]:
        """Names of the runs whose tasks have not been seen to end."""
        return [run.name for run in self._tasks]

    def start(self, run: StudyRun) -> None:
        """Submits a run to the cluster."""
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        threads = max(int(self._needs["CPU"]), 1)
        there = dataclasses.replace(run, study=run.study.resolve())
        self._tasks[run] = self._task.remote(there, threads, environment, self._needs["GPU"] < 1)

    def take_ended(self) -> list[EndedRun]:
        """Returns the runs that have ended since the last call, or says why none can start."""
        tasks = list(self._tasks.values())
        ready = set(self._ray.wait(tasks, num_returns=len(tasks), timeout=0)[0]) if tasks else ()
        ended = [run for run, task in self._tasks.items() if task in ready]
        return [EndedRun(run, *self._outcome(self._tasks.pop(run))) for run in ended]

    def _outcome(self, task: Any) -> tuple[int | None, float]:
        try:
            return self._ray.get(task)
        except self._ray.exceptions.RayTaskError as error:
            raise FailureError(
                f"A node cannot start a run: {error.cause}. Is the study's folder at the same path "
                "there, on storage that the nodes share, and keras-devae installed in the Python "
                "that Ray runs there? Fix that and run the study again."
            ) from None
        except self._ray.exceptions.RayError:
            return None, 0


def _whole_above_one(name: str, value: float) -> float:
    if value > 1 and value != int(value):
        raise UsageError(
            f"`{name}` must be a whole number, or a fraction of 1. Received: {value:g}."
        )
    return value


def _run_on_node(
    run: StudyRun, threads: int, environment: Mapping[str, str], share_gpu: bool
) -> tuple[int, float]:
    began = time.monotonic()
    process = start_worker(run, threads, environment, share_gpu)
    return process.wait(), time.monotonic() - began


def _connect(address: str | None) -> Any:
    require_extra("This engine", "ray", "ray")
    import ray

    # Ray installs a handler of SIGTERM that exits at once and would leave the runs behind.
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        message = " ".join(str(error).split())
        raise FailureError(f"Ray could not start or find its cluster: {message}") from None
    finally:
        signal.signal(signal.SIGTERM, handler)
    return ray
