"""Runs that keep a moving average of the weights, against the average computed from checkpoints."""

import shutil

import keras
import numpy as np
import pytest
from tiny_settings import TINY

from keras_devae.models.averaged_weights import averages_in_place, copy_weights
from keras_devae.runs import Run, RunConfig
from keras_devae.runs.trained_model import load_run_model

SETTINGS = {**TINY, "deterministic": True, "learning_rate": 0.01, "checkpoint_every": 1}
AVERAGED = {"ema_momentum": 0.75, "keep": 10, "validation_split": 0.2, "steps": 4}


def trained(path, **changes):
    with Run.new(RunConfig(**{**SETTINGS, **changes}), path) as run:
        run.train(progress=False)
    return run


def weights_at(run, step):
    return copy_weights(load_run_model(run.folder.checkpoint_file(step), run.config))


def assert_equal(some, others):
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def averaged(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("runs") / "averaged", **AVERAGED)


@pytest.mark.backends
def test_model_has_the_average_and_checkpoints_the_weights(averaged, tmp_path):
    expected = weights_at(averaged, 1)
    for step in (2, 3, 4):
        pairs = zip(expected, weights_at(averaged, step), strict=True)
        expected = [0.75 * one + 0.25 * other for one, other in pairs]
    saved = Run.open(averaged.folder.path).model
    for kept in (averaged.model, saved):
        for one, other in zip(copy_weights(kept), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert_equal(copy_weights(averaged.model), copy_weights(saved))
    # Training itself does not change.
    plain = trained(tmp_path / "plain", **{**AVERAGED, "ema_momentum": None})
    assert_equal(weights_at(averaged, 4), weights_at(plain, 4))
    losses = saved.evaluate(averaged.held_out.batches(8, shuffle=False), verbose=0)
    row = averaged.folder.read_history()[-1]
    assert row["val_loss"] == pytest.approx(losses[0], rel=1e-5)
    assert row["loss"] == plain.folder.read_history()[-1]["loss"]


@pytest.mark.backends
def test_resumed_equals_uninterrupted(averaged, tmp_path):
    path = tmp_path / "resumed"
    shutil.copytree(averaged.folder.path, path)
    for name in (
        "model.keras",
        "checkpoints/step-00000003.keras",
        "checkpoints/step-00000004.keras",
    ):
        (path / name).unlink()
    halfway = copy_weights(Run.open(path).model)
    with averages_in_place(
        model := load_run_model(path / "checkpoints/step-00000002.keras", averaged.config)
    ):
        assert_equal(halfway, copy_weights(model))
    with Run.resume(path) as run:
        run.train(progress=False)
    assert_equal(copy_weights(run.model), copy_weights(averaged.model))
    assert_equal(weights_at(run, 4), weights_at(averaged, 4))
    assert run.folder.read_history() == averaged.folder.read_history()


@pytest.mark.backends
@pytest.mark.thorough
def test_two_optimizers_and_overwriting(tmp_path):
    options = {"model": "factor_vae", "model_options": {"discriminator_units": [4]}}
    changes = {**AVERAGED, **options, "ema_overwrite_frequency": 2, "validation_split": None}
    run = trained(tmp_path / "two", **changes)
    raw = dict(zip(names(run.model), weights_at(run, 4), strict=True))
    for name, weight in zip(names(run.model), copy_weights(run.model), strict=True):
        # Step 4 has set the weights to their average; the discriminator has none.
        np.testing.assert_allclose(weight, raw[name], rtol=1e-6, err_msg=name)
    odd = load_run_model(run.folder.checkpoint_file(3), run.config)
    before = copy_weights(odd)
    with averages_in_place(odd):
        pairs = zip(names(odd), copy_weights(odd), before, strict=True)
        changed = {name for name, one, other in pairs if (one != other).any()}
    assert changed and not any("discriminator" in name for name in changed)
    assert_equal(copy_weights(odd), before)


def names(model):
    return [weight.path for weight in model.trainable_variables]


@pytest.mark.backends
def test_loss_scaling_and_no_step():
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    inner = keras.optimizers.SGD(0.1, use_ema=True)
    model.compile(keras.optimizers.LossScaleOptimizer(inner), "mse")
    model.optimizer.build(model.trainable_variables)
    before = copy_weights(model)
    with averages_in_place(model):  # There is no average yet.
        assert_equal(before, copy_weights(model))
    model.train_on_batch(np.ones((4, 2), "float32"), np.ones((4, 1), "float32"))
    after = copy_weights(model)
    with averages_in_place(model):
        assert_equal(after, copy_weights(model))
