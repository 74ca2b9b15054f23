"""What `fit` of every model does beside training: it counts, watches and reports."""

import logging
import math

import keras

from keras_devae.errors import FailureError

logger = logging.getLogger("keras_devae")


def steps_done(model):
    """Returns the number of training steps done, an integer, on several devices too.

    It is the optimizer's count of updates; or, with gradient accumulation, that of batches, by
    which Keras's schedules of the learning rate go too.
    """
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    updates = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
    batches = optimizer.gradient_accumulation_steps
    if not batches:
        return updates
    # Keras tells the whole updates only, the model's own count the batches on the way to the next.
    counted = int(keras.ops.convert_to_numpy(model.steps.step))
    return counted if counted // batches == updates else updates * batches


class StepSynchronization(keras.callbacks.Callback):
    """Keeps a model's count of training steps equal to the optimizer's, see `steps_done`.

    The model counts by itself, because a compiled step on JAX sees the model's variables but not
    the optimizer's. The two differ after `compile` with a new optimizer, which starts schedules
    anew, and after steps that a loss-scaling optimizer skipped.
    """

    def on_epoch_begin(self, epoch, logs=None):
        """Takes over the optimizer's count."""
        self.model.steps.set(steps_done(self.model))


class TrainingGuard(keras.callbacks.Callback):
    """Stops training at the first loss that is not finite, and reports a collapsed posterior.

    `fit` of every model adds one by itself, unless it is given one.

    Args:
        start_step: Steps done before, or `None` (default) for those of the optimizer, which does
            not count steps that it left out because a float16 gradient overflowed.

    Raises:
        FailureError: From `fit`, at the end of the compiled execution in which a loss became NaN or
            infinite, naming the step and the component.
    """

    def __init__(self, start_step=None):
        super().__init__()
        self._start_step = start_step

    def on_train_begin(self, logs=None):
        """Notes the step that training starts from."""
        start, self._start_step = self._start_step, None
        self._step = self._epoch_start = steps_done(self.model) if start is None else start

    def on_train_batch_end(self, batch, logs=None):
        """Checks the running means; one non-finite step is enough to spoil them."""
        first, self._step = self._step + 1, self._epoch_start + batch + 1
        values = {name: float(value) for name, value in (logs or {}).items()}
        bad = [name for name, value in values.items() if not math.isfinite(value)]
        if bad:
            component = next((name for name in bad if name != "loss"), "loss")
            # Several steps of one execution come back together.
            one = first >= self._step
            where = f"at step {self._step}" if one else f"in steps {first} to {self._step}"
            bounded = self.model.likelihood.bounded
            suspects = "values outside [0, 1]" if bounded else "extreme values"
            raise FailureError(
                f"Training stopped {where}: {component} became {values[component]}. "
                "Begin anew with a lower learning rate (--learning-rate), or check the images for "
                f"{suspects}. To go on from a checkpoint would end in the same way, but those "
                "written before this step are good to look at."
            )

    def on_epoch_end(self, epoch, logs=None):
        """Moves the start of the epoch."""
        self._epoch_start = self._step

    def on_train_end(self, logs=None):
        """Says in words what the model finds wrong with its own state."""
        for sentence in self.model.training_warnings(logs or {}):
            logger.warning("%s", sentence)
