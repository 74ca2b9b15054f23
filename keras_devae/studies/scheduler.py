"""Carrying a study out: which run is next, and what follows when one ends."""

import collections
import contextlib
import signal
import time

from keras_devae.process.interruption import INTERRUPTED, TERMINATED, Interruption
from keras_devae.studies.estimate import seconds_left
from keras_devae.studies.worker import BUSY

#: How many times in one go a run is taken up again whose process was killed.
RESTARTS = 2
_PAUSE_SECONDS = 0.2
#: Seconds between looks at runs that another study process is working on, and at steps done.
_LOOK_SECONDS = 2.0
#: Exit statuses of processes that were ended from outside.
_ENDED_FROM_OUTSIDE = (None, INTERRUPTED, TERMINATED)


def carry_out_study(study, engine, report, retry_failed=False):
    """Carries out all runs of a study that are neither done nor failed.

    Interrupted runs go on. A run that fails does not keep the others from running. One whose
    process is killed is taken up again after those that wait, twice at most. A run that another
    process is working on is left to it, and taken over if that one dies.

    Args:
        study: The `Study`, written to disk.
        engine: A `LocalEngine` or `RayEngine`.
        report: Called with a `Standing` when a run has ended, and every two seconds.
        retry_failed: Whether failed runs are tried again; default false.

    Returns:
        The last `Standing`.

    Raises:
        KeyboardInterrupt: After Ctrl-C or, as `Termination`, SIGTERM. The runs are ended, to be
            gone on with.
    """
    schedule = _Schedule(study, engine, retry_failed)
    with Interruption(), engine:
        while not schedule.is_over():
            schedule.start_what_can_be()
            report(schedule.standing())
            while not (schedule.take_ended() or schedule.look_elsewhere()):
                time.sleep(_PAUSE_SECONDS)
        standing = schedule.standing()
    report(standing)
    return standing


def _ending(status):
    """Says how a process ended that did not end by itself."""
    if status is None:
        return "its process or machine was lost"
    if status >= 0:
        return "it was interrupted from outside"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-status).name
        hint = ", for want of memory perhaps" if name == "SIGKILL" else ""
        return f"its process was killed by {name}{hint}"
    return f"its process was killed by signal {-status}"


class Standing(
    collections.namedtuple(
        "Standing", "done running failed waiting seconds_left ended", defaults=[()]
    )
):
    """How far a study is: numbers of runs, seconds left or `None`, and a line a run ended since."""

    @property
    def total(self):
        """Number of runs."""
        return self.done + self.running + self.failed + self.waiting


class _Schedule:
    def __init__(self, study, engine, retry_failed):
        self._study, self._engine = study, engine
        self._waiting, self._elsewhere = collections.deque(), []
        self._done, self._failed, self._restarts = set(), set(), collections.Counter()
        self._told, self._looked, self._costs = [], 0.0, {}
        for run in study.runs:
            state = run.state()
            if state == "failed" and retry_failed:
                run.failure_file.unlink(missing_ok=True)
                state = run.state()
            self._sort_in(run, state)

    def is_over(self):
        return not (self._waiting or self._elsewhere or self._engine.at_work)

    def start_what_can_be(self):
        while self._waiting and self._engine.has_room():
            run = self._waiting.popleft()
            state = run.state()
            if state in ("waiting", "interrupted"):
                self._engine.start(run)
            else:
                self._sort_in(run, state)

    def take_ended(self):
        """Takes in what has ended, and tells whether anything has."""
        ended = self._engine.ended()
        for run, status, seconds in ended:
            if status == BUSY:
                self._elsewhere.append(run)
            elif status in _ENDED_FROM_OUTSIDE or status < 0:
                self._take_killed(run, status, seconds)
            else:
                self._take_finished(run, status)
        return bool(ended)

    def look_elsewhere(self):
        """Looks, now and then, at the runs that others are working on; tells whether it did."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return False
        self._looked = time.monotonic()
        elsewhere, self._elsewhere = self._elsewhere, []
        for run in elsewhere:
            self._sort_in(run, run.state())
        return True

    def standing(self):
        """Returns how far it is, with what has ended since the last call."""
        ended, self._told = tuple(self._told), []
        running = len(self._engine.at_work) + len(self._elsewhere)
        return Standing(
            len(self._done),
            running,
            len(self._failed),
            len(self._waiting),
            self._seconds_left(),
            ended,
        )

    def _sort_in(self, run, state):
        match state:
            case "done":
                self._done.add(run)
            case "failed":
                self._failed.add(run)
            case "running":
                self._elsewhere.append(run)
            case "interrupted":
                # First what has been begun.
                self._waiting.appendleft(run)
            case _:
                self._waiting.append(run)

    def _take_killed(self, run, status, seconds):
        if status is not None and status < 0:
            run.note_end(status, seconds)
        if run.is_done():
            self._take_finished(run, 0)
        elif self._restarts[run] < RESTARTS:
            self._restarts[run] += 1
            self._told.append(f"{run.name}: {_ending(status)}, taken up again")
            # Behind the others: what killed it, full memory perhaps, is over by then.
            self._waiting.append(run)
        else:
            run.fail(f"{RESTARTS + 1} times {_ending(status)}.", status)
            self._take_finished(run, status)

    def _take_finished(self, run, status):
        if status == 0:
            self._done.add(run)
            self._told.append(f"{run.name}: done in {run.seconds():.0f} s")
            return
        failure = run.failure()
        if failure is None:
            reason = f"Its process ended with exit status {status}; its log says more."
            run.fail(reason, status)
        else:
            reason = failure["reason"]
        self._failed.add(run)
        self._told.append(f"{run.name}: failed: {reason}")

    def _seconds_left(self):
        done = [self._cost(run) for run in self._done]
        at_work = set(self._engine.at_work)
        open_runs = [r for r in self._study.runs if r not in self._done and r not in self._failed]
        left = [
            self._study.steps(run) - (run.steps_done() if run.name in at_work else 0)
            for run in open_runs
        ]
        return seconds_left(done, left, self._engine.workers)

    def _cost(self, run):
        if run not in self._costs:
            self._costs[run] = (self._study.steps(run), run.seconds())
        return self._costs[run]
