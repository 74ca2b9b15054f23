"""Builds the optimizer of a run, with its learning-rate schedule, from Keras's own parts."""

from typing import Any

import keras

from keras_devae.models.averaged_weights import single_optimizers
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.config.settings import TrainingSettings


def build_optimizer(training: TrainingSettings) -> keras.optimizers.Optimizer:
    """Returns the optimizer that the settings of a run name.

    Options that are left out keep the defaults of the optimizer's class in Keras.

    Args:
        training: The settings, with the number of steps in total.

    Example:
        >>> from keras_devae.runs.config.settings import TrainingSettings
        >>> build_optimizer(TrainingSettings(optimizer="sgd", clipnorm=1.0)).clipnorm
        1.0
    """
    options: dict[str, Any] = {
        name: getattr(training, name)
        for name in (
            *("beta_1", "weight_decay", "clipnorm", "global_clipnorm", "clipvalue"),
            *("ema_momentum", "ema_overwrite_frequency"),
        )
        if getattr(training, name) is not None
    }
    if training.ema_momentum is not None:
        options["use_ema"] = True
    kind = type(keras.optimizers.get(training.optimizer))
    return kind(learning_rate=learning_rate_of(training), **options)


def learning_rate_of(
    training: TrainingSettings,
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Returns the learning rate of a run: a number, or a schedule of Keras.

    With warm-up, it rises linearly from 0. `cosine` then falls to 0 at the last step (Loshchilov
    and Hutter 2017, SGDR: Stochastic Gradient Descent with Warm Restarts, without restarts).
    """
    rate, warmup = training.learning_rate, training.warmup_steps
    if training.learning_rate_schedule == "plateau":
        return rate  # `PlateauRate` sets it while training.
    schedules = keras.optimizers.schedules
    if training.learning_rate_schedule == "cosine":
        rise = {"warmup_target": rate, "warmup_steps": warmup} if warmup else {}
        return schedules.CosineDecay(0.0 if warmup else rate, training.steps - warmup, **rise)
    if warmup:
        return schedules.PolynomialDecay(0.0, warmup, end_learning_rate=rate, power=1.0)
    return rate


def fit_to_length(model: keras.Model, config: RunConfig) -> None:
    """Gives a model from a checkpoint the schedule of its run's length, which may have changed."""
    model.steps_per_execution = config.compute.steps_per_execution or 1
    if config.training.learning_rate_schedule == "cosine":
        optimizer = single_optimizers(model.optimizer)[-1]
        optimizer.learning_rate = learning_rate_of(config.training)


def current_learning_rate(optimizer: keras.optimizers.Optimizer) -> float:
    """Returns the learning rate of the next step; of several optimizers, of the default one."""
    rate = single_optimizers(optimizer)[-1].learning_rate
    return float(keras.ops.convert_to_numpy(rate))
