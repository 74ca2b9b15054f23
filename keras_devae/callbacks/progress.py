"""Shows the progress of training: a line that changes in a terminal, a few lines in a log."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any

import keras
from rich.console import Console
from rich.progress import Progress, ProgressColumn, Task
from rich.table import Column
from rich.text import Text

from keras_devae import checks
from keras_devae.errors import UsageError, unknown_name

#: Name of a value in the history -> its label, where that is not the name itself.
_LABELS = {"reconstruction_loss": "recon", "kl_loss": "KL"}
#: Columns of the bar: no more than these, and none where fewer fit.
_LONGEST_BAR, _SHORTEST_BAR = 30, 8
#: Columns of speed and time left.
_PACE = 27
#: A log gets a line when this many seconds, and this share of the time so far, have passed.
_SECONDS, _SHARE = 10.0, 0.1


class ProgressReport(keras.callbacks.Callback):
    """Shows training in one line: how far it is, steps per second, time left, and a few numbers.

    In a terminal the line changes in place and fits the width. Elsewhere, as in a file, a line is
    printed at the end of an epoch, if the last one is at least ten seconds old and a tenth of the
    time so far has passed since; the last step has its line always.

    The numbers are the model's `declaration.shown_values`: of a variational autoencoder the loss,
    the reconstruction loss and the KL divergence, in nats per image.

    Args:
        total_steps: Steps at the end of training.
        start_step: Steps done before; default 0.
        console: A `rich.console.Console`; by default one on the standard error.
        show: Names of further values, as in the history, or `("all",)`; default none. The ending
            `_loss` may be left out.

    Raises:
        UsageError: If an argument is out of range, or `console` is not a rich console; when
            training begins, if the model has no value of a name in `show`.

    Example:
        >>> data = kd.data.load("dsprites", image_size=32)
        >>> model = kd.BetaVAE.for_images((32, 32, 1), beta=1)
        >>> model.compile("adam")
        >>> progress = kd.callbacks.ProgressReport(total_steps=2, show=["beta"])
        >>> history = model.fit(data.batches(64, steps=2), callbacks=[progress], verbose=0)
    """

    def __init__(
        self,
        total_steps: int,
        start_step: int = 0,
        console: Console | None = None,
        show: Sequence[str] = (),
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
        self.show = checks.texts("show", show)
        self.progress = Progress(
            _Line(self.console), console=self.console, disable=not self.console.is_terminal
        )

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts the line."""
        self._names = shown_names(self.model, self.show)
        self._epoch_start = self.start_step
        self._begun = self._printed = time.monotonic()
        self._task = self.progress.add_task(
            "training", total=self.total_steps, completed=self.start_step, values=[]
        )
        self.progress.start()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Moves the line."""
        done = self._epoch_start + batch + 1
        self.progress.update(self._task, completed=done, values=self._values(logs))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Prints a line where there is no terminal."""
        task, now = self.progress.tasks[self._task], time.monotonic()
        is_first = self._epoch_start == self.start_step
        self._epoch_start = int(task.completed)
        waited = now - self._printed >= max(_SECONDS, _SHARE * (now - self._begun))
        if self.console.is_terminal or not (is_first or waited or task.remaining == 0):
            return
        self._printed = now
        parts = [f"step {self._epoch_start}/{self.total_steps}", *_pace(task), *self._values(logs)]
        self.console.print("  ".join(parts), highlight=False, soft_wrap=True)

    def on_train_end(self, logs: Any = None) -> None:
        """Leaves the line as it is."""
        self.progress.stop()

    def _values(self, logs):
        return [f"{_label(n)} {number_text(logs[n])}" for n in self._names if n in (logs or {})]


class _Line(ProgressColumn):
    """The whole line, without what does not fit the width of the terminal."""

    max_refresh = 0.2

    def __init__(self, console: Console) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis"))
        self._console = console

    def render(self, task: Task) -> Text:
        """Returns the line: first the bar goes, then speed and percentage, then the last values."""
        step = f"{int(task.completed)}/{int(task.total or 0)}"
        pace, values = _pace(task), list(task.fields["values"])
        percentage, width = f"{task.percentage:3.0f}%", self._console.width - 1
        parts = [percentage, step, *pace, *values]
        for part in (*pace[:-1], percentage, *reversed(values)):
            if len("  ".join(parts)) > width:
                parts.remove(part)
        line = Text("  ".join(parts))
        # The bar is there, or not, from the first values to the last.
        others = sum(len(part) + 2 for part in (percentage, step, *values)) + _PACE
        length = min(_LONGEST_BAR, width - max(len(line) + 2, others))
        return line if length < _SHORTEST_BAR or not values else self._bar(task, length) + line

    def _bar(self, task, length):
        mark = "-" if self._console.options.ascii_only else "━"
        done = round(length * task.percentage / 100)
        bar = Text(mark * done, style="bar.complete" if task.remaining else "bar.finished")
        return bar.append(mark * (length - done), style="bar.back").append("  ", style="default")


def shown_names(model: Any, show: Iterable[str] = ()) -> list[str]:
    """Returns the names of the values that progress shows of a model, or of the class of one.

    `show` names more of them, or all, as for `ProgressReport`; a name that the model does not have
    raises a `UsageError`.
    """
    losses = (*model.penalty_names, *model.opponent_names, "jacobian_penalty")
    known = (*model.declaration.losses, *(f"{name}_loss" for name in losses), *model.state_names)
    chosen = [*model.declaration.shown_values]
    for name in show:
        full = name if name in (*known, "all") else f"{name}_loss"
        if full not in (*known, "all"):
            raise unknown_name("value of the training", name, (*known, "all"))
        chosen += known if full == "all" else [full]
    return list(dict.fromkeys(chosen))


def number_text(value: Any) -> str:
    """Returns a number with about four digits, at most four of them decimals."""
    value = float(value)
    if not math.isfinite(value):
        return str(value)
    digits = 3 if value == 0 else 3 - math.floor(math.log10(abs(value)))
    return f"{value:,.{min(4, max(0, digits))}f}"


def time_text(seconds: float) -> str:
    """Returns a time as hours, minutes and seconds, e.g. `"4:05"` or `"1:04:05"`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _label(name):
    return _LABELS.get(name, name.removesuffix("_loss").replace("_", " "))


def _pace(task):
    """Returns the speed and the time left, or taken; nothing while they are not known."""
    if task.remaining == 0 and task.finished_time is not None:
        return [f"in {time_text(task.finished_time)}"]
    left = task.time_remaining
    speed = [f"{task.speed:.1f} steps/s"] if task.speed else []
    return speed + ([] if left is None else [f"{time_text(left)} left"])
