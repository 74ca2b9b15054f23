"""Shows the progress of long training: a bar in a terminal, occasional lines elsewhere."""

from __future__ import annotations

from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from keras_devae import checks
from keras_devae.errors import UsageError


class ProgressReport(keras.callbacks.Callback):
    """Shows the step, steps per second, time left, running losses and what schedules change.

    Args:
        total_steps: Steps at the end of training.
        start_step: Steps done before; default 0.
        console: A `rich.console.Console`; by default one on the standard error.

    Raises:
        UsageError: If an argument is out of range, or `console` is not a rich console.

    Example:
        >>> data = kd.data.load("dsprites", image_size=32)
        >>> model = kd.BetaVAE.for_images((32, 32, 1), beta=1)
        >>> model.compile("adam")
        >>> progress = kd.callbacks.ProgressReport(total_steps=2)
        >>> history = model.fit(data.batches(64, steps=2), callbacks=[progress], verbose=0)
    """

    def __init__(
        self, total_steps: int, start_step: int = 0, console: Console | None = None
    ) -> None:
        super().__init__()
        checks.at_least("total_steps", total_steps, 1)
        checks.at_least("start_step", start_step, 0)
        if not (console is None or isinstance(console, Console)):
            raise UsageError(
                f"`console` must be a rich console. Received: {checks.shown(console)}."
            )
        self.total_steps = total_steps
        self.start_step = start_step
        self.console = console or Console(stderr=True)
        self.progress = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[losses]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts the bar."""
        self._epoch_start = self.start_step
        self._task = self.progress.add_task(
            "training", total=self.total_steps, completed=self.start_step, rate="", losses=""
        )
        self.progress.start()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Moves the bar."""
        self.progress.update(
            self._task,
            completed=self._epoch_start + batch + 1,
            rate=self._rate(),
            losses=_main_losses(logs),
        )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Prints a line where there is no terminal."""
        task = self.progress.tasks[self._task]
        self._epoch_start = int(task.completed)
        if not self.console.is_terminal:
            left = task.time_remaining
            time_left = f"  {left // 60:.0f}:{left % 60:02.0f} left" if left else ""
            self.console.print(
                f"step {int(task.completed)}/{self.total_steps}  {self._rate()}{time_left}  "
                f"{_main_losses(logs)}",
                highlight=False,
                soft_wrap=True,
            )

    def on_train_end(self, logs: Any = None) -> None:
        """Closes the bar."""
        self.progress.stop()

    def _rate(self):
        speed = self.progress.tasks[self._task].speed
        return f"{speed:.1f} steps/s" if speed else ""


def _main_losses(logs):
    losses = {"loss": "loss", "reconstruction": "reconstruction_loss", "kl": "kl_loss"}
    # What schedules and controllers change.
    state = {"beta": "beta", "capacity": "capacity", "stage": "stage", "target": "kl_target"}
    logs = logs or {}
    # The only loss of a model that reconstructs nothing may be small.
    decimals = 1 if len(set(losses.values()) & set(logs)) > 1 else 4
    shown = [f"{label} {float(logs[k]):.{decimals}f}" for label, k in losses.items() if k in logs]
    shown += [f"{label} {float(logs[k]):.3g}" for label, k in state.items() if k in logs]
    return "  ".join(shown)
