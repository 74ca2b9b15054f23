"""The base class of all engines."""

import abc
from collections.abc import Sequence
from typing import NamedTuple, Self

from keras_devae.errors import UsageError
from keras_devae.studies.study_run import StudyRun
from keras_devae.studies.worker import BUSY


class EndedRun(NamedTuple):
    """A run that an engine has executed, or tried to, in `seconds`, 0 if unknown.

    `status` is the exit status of its process, negative for a signal, `None` if its machine was
    lost.
    """

    run: StudyRun
    status: int | None
    seconds: float


def status_of(run: StudyRun, status: int) -> int:
    """Returns how one run ended of those that a process, with this exit status, trained."""
    if run.is_done():
        return 0
    if run.failure() is not None:
        return 1
    # A process that ends by itself leaves only what another one works on.
    return status or BUSY


class Engine(abc.ABC):
    """Executes the runs of a study; as a context manager, it stops the remaining ones at exit."""

    def __enter__(self) -> Self:
        return self

    @abc.abstractmethod
    def __exit__(self, *error: object) -> None: ...

    @property
    @abc.abstractmethod
    def workers(self) -> int:
        """Number of runs executed at a time."""

    @property
    @abc.abstractmethod
    def running(self) -> list[str]:
        """Names of the runs that were started and not yet returned by `take_ended`."""

    def has_room(self) -> bool:
        """Returns whether it can take another run."""
        return len(self.running) < self.workers

    @abc.abstractmethod
    def start(self, run: StudyRun) -> None:
        """Starts a run."""

    def start_together(self, runs: Sequence[StudyRun]) -> None:
        """Starts several runs that are trained together, in one process.

        Raises:
            UsageError: If this engine cannot do that.
        """
        raise UsageError(f"{type(self).__name__} trains no runs together. Received: {len(runs)}.")

    @abc.abstractmethod
    def take_ended(self) -> list[EndedRun]:
        """Returns the runs that have ended since the last call."""
