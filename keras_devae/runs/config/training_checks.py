"""What the settings of training must fulfil together."""

from keras_devae.errors import UsageError
from keras_devae.runs.config.settings import (
    AVERAGING_OPTIMIZERS,
    ComputeSettings,
    ModelSettings,
    TrainingSettings,
)

#: Ways to clip gradients, of which Keras applies one.
_CLIPPING = ("clipnorm", "global_clipnorm", "clipvalue")
#: Settings that only an optimizer can follow.
_OPTIMIZATION = (
    *("epochs", "optimizer", "learning_rate_schedule", "plateau_factor", "plateau_patience"),
    *("warmup_steps", "beta_1", "weight_decay", *_CLIPPING, "ema_momentum"),
    *("ema_overwrite_frequency", "init_from"),
)


def check_fitted(
    model: ModelSettings, training: TrainingSettings, compute: ComputeSettings
) -> None:
    """Checks the settings that are fixed for a model that scikit-learn fits."""
    name = model.name
    if model.likelihood == "bernoulli":
        raise UsageError(f"{name} has a Gaussian likelihood. Received: bernoulli.")
    if compute.distribute is not None:
        raise UsageError(f"{name} is fitted on one device. Leave `distribute` out.")
    defaults = TrainingSettings()
    for setting in _OPTIMIZATION:
        value = getattr(training, setting)
        if value != getattr(defaults, setting):
            raise UsageError(
                f"{name} is fitted in one go. Leave `{setting}` out. Received: {value}."
            )


def check_optimization(training: TrainingSettings) -> None:
    """Checks length, clipping and warm-up of the training."""
    if training.epochs is not None and training.steps != TrainingSettings().steps:
        raise UsageError(
            "`steps` and `epochs` are two ways to state the length of a run: leave one of them "
            f"out. Received: steps={training.steps}, epochs={training.epochs}."
        )
    if training.beta_1 is not None and training.optimizer not in AVERAGING_OPTIMIZERS:
        raise UsageError(
            f"`beta_1` is for {', '.join(AVERAGING_OPTIMIZERS)}: leave it out, or choose one of "
            f"these. Received: beta_1={training.beta_1}, optimizer={training.optimizer}."
        )
    clips = [n for n in _CLIPPING if getattr(training, n) is not None]
    if len(clips) > 1:
        raise UsageError(
            "Gradients are clipped in one way: leave out all but one of "
            f"{', '.join(f'`{name}`' for name in clips)}."
        )
    if training.ema_overwrite_frequency is not None and training.ema_momentum is None:
        raise UsageError("`ema_overwrite_frequency` needs `ema_momentum`.")
    if training.epochs is None and training.warmup_steps >= training.steps > 1:
        raise UsageError(
            f"`warmup_steps` must be below `steps`, which is {training.steps}. "
            f"Received: {training.warmup_steps}."
        )


def check_steps_per_execution(training: TrainingSettings, compute: ComputeSettings) -> None:
    """Checks that the steps per compiled call divide the other numbers of steps."""
    steps_per_execution = compute.steps_per_execution
    for name in ("steps", "checkpoint_every"):
        steps = getattr(training, name)
        if name == "steps" and training.epochs is not None:
            continue  # `resolved` computes them, and checks again.
        if steps_per_execution is not None and steps % steps_per_execution:
            raise UsageError(
                f"`steps_per_execution` must divide `{name}`. Received: "
                f"steps_per_execution={steps_per_execution}, {name}={steps}."
            )
