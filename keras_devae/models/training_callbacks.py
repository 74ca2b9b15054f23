"""The callbacks that every model's `fit` adds: a step counter's synchronisation, and a guard."""

import logging
import math
from typing import Any

import keras

from keras_devae.errors import FailureError

logger = logging.getLogger("keras_devae")


def steps_done(model: keras.Model) -> int:
    """Returns the number of training steps done; also works on several devices.

    This is the optimizer's count of updates or, with gradient accumulation, the number of batches,
    which Keras's learning-rate schedules also follow.
    """
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    updates = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
    batches = optimizer.gradient_accumulation_steps
    if not batches:
        return updates
    # Keras counts only whole updates; the model also counts batches since the last one.
    counted = int(keras.ops.convert_to_numpy(model.steps.step))
    return counted if counted // batches == updates else updates * batches


class StepSynchronization(keras.callbacks.Callback):
    """Keeps a model's count of training steps equal to the optimizer's, see `steps_done`.

    The two differ after `compile` with a new optimizer, which restarts schedules, and after steps
    that a loss-scaling optimizer skipped.
    """

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Sets the model's count to the optimizer's."""
        self.model.steps.set(steps_done(self.model))


class TrainingGuard(keras.callbacks.Callback):
    """Stops training at the first loss that is not finite, and reports a collapsed posterior.

    Every model's `fit` adds one automatically, unless you pass one.

    Args:
        start_step: Steps done before, or `None` (default) for the optimizer's count, which does
            not include steps that were skipped because a float16 gradient overflowed.

    Raises:
        FailureError: From `fit`, at the end of the compiled execution in which a loss became NaN or
            infinite, naming the step and the component.

    Example:
        >>> images = kd.data.load("dsprites", image_size=32).images(range(64))
        >>> model = kd.BetaVAE.for_images((32, 32, 1), beta=2.0, seed=0)
        >>> model.compile("adam")
        >>> guard = kd.callbacks.TrainingGuard(start_step=1000)  # messages count from there
        >>> history = model.fit(images, callbacks=[guard], verbose=0)
    """

    def __init__(self, start_step: int | None = None) -> None:
        super().__init__()
        self._start_step = start_step

    def on_train_begin(self, logs: Any = None) -> None:
        """Notes the step at which training starts."""
        start, self._start_step = self._start_step, None
        self._step = self._epoch_start = steps_done(self.model) if start is None else start

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Checks the running means, which a single non-finite step makes non-finite."""
        first, self._step = self._step + 1, self._epoch_start + batch + 1
        values = {name: float(value) for name, value in (logs or {}).items()}
        bad = [name for name, value in values.items() if not math.isfinite(value)]
        if bad:
            component = next((name for name in bad if name != "loss"), "loss")
            # Keras reports all steps of one execution at once.
            one = first >= self._step
            where = f"at step {self._step}" if one else f"in steps {first} to {self._step}"
            bounded = self.model.likelihood.bounded
            suspects = "values outside [0, 1]" if bounded else "extreme values"
            raise FailureError(
                f"Training stopped {where}: {component} became {values[component]}. "
                "Start again with a lower learning rate (--learning-rate), or check the images for "
                f"{suspects}. Resuming from a checkpoint would end in the same way, but those "
                "written before this step can be inspected."
            )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Notes where the next epoch starts."""
        self._epoch_start = self._step

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Logs the model's warnings about its own state."""
        for sentence in self.model.training_warnings(logs or {}):
            logger.warning("%s", sentence)
