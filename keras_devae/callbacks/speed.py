"""How fast a model trains."""

from __future__ import annotations

import time
from typing import Any

from keras_devae.callbacks.measuring import Folder, MeasuringCallback


class SpeedCallback(MeasuringCallback):
    """Records the training steps per second for every `every_steps` steps.

    The clock starts after the first execution, which compiles. It includes everything that happens
    between steps, such as checkpoints and other measurements.

    Args:
        every_steps: Steps per stretch; default 1,000.
        directory: Folder for `speed.csv`, or `None` (default).
        tensorboard: Folder for TensorBoard event files, or `None` (default).

    Attributes:
        rows: List of dictionaries: `step`, the last one of the stretch, and `steps_per_second`.

    Raises:
        UsageError: If `every_steps` is below 1.

    Example:
        >>> data = kd.data.load("dsprites", image_size=32)
        >>> model = kd.BetaVAE.for_images((32, 32, 1), beta=1)
        >>> model.compile("adam")
        >>> speed = kd.callbacks.SpeedCallback(every_steps=2)
        >>> history = model.fit(data.batches(64, steps=4), callbacks=[speed], verbose=0)
        >>> speed.rows[-1]["steps_per_second"] > 0
        True
    """

    name = "speed"

    def __init__(
        self, every_steps: int = 1000, directory: Folder = None, tensorboard: Folder = None
    ) -> None:
        super().__init__(every_steps, directory, tensorboard)
        self._start: tuple[int, float] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Waits for the first execution."""
        self._start = None
        super().on_train_begin(logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Starts the clock, or reads it."""
        super().on_train_batch_end(batch, logs)
        if self._start is None:
            self._start = self._step, time.perf_counter()

    def measure(self, model: Any, step: int) -> list[dict[str, Any]]:
        """Returns one row, or none where no stretch has begun."""
        if self._start is None or self._start[0] == step:
            return []
        before, self._start = self._start, (step, time.perf_counter())
        passed = self._start[1] - before[1]
        return [{"steps_per_second": (step - before[0]) / passed}]
