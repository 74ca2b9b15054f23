"""Executes a study: decides which run is next, and what to do when one ends."""

import collections
import contextlib
import signal
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from keras_devae.process.interruption import INTERRUPTED, TERMINATED, Interruption
from keras_devae.studies.engines.base import Engine
from keras_devae.studies.grouping import Grouping
from keras_devae.studies.study import Study
from keras_devae.studies.study_run import StudyRun
from keras_devae.studies.worker import BUSY

#: Most restarts by one study process of a run whose process was killed.
RESTARTS = 2
_PAUSE_SECONDS = 0.2
#: Seconds between checks of the runs of other study processes, and of the steps done.
_CHECK_SECONDS = 2.0
#: Exit statuses of processes that were ended from outside.
_ENDED_FROM_OUTSIDE = (INTERRUPTED, TERMINATED)


class StudyProgress(NamedTuple):
    """Progress of a study: numbers of runs, and a line for each that has ended since last time."""

    done: int
    running: int
    failed: int
    waiting: int
    seconds_left: float | None
    ended: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Number of runs."""
        return self.done + self.running + self.failed + self.waiting


def carry_out_study(
    study: Study,
    engine: Engine,
    report: Callable[[StudyProgress], object],
    retry_failed: bool = False,
    grouping: Grouping | None = None,
) -> StudyProgress:
    """Executes the runs of a study, already on disk, that are neither done nor failed.

    Interrupted runs are resumed. A failed run does not stop the others. A run whose process is
    killed is restarted after the waiting ones, at most twice. A run that another process is working
    on is left to that process, and taken over if it dies. After Ctrl-C or SIGTERM, runs are stopped
    so that they can be resumed.

    Args:
        study: The study.
        engine: The engine, which is closed at the end.
        report: Called when a run has ended, and every two seconds.
        retry_failed: Whether failed runs are tried again; default false.
        grouping: Which runs are trained together, or `None` (default): each is trained alone.
    """
    schedule = _Schedule(study, engine, retry_failed, grouping)
    with Interruption(), engine:
        while not schedule.is_over():
            schedule.start_runs()
            report(schedule.progress())
            while not (schedule.take_ended() or schedule.check_elsewhere()):
                time.sleep(_PAUSE_SECONDS)
        progress = schedule.progress()
    report(progress)
    return progress


def estimate_seconds_left(
    finished: Sequence[tuple[int, float]], steps_left: Sequence[int], workers: int
) -> float | None:
    """Estimates the seconds that the remaining runs take, `None` before any run is done.

    `finished` has the steps and seconds (0 if unknown) of each finished run, including the time
    before and after training; they give the mean cost of a step.
    """
    known = [(steps, seconds) for steps, seconds in finished if seconds > 0]
    if not known:
        return None
    step_seconds = sum(seconds for _, seconds in known) / sum(steps for steps, _ in known)
    costs = [steps * step_seconds for steps in steps_left]
    # A run is not divided among workers.
    return max(sum(costs) / max(workers, 1), max(costs, default=0))


def _describe_ending(status: int | None) -> str:
    """Describes the end of a process that was ended from outside."""
    if status is None:
        return "its process or machine was lost"
    if status >= 0:
        return "another program interrupted it"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-status).name
        hint = ", perhaps for lack of memory" if name == "SIGKILL" else ""
        return f"its process was killed by {name}{hint}"
    return f"its process was killed by signal {-status}"


class _Schedule:
    def __init__(
        self, study: Study, engine: Engine, retry_failed: bool, grouping: Grouping | None
    ) -> None:
        self._study, self._engine, self._grouping = study, engine, grouping
        self._waiting: collections.deque[StudyRun] = collections.deque()
        self._elsewhere: list[StudyRun] = []
        self._done: set[StudyRun] = set()
        self._failed: set[StudyRun] = set()
        self._restarts: collections.Counter[StudyRun] = collections.Counter()
        self._ended_lines: list[str] = []
        self._costs: dict[StudyRun, tuple[int, float]] = {}
        self._checked_at = 0.0
        for run in study.runs:
            if retry_failed and run.state() == "failed":
                run.failure_file.unlink(missing_ok=True)
            self._classify(run, run.state())

    def is_over(self) -> bool:
        """Returns whether no run is left to start or to wait for."""
        return not (self._waiting or self._elsewhere or self._engine.running)

    def start_runs(self) -> None:
        """Starts runs while the engine has room."""
        while self._waiting and self._engine.has_room():
            runs = self._startable(self._next_runs())
            if len(runs) == 1:
                self._engine.start(runs[0])
            elif runs:
                self._engine.start_together(runs)

    def _next_runs(self) -> list[StudyRun]:
        """Removes the next run, and those that are trained together with it, from the waiting."""
        run = self._waiting.popleft()
        if self._grouping is None:
            return [run]
        runs = self._grouping.pick(run, self._waiting)
        for other in runs[1:]:
            self._waiting.remove(other)
        return runs

    def _startable(self, runs: list[StudyRun]) -> list[StudyRun]:
        """Returns those that nobody has finished or begun meanwhile, and classifies the others."""
        states = [(run, run.state()) for run in runs]
        begun = [run for run, state in states if state in ("waiting", "interrupted")]
        for run, state in states:
            if run not in begun:
                self._classify(run, state)
        return begun

    def take_ended(self) -> bool:
        """Processes the runs that have ended, and returns whether there were any."""
        ended = self._engine.take_ended()
        for run, status, seconds in ended:
            if status == BUSY:
                self._elsewhere.append(run)
            elif status is None or status in _ENDED_FROM_OUTSIDE or status < 0:
                self._take_killed(run, status, seconds)
            else:
                self._take_finished(run, status)
        return bool(ended)

    def check_elsewhere(self) -> bool:
        """Checks the runs of other processes every two seconds; returns whether this call did."""
        if time.monotonic() - self._checked_at < _CHECK_SECONDS:
            return False
        self._checked_at = time.monotonic()
        elsewhere, self._elsewhere = self._elsewhere, []
        for run in elsewhere:
            self._classify(run, run.state())
        return True

    def progress(self) -> StudyProgress:
        """Returns the study's progress, with the runs that have ended since the last call."""
        ended, self._ended_lines = tuple(self._ended_lines), []
        return StudyProgress(
            done=len(self._done),
            running=len(self._engine.running) + len(self._elsewhere),
            failed=len(self._failed),
            waiting=len(self._waiting),
            seconds_left=self._seconds_left(),
            ended=ended,
        )

    def _classify(self, run: StudyRun, state: str) -> None:
        match state:
            case "done":
                self._done.add(run)
            case "failed":
                self._failed.add(run)
            case "running":
                self._elsewhere.append(run)
            case "interrupted":
                # Runs that were begun come first.
                self._waiting.appendleft(run)
            case _:
                self._waiting.append(run)

    def _take_killed(self, run: StudyRun, status: int | None, seconds: float) -> None:
        if status is not None and status < 0:
            run.note_end(status, seconds)
        if run.is_done():
            self._take_finished(run, 0)
        elif self._restarts[run] < RESTARTS:
            self._restarts[run] += 1
            self._ended_lines.append(f"{run.name}: {_describe_ending(status)}, restarted")
            # After the others: whatever killed it, full memory perhaps, may be over by then.
            self._waiting.append(run)
        else:
            run.fail(f"{RESTARTS + 1} times {_describe_ending(status)}.", status)
            self._take_finished(run, status)

    def _take_finished(self, run: StudyRun, status: int | None) -> None:
        if status == 0:
            self._done.add(run)
            self._ended_lines.append(f"{run.name}: done in {run.seconds():.0f} s")
            return
        failure = run.failure()
        if failure is None:
            reason = f"Its process ended with exit status {status}; its log says more."
            run.fail(reason, status)
        else:
            reason = failure["reason"]
        self._failed.add(run)
        self._ended_lines.append(f"{run.name}: failed: {reason}")

    def _seconds_left(self) -> float | None:
        for run in self._done - self._costs.keys():
            self._costs[run] = (self._study.steps(run), run.seconds())
        running = set(self._engine.running)
        left = [
            self._study.steps(run) - (run.steps_done() if run.name in running else 0)
            for run in self._study.runs
            if run not in self._done | self._failed
        ]
        finished = [self._costs[run] for run in self._done]
        return estimate_seconds_left(finished, left, self._engine.workers)
