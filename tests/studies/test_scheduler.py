"""Which run is next, with an engine that only says how its processes ended."""

import pytest

from keras_devae.errors import UsageError
from keras_devae.studies import scheduler
from keras_devae.studies.engines.base import EndedRun, Engine
from keras_devae.studies.grouping import Grouping
from keras_devae.studies.scheduler import carry_out_study, estimate_seconds_left
from keras_devae.studies.worker import BUSY


class ScriptedEngine(Engine):
    """Ends runs as a script says: for each seed the exit statuses of its processes, default 0."""

    workers = property(lambda self: self.places)

    def __init__(self, study, finish_run, script=None, workers=2):
        self.study, self.finish_run, self.script = study, finish_run, script or {}
        self.places, self.started, self.begun = workers, [], []

    def __exit__(self, *error):
        # Nothing can be asked of it any more.
        del self.places

    @property
    def running(self):
        return [run.name for run in self.begun]

    def start(self, run):
        assert self.has_room()
        self.started.append(self.seed(run))
        self.begun.append(run)

    def take_ended(self):
        runs, self.begun = self.begun, []
        return [EndedRun(run, self.end(run), 1.0) for run in runs]

    def seed(self, run):
        return self.study.plan[run.name][1].training.seed

    def end(self, run):
        statuses = self.script.get(self.seed(run), [0])
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        if status == 0:
            self.finish_run(self.study, run)
        if status == 1:
            run.fail("It did not work.", 1)
        return status


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(scheduler, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(scheduler, "_CHECK_SECONDS", 0)


@pytest.fixture
def carry_out(make_study, finish_run):
    """Carries a study of five seeds out; returns its last standing and the seeds started."""

    def carry_out(script=None, **options):
        study = make_study({"product": {"seed": list(range(5))}})
        engine = ScriptedEngine(study, finish_run, script)
        standing = carry_out_study(study, engine, lambda standing: None, **options)
        return study, standing, engine.started

    return carry_out


def test_every_run_is_run_once_and_then_never_again(carry_out):
    _, standing, started = carry_out()
    assert started == [0, 1, 2, 3, 4] and standing[:4] == (5, 0, 0, 0)
    _, standing, started = carry_out()
    assert started == [] and standing.done == standing.total == 5


def test_a_failure_does_not_stop_the_others_and_is_not_repeated_unasked(carry_out):
    study, standing, started = carry_out({1: [1]})
    assert started == [0, 1, 2, 3, 4] and standing.failed == 1 and standing.done == 4
    assert [run.reason() for run in study.runs] == [None, "It did not work.", None, None, None]
    _, standing, started = carry_out()
    assert started == [] and standing.failed == 1
    study, standing, started = carry_out(retry_failed=True)
    assert started == [1] and standing.done == 5
    assert [run.reason() for run in study.runs] == [None] * 5


@pytest.mark.parametrize("killed", [-9, None, 130, 143])
def test_a_killed_run_is_taken_up_again(carry_out, killed):
    _, standing, started = carry_out({2: [killed, killed, 0]})
    assert sorted(started) == [0, 1, 2, 2, 2, 3, 4] and standing.done == 5


def test_a_run_that_is_killed_every_time_has_failed(carry_out):
    study, standing, started = carry_out({2: [-9]})
    assert started.count(2) == 3 and standing.done == 4 and standing.failed == 1
    failure = study.runs[2].failure()
    assert "3 times its process was killed by SIGKILL" in failure["reason"]
    assert failure["status"] == -9


def test_a_killed_run_is_tried_again_after_those_that_wait(carry_out):
    _, _, started = carry_out({0: [-9, 0]})
    assert started == [0, 1, 2, 3, 4, 0]


def test_every_run_that_ends_is_told_of_once(make_study, finish_run):
    study, told = make_study({"product": {"seed": list(range(5))}}), []
    engine = ScriptedEngine(study, finish_run, {1: [1]}, workers=5)
    carry_out_study(study, engine, lambda standing: told.extend(standing.ended))
    assert [line.split(":")[0] for line in told] == [run.name for run in study.runs]
    assert told[1].endswith(": failed: It did not work.")


def test_a_process_that_ends_without_a_word_has_failed(carry_out):
    study, standing, _ = carry_out({0: [3]})
    assert standing.failed == 1 and "exit status 3" in study.runs[0].reason()


def test_what_another_process_has_in_hands_is_left_to_it(carry_out, make_study, finish_run):
    study = make_study({"product": {"seed": list(range(5))}})
    lock = study.runs[3].lock()
    lock.acquire()
    seen = []

    def report(standing):
        seen.append(standing)
        if standing.done == 4:
            # The other process comes to its end.
            finish_run(study, study.runs[3])
            lock.release()

    engine = ScriptedEngine(study, finish_run)
    standing = carry_out_study(study, engine, report)
    assert engine.started == [0, 1, 2, 4] and standing.done == 5
    assert seen[0].running == 3


def test_what_another_process_leaves_undone_is_taken_over(make_study, finish_run):
    study = make_study({"product": {"seed": list(range(3))}})
    lock = study.runs[1].lock()
    lock.acquire()
    engine = ScriptedEngine(study, finish_run)
    standing = carry_out_study(
        study, engine, lambda standing: lock.release() if standing.done == 2 else None
    )
    assert sorted(engine.started) == [0, 1, 2] and standing.done == 3


def test_a_worker_that_finds_its_run_taken_does_no_harm(carry_out):
    _, standing, started = carry_out({0: [BUSY, 0]})
    assert started.count(0) == 2 and standing.done == 5 and standing.failed == 0


def test_what_has_been_begun_comes_first(make_study, finish_run):
    study = make_study({"product": {"seed": list(range(4))}})
    begun = study.runs[2]
    finish_run(study, begun)
    begun.directory.report_file.unlink()
    assert study.counts() == {"done": 0, "running": 0, "interrupted": 1, "failed": 0, "waiting": 3}
    engine = ScriptedEngine(study, finish_run)
    carry_out_study(study, engine, lambda standing: None)
    assert engine.started == [2, 0, 1, 3]


def test_nothing_is_said_before_anything_is_known():
    assert estimate_seconds_left([], [10, 10], 1) is None
    assert estimate_seconds_left([(10, 0.0)], [10], 1) is None


def test_steps_cost_what_they_did_and_are_shared_among_the_workers():
    # Two seconds a step; 40 steps to go.
    assert estimate_seconds_left([(10, 20.0), (5, 10.0)], [10, 10, 20], 2) == pytest.approx(40)
    assert estimate_seconds_left([(10, 20.0), (99, 0.0)], [10, 10, 20], 1) == pytest.approx(80)


def test_the_last_run_is_not_shared():
    assert estimate_seconds_left([(1, 1.0)], [30], 4) == pytest.approx(30)
    assert estimate_seconds_left([(1, 1.0)], [], 4) == 0


class GroupEngine(ScriptedEngine):
    """Notes which runs are started together."""

    def start_together(self, runs):
        self.started.append([self.seed(run) for run in runs])
        self.begun += runs


def test_runs_are_started_in_groups_and_what_was_killed_again(make_study, finish_run, monkeypatch):
    monkeypatch.setattr("keras_devae.studies.grouping.chosen_backend", lambda: "jax")
    study = make_study({"product": {"seed": list(range(5))}})
    finish_run(study, study.runs[1])
    engine = GroupEngine(study, finish_run, {0: [-9, 0], 2: [-9, 0], 3: [1]})
    standing = carry_out_study(study, engine, lambda standing: None, grouping=Grouping(study, 3))
    assert engine.started == [[0, 2, 3], [4, 0, 2]]
    assert (standing.done, standing.failed) == (4, 1)


def test_an_engine_that_trains_runs_one_by_one_says_so(make_study, finish_run):
    study = make_study({"product": {"seed": [0, 1]}})
    engine = ScriptedEngine(study, finish_run)
    with pytest.raises(UsageError, match=r"ScriptedEngine trains no runs together. Received: 2"):
        engine.start_together(study.runs)
