"""The optimizer of a run against closed forms and Keras's own classes."""

import json
import math

import keras
import numpy as np
import pytest
from tiny_settings import TINY

from keras_devae import data
from keras_devae.errors import UsageError
from keras_devae.runs import Run, RunConfig
from keras_devae.runs.compute import completed_config
from keras_devae.runs.config.flat_settings import config_from_settings
from keras_devae.runs.config.settings import OPTIMIZERS, TrainingSettings
from keras_devae.runs.optimization import build_optimizer, current_learning_rate
from keras_devae.runs.training import build_model


def rates(steps, **settings):
    """Returns the learning rate before each step, and after the last one."""
    optimizer = build_optimizer(TrainingSettings(steps=steps, learning_rate=0.5, **settings))
    found = []
    for step in range(steps + 1):
        optimizer.iterations.assign(step)
        found.append(float(keras.ops.convert_to_numpy(optimizer.learning_rate)))
    return found


def test_the_default_is_the_published_optimizer():
    optimizer, adam = build_optimizer(TrainingSettings()), keras.optimizers.Adam(1e-4)
    assert type(optimizer) is keras.optimizers.Adam
    assert {**optimizer.get_config(), "name": ""} == {**adam.get_config(), "name": ""}


@pytest.mark.backends
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_changes_weights(name):
    optimizer = build_optimizer(TrainingSettings(optimizer=name, learning_rate=0.1))
    assert type(optimizer).__name__.lower() == name
    variable = keras.Variable(np.ones((3, 2), "float32"))
    optimizer.build([variable])
    optimizer.apply([keras.ops.ones((3, 2))])
    value = keras.ops.convert_to_numpy(variable)
    assert np.isfinite(value).all() and (value < 1).all()


@pytest.mark.backends
@pytest.mark.parametrize(
    ("clipping", "expected"),
    [
        ({"clipnorm": 1.0}, ([0.6, 0.8], [0.0, 1.0])),
        ({"global_clipnorm": 1.0}, ([3 / 13, 4 / 13], [0.0, 12 / 13])),
        ({"clipvalue": 2.0}, ([2.0, 2.0], [0.0, 2.0])),
    ],
)
def test_clipping(clipping, expected):
    optimizer = build_optimizer(TrainingSettings(optimizer="sgd", learning_rate=1.0, **clipping))
    variables = [keras.Variable(np.zeros(2, "float32")) for _ in range(2)]
    optimizer.build(variables)
    optimizer.apply([keras.ops.array([3.0, 4.0]), keras.ops.array([0.0, 12.0])])
    for variable, change in zip(variables, expected, strict=True):
        value = keras.ops.convert_to_numpy(variable)
        np.testing.assert_allclose(value, -np.asarray(change), rtol=1e-5)


def test_weight_decay():
    optimizer = build_optimizer(
        TrainingSettings(optimizer="sgd", learning_rate=0.5, weight_decay=0.1)
    )
    variable = keras.Variable(np.full(2, 2.0, "float32"))
    optimizer.build([variable])
    optimizer.apply([keras.ops.zeros(2)])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), 2 - 0.5 * 0.1 * 2, rtol=1e-6)


def test_decay_of_the_average_of_gradients():
    assert build_optimizer(TrainingSettings(beta_1=0.5)).beta_1 == 0.5
    assert build_optimizer(TrainingSettings()).beta_1 == keras.optimizers.Adam().beta_1


def test_constant_rate_with_warmup():
    np.testing.assert_allclose(rates(6, warmup_steps=4), [0, 0.125, 0.25, 0.375, 0.5, 0.5, 0.5])
    assert rates(3) == [0.5] * 4


@pytest.mark.parametrize("warmup", [0, 4])
def test_cosine(warmup):
    rise = [0.5 * step / 4 for step in range(warmup)]
    fall = [0.25 * (1 + math.cos(math.pi * step / (10 - warmup))) for step in range(11 - warmup)]
    found = rates(10, learning_rate_schedule="cosine", warmup_steps=warmup)
    np.testing.assert_allclose(found, rise + fall, atol=1e-7)


def test_the_discriminator_keeps_its_own_optimizer():
    dataset = data.load("dsprites", source="rendered", image_size=32)
    given = {**TINY, "model": "factor_vae", "model_options": {"discriminator_units": [4]}}
    config = RunConfig(**given, optimizer="sgd", clipnorm=1.0).resolved(dataset)
    model = build_model(completed_config(config, dataset), dataset)
    discriminating, encoding = model.optimizer.optimizers
    assert type(discriminating) is keras.optimizers.Adam and discriminating.clipnorm is None
    assert type(encoding) is keras.optimizers.SGD and encoding.clipnorm == 1.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "adamm"}, "adam"),
        ({"optimizer": "sgd", "beta_1": 0.5}, "`beta_1` is for adam, .* optimizer=sgd"),
        ({"beta_1": 1}, "beta_1"),
        ({"learning_rate_schedule": "cosin"}, "cosine"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, "`clipnorm`, `clipvalue`"),
        ({"warmup_steps": 10, "steps": 10}, "`warmup_steps` must be below `steps`, which is 10"),
        ({"epochs": 2, "steps": 10}, "leave one of them out"),
        ({"epochs": 2, "steps": 20_000}, "leave one of them out"),
        ({"epochs": 0}, "at least 1"),
        ({"ema_momentum": 1.0}, "`ema_momentum` must be below 1"),
        ({"ema_overwrite_frequency": 2}, "`ema_overwrite_frequency` needs `ema_momentum`"),
        ({"model": "pca", "ema_momentum": 0.9}, "Leave `ema_momentum` out"),
        ({"model": "pca", "optimizer": "sgd"}, "pca is fitted in one go. Leave `optimizer` out"),
        ({"model": "pca", "epochs": 2}, "Leave `epochs` out"),
    ],
)
def test_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        config_from_settings(settings)


def test_epochs_become_steps():
    dataset = data.from_arrays(np.full((90, 32, 32, 1), 200, np.uint8))
    config = config_from_settings({"epochs": 3, "batch_size": 64, "preset": "quick"})
    resolved = config.resolved(dataset)
    assert (resolved.training.steps, resolved.training.epochs) == (5, None)  # ceil(270 / 64)
    assert RunConfig.from_nested(resolved.to_nested()) == resolved
    with pytest.raises(UsageError, match="warmup_steps"):
        config.replace(warmup_steps=5).resolved(dataset)


@pytest.mark.backends
def test_resumed_equals_uninterrupted(tmp_path):
    """The schedule and the optimizer's state continue in a resumed run."""
    settings = {**TINY, "deterministic": True, "epochs": 1, "optimizer": "adamw"}
    settings |= {"learning_rate_schedule": "cosine", "warmup_steps": 2, "global_clipnorm": 1.0}
    for name in ("whole", "resumed"):
        with Run.new(RunConfig(**settings), tmp_path / name) as run:
            weights = run.train(progress=False).get_weights()
            assert run.config.training.steps == 7
    (tmp_path / "resumed" / "model.keras").unlink()
    for file in (tmp_path / "resumed" / "checkpoints").glob("step-00000007*"):
        file.unlink()
    with Run.resume(tmp_path / "resumed") as run:
        again = run.train(progress=False).get_weights()
    for one, other in zip(weights, again, strict=True):
        np.testing.assert_array_equal(one, other)
    recorded = json.loads((tmp_path / "resumed" / "config.json").read_text())
    assert recorded["settings"]["training"]["steps"] == 7


@pytest.mark.backends
def test_learning_rate_of_several_optimizers():
    own, other = keras.optimizers.SGD(0.25), keras.optimizers.SGD(0.5)
    both = keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(own, {"x": other}))
    assert current_learning_rate(own) == 0.25
    assert current_learning_rate(both) == 0.25
    assert current_learning_rate(keras.optimizers.LossScaleOptimizer(both)) == 0.25
