"""Which runs of a study may be trained together, before Keras is imported."""

import pytest

from keras_devae.errors import UsageError
from keras_devae.studies.grouping import Grouping, check_engine


@pytest.fixture
def grouping(make_study, monkeypatch):
    """Makes a study on JAX and groups its runs; returns both."""

    def make(sweep, size=16, **settings):
        monkeypatch.setattr("keras_devae.studies.grouping.chosen_backend", lambda: "jax")
        study = make_study(sweep, **settings)
        return study, Grouping(study, size)

    return make


def groups_of(study, grouping):
    waiting, found = list(study.runs), []
    while waiting:
        group = grouping.pick(waiting.pop(0), waiting)
        waiting = [run for run in waiting if run not in group]
        found.append([study.runs.index(run) for run in group])
    return found


def test_seeds_and_numbers_are_alike(grouping):
    runs = [
        {"seed": 0},
        {"seed": 1},
        {"beta": 4},
        {"beta": 2.5, "learning_rate": 0.1},
        {"metrics": ["active_variables"]},
        {"early_stopping": 3},
    ]
    made = grouping({"list": runs}, model="beta_vae")
    assert groups_of(*made) == [[0, 1, 2, 3, 4, 5]]
    assert made[1].describe() == ["6 runs in 1 group"]


@pytest.mark.parametrize(
    "other",
    [
        {"model": "beta_tc_vae"},
        {"batch_size": 8},
        {"steps": 6},
        {"latent_dim": 3},
        {"checkpoint_every": 1},
        {"clipnorm": 1.0},
        {"optimizer": "sgd"},
        {"variants": ["subset:10"]},
        {"mixed_precision": "float16"},
    ],
    ids=str,
)
def test_everything_else_makes_another_group(grouping, other):
    made = grouping({"list": [{"seed": 0}, {"seed": 1, **other}, {"seed": 2}]})
    assert groups_of(*made) == [[0, 2], [1]]
    assert made[1].describe() == [
        "2 runs in 1 group",
        "trained alone: 1 (no other run is like it)",
    ]


def test_groups_have_a_largest_size(grouping):
    made = grouping({"product": {"seed": list(range(5))}}, size=2)
    assert groups_of(*made) == [[0, 1], [2, 3], [4]]
    with pytest.raises(UsageError, match=r"`group_size` must be a whole number of at least 2"):
        Grouping(made[0], 1)


def test_what_cannot_be_trained_together_is_trained_alone(grouping):
    runs = [
        {"seed": 0},
        {"seed": 1},
        {"model": "pca", "network": "linear"},
        {"backend": "tensorflow"},
        {"jit_compile": False},
        {"distribute": "data-parallel"},
    ]
    study, made = grouping({"list": runs})
    assert groups_of(study, made) == [[0, 1], [2], [3], [4], [5]]
    first, second = made.describe()
    assert first == "2 runs in 1 group"
    assert second == (
        "trained alone: 1 (pca is fitted in one go), 1 (the backend tensorflow trains one run at a "
        "time), 1 (`jit_compile` is off), 1 (`distribute` gives one run all devices)"
    )
    made.check()


def test_a_study_without_any_group_is_refused(grouping):
    _, made = grouping({"model": "pca", "network": "linear"})
    with pytest.raises(
        UsageError, match=r"together: pca is fitted in one go. Leave --together out"
    ):
        made.check()


def test_ray_is_refused():
    check_engine("local")
    with pytest.raises(UsageError, match=r"--together needs --engine local or inline.* ray"):
        check_engine("ray")
