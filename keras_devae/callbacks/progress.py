"""Progress of long training: a bar in a terminal, a line now and then elsewhere."""

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from keras_devae import checks
from keras_devae.errors import UsageError


class ProgressReport(keras.callbacks.Callback):
    """Shows step, steps per second, time left, the running losses and what schedules move.

    Args:
        total_steps: Steps at the end of training.
        start_step: Steps done before; default 0.
        console: A `rich.console.Console`; default one on the standard error.
    """

    def __init__(self, total_steps, start_step=0, console=None):
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

    def on_train_begin(self, logs=None):
        """Starts the bar."""
        self._epoch_start = self.start_step
        self._task = self.progress.add_task(
            "training", total=self.total_steps, completed=self.start_step, rate="", losses=""
        )
        self.progress.start()

    def on_train_batch_end(self, batch, logs=None):
        """Moves the bar."""
        self.progress.update(
            self._task,
            completed=self._epoch_start + batch + 1,
            rate=self._rate(),
            losses=_main_losses(logs),
        )

    def on_epoch_end(self, epoch, logs=None):
        """Prints a line where there is no terminal to draw in."""
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

    def on_train_end(self, logs=None):
        """Closes the bar."""
        self.progress.stop()

    def _rate(self):
        speed = self.progress.tasks[self._task].speed
        return f"{speed:.1f} steps/s" if speed else ""


def _main_losses(logs):
    losses = {"loss": "loss", "reconstruction": "reconstruction_loss", "kl": "kl_loss"}
    # What schedules and controllers move.
    state = {"beta": "beta", "capacity": "capacity", "stage": "stage", "target": "kl_target"}
    logs = logs or {}
    shown = [f"{label} {float(logs[k]):.1f}" for label, k in losses.items() if k in logs]
    shown += [f"{label} {float(logs[k]):.3g}" for label, k in state.items() if k in logs]
    return "  ".join(shown)
