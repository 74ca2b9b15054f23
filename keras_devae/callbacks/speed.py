"""How fast a model trains."""

import time

from keras_devae.callbacks.measuring import MeasuringCallback


class SpeedCallback(MeasuringCallback):
    """Notes the training steps a second of each stretch of so many steps.

    The clock starts after the first execution, which compiles. Whatever else happens between the
    steps, such as checkpoints and other measurements, takes its time in the stretch in which it
    happens.

    Args:
        every_steps: Steps a stretch; default 1,000.
        directory: Folder for `speed.csv`, or `None` (default).
        tensorboard: Folder for TensorBoard event files, or `None` (default).

    Attributes:
        rows: List of dictionaries: `step`, the last one of the stretch, and `steps_per_second`.

    Raises:
        UsageError: If `every_steps` is below 1.
    """

    name = "speed"

    def __init__(self, every_steps=1000, directory=None, tensorboard=None):
        super().__init__(every_steps, directory, tensorboard)
        self._start = None

    def on_train_begin(self, logs=None):
        """Waits for the first execution."""
        self._start = None
        super().on_train_begin(logs)

    def on_train_batch_end(self, batch, logs=None):
        """Starts the clock, or looks at it."""
        super().on_train_batch_end(batch, logs)
        if self._start is None:
            self._start = self._step, time.perf_counter()

    def measure(self, model, step):
        """Returns one row, or none where no stretch has begun."""
        if self._start is None or self._start[0] == step:
            return []
        before, self._start = self._start, (step, time.perf_counter())
        passed = self._start[1] - before[1]
        return [{"steps_per_second": (step - before[0]) / passed}]
