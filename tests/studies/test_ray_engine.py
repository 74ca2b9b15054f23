"""A study on a Ray cluster of two nodes, both on this machine."""

import os
import signal
import time

import pytest

from keras_devae.errors import FailureError, UsageError
from keras_devae.studies.engines import make_engine
from keras_devae.studies.scheduler import carry_out_study

pytestmark = [
    pytest.mark.ray,
    # Ray leaves pipes and sockets of its processes to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def make_cluster():
    """Starts a cluster whose first node is as asked for, and ends it after the test."""
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    clusters = []

    def make(**head):
        clusters.append(cluster_utils.Cluster(initialize_head=True, head_node_args=head))
        return clusters[-1]

    yield make
    for cluster in clusters:
        cluster.shutdown()


@pytest.fixture
def cluster(make_cluster):
    """A cluster of two nodes with one processor each."""
    cluster = make_cluster(num_cpus=1)
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    return cluster


def engine(cluster, **options):
    return make_engine("ray", ray_options={"ray_address": cluster.address, **options})


def test_a_study_is_carried_out_on_two_nodes(cluster, make_study, workers_of):
    study = make_study({"list": [{"product": {"seed": [0, 1, 2]}}, {"learning_rate": 1e30}]})
    standings, killed = [], []

    def report(standing):
        standings.append(standing)
        # One process is killed as soon as there is one; it is taken up again.
        if not killed and (at_work := workers_of(study)):
            killed.extend(list(at_work.values())[:1])
            os.kill(killed[0], signal.SIGKILL)

    chosen = engine(cluster)
    assert chosen.workers == 2
    standing = carry_out_study(study, chosen, report)
    assert (standing.done, standing.failed) == (3, 1)
    assert max(standing.running for standing in standings) == 2
    assert [run.state() for run in study.runs] == ["done", "done", "done", "failed"]
    assert "became nan" in study.runs[3].reason()
    ends = [[a["status"] for a in run.attempts() if a["event"] == "end"] for run in study.runs]
    assert [each.count(0) for each in ends] == [1, 1, 1, 0]
    assert killed and sum(each.count(-signal.SIGKILL) for each in ends) == 1

    again = carry_out_study(study, engine(cluster), report)
    assert (again.done, again.failed) == (3, 1)
    assert [[a["status"] for a in r.attempts() if a["event"] == "end"] for r in study.runs] == ends


def test_what_a_lost_node_had_in_hands_is_taken_up_by_another(make_cluster, make_study):
    cluster = make_cluster(num_cpus=0)
    first = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    study = make_study({}, steps=2000, checkpoint_every=500)
    (run,) = study.runs
    lost = []

    def report(standing):
        if not lost and run.steps_done():
            lost.append(first)
            cluster.add_node(num_cpus=1)
            cluster.remove_node(first, allow_graceful=False)

    standing = carry_out_study(study, engine(cluster), report)
    assert lost and standing.done == 1
    starts = [a for a in run.attempts() if a["event"] == "start"]
    assert [a["step"] >= 500 for a in starts] == [False, True]
    assert [row["step"] for row in run.directory.read_history()] == list(range(500, 2001, 500))


def test_stopping_ends_the_processes_on_the_nodes(cluster, make_study, workers_of):
    study = make_study({"product": {"seed": [0, 1]}}, steps=100_000)

    def report(standing):
        if any(run.steps_done() for run in study.runs):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out_study(study, engine(cluster), report)
    end = time.monotonic() + 600
    # A process that ends loses its name before its lock.
    while workers_of(study) or study.counts()["running"]:
        assert time.monotonic() < end, "the workers go on"
        time.sleep(0.1)
    assert study.counts()["failed"] == 0 and study.counts()["interrupted"] >= 1


def test_a_run_that_fits_on_no_node_is_refused(cluster):
    with pytest.raises(UsageError, match=r"No node of the Ray cluster has .* 3 CPUs and 0 GPUs"):
        engine(cluster, cpus_per_run=3)
    with pytest.raises(UsageError, match="1 CPUs and 1 GPUs"):
        engine(cluster, gpus_per_run=1)


def test_a_cluster_that_is_not_there_is_a_failure(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    pytest.importorskip("ray")
    with pytest.raises(FailureError, match="Ray does not"):
        make_engine("ray", ray_options={"ray_address": "auto"})
