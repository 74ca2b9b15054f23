"""What every engine can do."""

import abc
from typing import NamedTuple, Self

from keras_devae.studies.study_run import StudyRun


class EndedRun(NamedTuple):
    """A run that an engine has carried out, or tried to, in `seconds`, 0 if unknown.

    `status` is the exit status of its process, negative for a signal, `None` if its machine was
    lost.
    """

    run: StudyRun
    status: int | None
    seconds: float


class Engine(abc.ABC):
    """Carries out the runs of a study; as a context manager it stops what is left at its end."""

    def __enter__(self) -> Self:
        return self

    @abc.abstractmethod
    def __exit__(self, *error: object) -> None: ...

    @property
    @abc.abstractmethod
    def workers(self) -> int:
        """How many runs it carries out at a time."""

    @property
    @abc.abstractmethod
    def running(self) -> list[str]:
        """The names of the runs that were started and not yet returned by `take_ended`."""

    def has_room(self) -> bool:
        """Returns whether it can take another run."""
        return len(self.running) < self.workers

    @abc.abstractmethod
    def start(self, run: StudyRun) -> None:
        """Starts a run."""

    @abc.abstractmethod
    def take_ended(self) -> list[EndedRun]:
        """Returns the runs that have ended since the last call."""
