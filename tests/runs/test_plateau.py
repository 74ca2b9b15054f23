"""The learning-rate schedule plateau, against Keras's own callback, and in runs that are killed."""

import types

import keras
import numpy as np
import pytest
from tiny_settings import TINY

from keras_devae.errors import UsageError
from keras_devae.runs import Run, RunConfig
from keras_devae.runs.plateau import PlateauRate
from keras_devae.runs.stopping import Watch, describe_reductions, watch_of

SETTINGS = {**TINY, "deterministic": True, "learning_rate_schedule": "plateau"}


@pytest.mark.parametrize("rises", [False, True])
@pytest.mark.parametrize("patience", [1, 2, 3])
def test_equals_the_callback_of_keras(rises, patience):
    values = np.random.default_rng(patience).integers(0, 12, 60).astype(float)
    options = {"mode": "max" if rises else "min", "min_delta": 0.0}
    theirs = keras.callbacks.ReduceLROnPlateau("value", 0.5, patience, **options)
    model = types.SimpleNamespace(optimizer=keras.optimizers.SGD(1.0))
    theirs.set_model(model)
    theirs.on_train_begin()
    watch = Watch("value", rises, 0, None, False, 0.5, patience)
    points = list(enumerate(values))
    for step, value in points:
        theirs.on_epoch_end(step, {"value": value})
        rate = 0.5 ** len(watch.reductions(points[: step + 1]))
        assert rate == float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    assert len(watch.reductions(points)) > 3


def test_waits_for_the_start_and_takes_nan_for_no_improvement():
    watch = Watch("loss", False, 4, None, False, 0.1, 2)
    points = [(1, 0.0), (2, 1.0), (4, 9.0), (5, float("nan")), (6, 9.0), (7, 8.0)]
    assert [watch.reductions(points[:n]) for n in range(7)] == [[], [], [], [], [], [6], [6]]
    config = RunConfig(**SETTINGS, warmup_steps=4, steps=100)
    assert watch_of(config).starts == 6  # The row of step 4 has losses of the warm-up.


def test_warm_up_equals_the_schedule_of_keras():
    training = RunConfig(**SETTINGS, warmup_steps=4, learning_rate=0.5).training
    theirs = keras.optimizers.schedules.PolynomialDecay(0.0, 4, 0.5, power=1.0)
    ours = PlateauRate(training, None, None)
    expected = [float(keras.ops.convert_to_numpy(theirs(step))) for step in range(6)]
    np.testing.assert_allclose([ours.at(step) for step in range(6)], expected, rtol=1e-6)


@pytest.mark.backends
def test_killed_run_has_the_rates_of_an_uninterrupted_one(tmp_path):
    # The rate is so high that the loss soon no longer falls.
    given = {"learning_rate": 0.5, "plateau_patience": 1, "plateau_factor": 0.25, "steps": 17}
    config = RunConfig(**{**SETTINGS, **given, "warmup_steps": 3, "keep": 20})
    path = tmp_path / "run"
    with Run.new(config, path) as run:
        weights = run.train(progress=False).get_weights()
    history = run.folder.read_history()
    rates = [row["learning_rate"] for row in history]
    losses = [row["loss"] for row in history if row["step"] >= 5]
    worse = [loss >= min(losses[:n]) for n, loss in enumerate(losses) if n]
    assert rates[:2] == pytest.approx([1 / 6, 0.5]) and any(worse[:-1])
    assert rates[-1] == pytest.approx(0.5 * 0.25 ** sum(worse[:-1]))
    compared = [row["step"] for row in history if row["step"] >= 5][1:]
    falls = [str(step) for step, fell in zip(compared[:-1], worse[:-1], strict=True) if fell]
    plural = "s" if len(falls) > 1 else ""
    assert describe_reductions(run.folder, run.config) == (
        f"lowered to {rates[-1]:.3g} after step{plural} {', '.join(falls)}"
    )
    # Killed just after the first fall of the rate.
    fallen = next(row["step"] for row in history if row["learning_rate"] < 0.5)
    (path / "model.keras").unlink()
    for step in run.folder.checkpoint_steps():
        if step > fallen:
            run.folder.checkpoint_file(step).unlink()
    with Run.resume(path) as resumed:
        again = resumed.train(progress=False).get_weights()
    assert resumed.folder.read_history() == history
    for one, other in zip(weights, again, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.backends
@pytest.mark.thorough
def test_two_optimizers_and_a_watched_score(tmp_path):
    options = {"model": "factor_vae", "model_options": {"discriminator_units": [4]}}
    watched = {"track": ("mig",), "track_every": 2, "monitor": "mig", "plateau_patience": 1}
    config = RunConfig(**{**SETTINGS, **options, **watched, "steps": 8, "checkpoint_every": 2})
    with Run.new(config, tmp_path / "two") as run:
        model = run.train(progress=False)
    discriminating, encoding = model.optimizer.optimizers
    assert float(keras.ops.convert_to_numpy(discriminating.learning_rate)) == pytest.approx(1e-4)
    seen = run.folder.read_history()
    rate = float(keras.ops.convert_to_numpy(encoding.learning_rate))
    assert rate <= seen[-1]["learning_rate"] <= seen[0]["learning_rate"] == pytest.approx(1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate_schedule": "constant", "plateau_factor": 0.5}, "needs `learning_rate_sch"),
        ({"plateau_factor": 1.0}, "`plateau_factor` must be below 1"),
        ({"early_stopping": 10}, "`early_stopping` must be above `plateau_patience`, which is 10"),
        ({"monitor": "mig"}, "`monitor` mig needs the metric among those that `track` names"),
    ],
)
def test_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        RunConfig(**{**SETTINGS, **changes})
