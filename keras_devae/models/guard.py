"""What `fit` of every model does beside training: it counts, watches and reports."""

import logging
import math

import keras

from keras_devae.errors import FailureError

logger = logging.getLogger("keras_devae")


class StepSynchronization(keras.callbacks.Callback):
    """Keeps a model's count of training steps equal to `optimizer.iterations`.

    The model counts by itself, because a compiled step on JAX sees the model's variables but not
    the optimizer's. The two differ after `compile` with a new optimizer, which starts schedules
    anew, and after steps that a loss-scaling optimizer skipped.
    """

    def on_epoch_begin(self, epoch, logs=None):
        """Takes over the optimizer's count."""
        self.model.steps.set(int(self.model.optimizer.iterations))


class TrainingGuard(keras.callbacks.Callback):
    """Stops training at the first loss that is not finite, and reports a collapsed posterior.

    `fit` of every model adds one by itself.

    Raises:
        FailureError: From `fit`, at the end of the compiled execution in which a loss became NaN or
            infinite, naming the step and the component.
    """

    def on_train_begin(self, logs=None):
        """Notes the step that training starts from."""
        self._epoch_start = int(self.model.optimizer.iterations)
        self._step = self._epoch_start

    def on_train_batch_end(self, batch, logs=None):
        """Checks the running means; one non-finite step is enough to spoil them."""
        self._step = self._epoch_start + batch + 1
        values = {name: float(value) for name, value in (logs or {}).items()}
        bad = [name for name, value in values.items() if not math.isfinite(value)]
        if bad:
            component = next((name for name in bad if name != "loss"), "loss")
            raise FailureError(
                f"Training stopped at step {self._step}: {component} became {values[component]}. "
                "Lower the learning rate, or check the images for extreme values; the last "
                "checkpoint written before this step is still good."
            )

    def on_epoch_end(self, epoch, logs=None):
        """Moves the start of the epoch."""
        self._epoch_start = self._step

    def on_train_end(self, logs=None):
        """Says in words what the model finds wrong with its own state."""
        for sentence in self.model.complaints(logs or {}):
            logger.warning("%s", sentence)
