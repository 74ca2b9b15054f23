"""Trains runs of a study together: each as if alone, all of their steps as one program."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from keras_devae.backend import start_backend
from keras_devae.process.interruption import (
    INTERRUPTED,
    TERMINATED,
    Interruption,
    Termination,
    current_handlers,
    exit_status,
    set_handlers,
)
from keras_devae.runs.config.run_config import loading_once
from keras_devae.studies.study_run import StudyRun
from keras_devae.studies.worker import BUSY, work_in_parts

if TYPE_CHECKING:
    from keras_devae.models.fitting import Fit

_ENDINGS = {INTERRUPTED: KeyboardInterrupt, TERMINATED: Termination}


def work_together(runs: Sequence[StudyRun]) -> int:
    """Begins or resumes runs, trains them together, measures each, and notes how each ended.

    Each is what `work` makes of it. Runs that are behind catch up with the others first.

    Returns:
        An exit status: 0 if each has ended by itself, done or failed; `BUSY` if another process
        works on one of them; or the exit status of an interruption.
    """
    compute = runs[0].read_settings()[1].compute
    start_backend(compute.backend, deterministic=compute.deterministic)
    names = ", ".join(run.name for run in runs)
    sessions = [_Session(run, len(runs), f"Trained together: {names}") for run in runs]
    with loading_once():
        try:
            with Interruption() as interruption:
                for session in sessions:
                    session.advance()
                    _end_all_if_interrupted(sessions)
                while waiting := [session for session in sessions if session.fit is not None]:
                    _train(waiting, interruption)
                    _end_all_if_interrupted(sessions)
                    interruption.check()
        except KeyboardInterrupt as ending:
            for session in sessions:
                session.advance(ending)
    statuses = [session.status for session in sessions]
    others = [status for status in statuses if status in (*_ENDINGS, BUSY)]
    return others[0] if others else 0


def _end_all_if_interrupted(sessions):
    for session in sessions:
        if session.status in _ENDINGS:
            raise _ENDINGS[session.status]


def _train(sessions, interruption):
    """Trains the runs that are furthest behind, until they meet others or end."""
    from keras_devae.models.fitting_together import kind_of, train_together

    session = min(sessions, key=lambda session: session.fit.step)
    kind = kind_of(session.fit)
    if kind is None:
        session.carry_out()
        return
    like = [other for other in sessions if kind_of(other.fit) == kind]
    step, length = session.fit.step, len(session.fit.batches)
    together = [other for other in like if other.fit.step == step]
    epochs = min(other.fit.epochs for other in together)
    ahead = [other.fit.step - step for other in like if other not in together]
    epochs = min([epochs, *(gap // length for gap in ahead if gap % length == 0)])
    if len(together) == 1 and epochs == session.fit.epochs:
        session.carry_out()
        return
    by_fit = {id(other.fit): other for other in together}
    ended = train_together(
        [other.fit for other in together],
        epochs,
        interruption,
        lambda fit: by_fit[id(fit)].speaking(),
    )
    for position, error in ended.items():
        together[position].advance(error)


class _Session:
    """A run that is carried out in turn with others; what it prints goes to its own log."""

    def __init__(self, run: StudyRun, sharing: int, heading: str) -> None:
        self.run = run
        self.status: int | None = None
        self.fit: Fit | None = None
        self._parts = work_in_parts(run, sharing)
        self._heading: str | None = heading
        self._log = run.log_file.open("a", encoding="utf-8", buffering=1)
        self._handlers: dict[int, Any] | None = None

    def advance(self, error: BaseException | None = None) -> None:
        """Carries the run out until it has something to train, or to its end.

        `error`, if any, is raised where the run has stopped. Nothing happens if it is at its end.
        """
        if self.status is not None:
            return
        self.fit = None
        try:
            with self.speaking(), self._handling_signals():
                self._head()
                self.fit = next(self._parts) if error is None else self._parts.throw(error)
        except StopIteration as end:
            self.status = end.value
        except KeyboardInterrupt as ending:
            # It has not begun yet.
            self.status = exit_status(ending)
        if self.status is not None:
            self._log.close()

    def _head(self):
        import keras

        if self._heading is not None:
            # As in a process of its own, layers are numbered from the beginning.
            keras.utils.clear_session(free_memory=False)
            print(self._heading, flush=True)
            self._heading = None

    def carry_out(self) -> None:
        """Trains the run alone."""
        assert self.fit is not None
        try:
            with self.speaking(), self._handling_signals():
                self.fit.carry_out()
        except BaseException as error:
            self.advance(error)
        else:
            self.advance()

    @contextlib.contextmanager
    def speaking(self) -> Iterator[None]:
        """Sends what is printed inside a `with` block to the log of the run."""
        with contextlib.redirect_stdout(self._log), contextlib.redirect_stderr(self._log):
            yield

    @contextlib.contextmanager
    def _handling_signals(self) -> Iterator[None]:
        """Lets the run handle signals as it did when it stopped last."""
        others = current_handlers()
        set_handlers(self._handlers or {})
        try:
            yield
        finally:
            self._handlers = current_handlers()
            set_handlers(others)
