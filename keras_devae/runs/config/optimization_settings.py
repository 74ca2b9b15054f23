"""Checks the settings of the optimizer and of a run's length against each other."""

from keras_devae.errors import UsageError
from keras_devae.runs.config.settings import AVERAGING_OPTIMIZERS, TrainingSettings

#: Ways to clip gradients, of which Keras applies one.
_CLIPPING = ("clipnorm", "global_clipnorm", "clipvalue")
#: Settings that only an optimizer can follow.
OPTIMIZATION = (
    *("epochs", "optimizer", "learning_rate_schedule", "plateau_factor", "plateau_patience"),
    *("warmup_steps", "beta_1", "weight_decay", *_CLIPPING, "ema_momentum"),
    *("ema_overwrite_frequency", "init_from"),
)


def check_optimization(training: TrainingSettings) -> None:
    """Checks length, optimizer, clipping and warm-up of the training; raises a `UsageError`."""
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
