"""The callback that writes a run's history and checkpoints while it trains."""

import logging
import math
from collections.abc import Callable, Iterable
from typing import Any

import keras

from keras_devae.backend import replicas
from keras_devae.checks import Array
from keras_devae.errors import FailureError
from keras_devae.files import flush_to_disk, read_json, write_json
from keras_devae.models.averaged_weights import (
    averages_in_place,
    copy_weights,
    has_averages,
    set_weights,
)
from keras_devae.models.training_callbacks import TrainingGuard
from keras_devae.process.interruption import Interruption
from keras_devae.runs.checkpoints import CheckpointWriter, check_state, save_model
from keras_devae.runs.folder import RunDirectory
from keras_devae.runs.optimization import current_learning_rate
from keras_devae.runs.plateau import PlateauRate
from keras_devae.runs.stopping import Watch

logger = logging.getLogger("keras_devae")

_LOST_MEANS = "The losses of the first epoch are means over its last steps only"
_Logs = dict[str, Any] | None


class RunRecorder(keras.callbacks.Callback):
    """Writes a row of history and a checkpoint after every epoch, and stops at the last step.

    A checkpoint gets its final name only after the history up to its step and the tables of other
    callbacks are on disk: whenever the process is killed, they reach at least as far as the newest
    checkpoint.

    Args:
        run: The run's folder.
        start_step: Steps already done.
        total_steps: Steps at the end of training.
        history: Rows of the history up to `start_step`.
        epoch_steps: Steps per epoch; epochs end at multiples of it.
        interruption: Checked after every step.
        keep: Number of newest checkpoints to keep; default 2.
        postpones: Whether an interruption waits for the end of the step, so that
            `keep_last_step` can write a checkpoint; default true.
        validate: Returns losses on held-out images from the model, or `None` (default).
        scores_at: Returns the scores measured at a step, which its row of the history gets too, or
            `None` (default).
        watch: What decides on the best checkpoint and the end, or `None` (default).
        rate: What sets the learning rate of the schedule `plateau`, or `None` (default).
        loggers: Called with each new row of the history.
    """

    def __init__(
        self,
        run: RunDirectory,
        start_step: int,
        total_steps: int,
        history: list[dict[str, Any]],
        epoch_steps: int,
        interruption: Interruption,
        keep: int = 2,
        postpones: bool = True,
        validate: Callable[[keras.Model], dict[str, float]] | None = None,
        scores_at: Callable[[int], dict[str, float]] | None = None,
        watch: Watch | None = None,
        rate: PlateauRate | None = None,
        loggers: Iterable[Callable[[dict[str, Any]], None]] = (),
    ):
        super().__init__()
        self.run = run
        self.epoch_steps = epoch_steps
        self.postpones = postpones
        self.step = self._epoch_start = start_step
        self.total_steps = total_steps
        self.history = history
        self.interruption = interruption
        self.keep = keep
        self._validate, self._watch, self._loggers = validate, watch, tuple(loggers)
        self._scores_at, self._rate = scores_at or (lambda step: {}), rate
        self._best: int | None = None
        self._writer: Any = None
        # Whether a step has ended and no other has begun, so that the model can be saved.
        self._is_between = False
        self._begun_epoch = self._read_begun_epoch() if self._is_within(start_step) else None

    def on_train_begin(self, logs: _Logs = None) -> None:
        """Makes sure that there is a checkpoint to resume from."""
        if self._rate is not None:
            self._rate.look(self.model, self.history, self.step)
        file = self.run.checkpoint_file(self.step)
        if not file.is_file():
            save_model(self.model, file)
        self._writer = CheckpointWriter(file)

    def on_epoch_begin(self, epoch: int, logs: _Logs = None) -> None:
        """Restores the mean losses of an interrupted epoch."""
        if self._begun_epoch is not None:
            self._restore_means(**self._begun_epoch)
            self._begun_epoch = None

    def on_train_batch_begin(self, batch: int, logs: _Logs = None) -> None:
        """Notes that a step is about to change the model."""
        self._is_between = False
        if self._rate is not None:
            self._rate.warm_up(self.model, self.step)

    def on_train_batch_end(self, batch: int, logs: _Logs = None) -> None:
        """Counts steps, and ends training at the last one or when it is interrupted."""
        self._writer.check()
        self.step = self._epoch_start + batch + 1
        self._is_between, self.interruption.postponed = True, self.postpones
        if self.step >= self.total_steps:
            self.model.stop_training = True
        elif self._is_within(self.step) or not self.postpones:
            self.interruption.check()

    def on_epoch_end(self, epoch: int, logs: _Logs = None) -> None:
        """Writes the history and then the checkpoint while training continues."""
        self._epoch_start = self.step
        not_updated = self.model.metrics_not_updated()
        losses = {k: math.nan if k in not_updated else float(v) for k, v in (logs or {}).items()}
        if self.step % self.epoch_steps:
            # A longer run continues this epoch.
            self._begun_epoch = self._means()
        with averages_in_place(self.model):
            validated = self._validate(self.model) if self._validate else {}
        self.history.append({"step": self.step, **losses, **validated})
        rate = current_learning_rate(self.model.optimizer)
        if self._rate is not None:
            self.history[-1]["learning_rate"] = rate
            self._rate.look(self.model, self.history, self.step)
        for logger_of_rows in self._loggers:
            logger_of_rows({**self.history[-1], "learning_rate": rate})
        # Measured scores have been logged already.
        self.history[-1].update(self._scores_at(self.step))
        self._note_best()
        if self._watch is not None:
            seen = self._watch.seen(self.run, self.history, self.step)
            stops = replicas.decided_by_chief(self._watch.stops(seen))
            self.model.stop_training = self.model.stop_training or stops
        if self.step < self.total_steps:
            rows = list(self.history)
            file = self.run.checkpoint_file(self.step)
            # Meanwhile, training may find another best step, which has no checkpoint yet.
            best = self._best
            before, after = lambda: self._secure(rows), lambda: self._remove_old(best)
            self._writer.write(self.model, self.step, file, before, after)
            self.interruption.check()

    def on_train_end(self, logs: _Logs = None) -> None:
        """Writes the last checkpoint, after the final measurements of other callbacks."""
        self._writer.wait()
        check_state(self.model, self.step)
        # Scores of the last step have only been measured now.
        if self.history and self.history[-1]["step"] == self.step:
            self.history[-1].update(self._scores_at(self.step))
        self._secure(self.history)
        self._write_begun_epoch()
        save_model(self.model, self.run.checkpoint_file(self.step))
        self._note_best()
        self._remove_old(self._best)

    def keep_last_step(self) -> None:
        """Writes a checkpoint in the middle of an interrupted epoch, if there is a step to keep.

        The mean losses so far are written beside it, so that the epoch can continue. Call this
        after `close`.

        Raises:
            FailureError: If a weight is not finite, or the disk is full.
        """
        is_whole = self._is_between and self._is_within(self.step)
        if not (is_whole and self.postpones) or self.interruption.hurried:
            return
        check_state(self.model, self.step)
        self._secure(self.history)
        self._begun_epoch = self._means()
        self._write_begun_epoch()
        save_model(self.model, self.run.checkpoint_file(self.step))
        self._remove_old(self._best)

    def _means(self):
        """Returns the mean losses of the epoch so far, and the number of steps."""
        count = int(keras.ops.convert_to_numpy(self.model.steps.step))
        # On several devices `float` cannot read them.
        means = [float(keras.ops.convert_to_numpy(v)) for v in self.model.metrics_variables]
        return {"count": count, "means": means}

    def _write_begun_epoch(self):
        if self._begun_epoch is not None:
            file = self.run.begun_epoch_file(self.step)
            write_json(file, self._begun_epoch, durable=True)

    def _is_within(self, step):
        """Tells whether a step lies inside an epoch, and not at its end."""
        return step % self.epoch_steps != 0 and step < self.total_steps

    def _read_begun_epoch(self):
        """Returns what was written beside the checkpoint, or `None` if missing or damaged."""
        try:
            state = read_json(self.run.begun_epoch_file(self.step))
            means = [float(value) for value in state["means"]]
            return {"count": int(state["count"]), "means": means}
        except (FailureError, KeyError, TypeError, ValueError) as error:
            logger.warning("%s: %s", _LOST_MEANS, error)
            return None

    def _restore_means(self, count, means):
        variables = self.model.metrics_variables
        if len(variables) != len(means):
            logger.warning("%s.", _LOST_MEANS)
            return
        for variable, value in zip(variables, means, strict=True):
            variable.assign(value)
        self.model.steps.set(count)

    def close(self) -> None:
        """Waits until all checkpoints are written, and raises any error."""
        if self._writer is not None:
            self._writer.close()

    def _secure(self, rows):
        """Waits until the history and the tables of other callbacks are on the disk."""
        # There are none before the first epoch is over.
        if rows:
            self.run.write_history(rows)
        for suffix in ("csv", "npz"):
            for file in self.run.tracking.glob(f"[!.]*.{suffix}"):
                flush_to_disk(file)

    def _note_best(self):
        if self._watch is not None:
            self._best = self._watch.seen(self.run, self.history, self.step).best_step

    def _remove_old(self, best):
        keeps_best = self._watch is not None and self._watch.keeps_best
        self.run.remove_old_checkpoints(self.keep, best if keeps_best else None)


class OneTraining(TrainingGuard):
    """Makes several calls of `fit` look like one training, begun and ended once, to callbacks.

    Set `is_last` before the last of these calls. At the end of each, Keras replaces the weights by
    their averages, if the optimizer keeps any; here the weights stay, for training to continue.
    """

    def __init__(self, start_step: int, callbacks: list[keras.callbacks.Callback]):
        super().__init__(start_step)
        self.is_last = False
        self._others = keras.callbacks.CallbackList(callbacks)
        self._has_begun = False
        self._weights: list[Array] | None = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Forwards the parameters."""
        super().set_params(params)
        self._others.set_params(params)

    def set_model(self, model: keras.Model) -> None:
        """Forwards the model."""
        super().set_model(model)
        self._others.set_model(model)

    def on_train_begin(self, logs: _Logs = None) -> None:
        """Forwards the first event."""
        if not self._has_begun:
            self._has_begun = True
            super().on_train_begin(logs)
            self._others.on_train_begin(logs)

    def on_epoch_begin(self, epoch: int, logs: _Logs = None) -> None:
        """Forwards the event."""
        self._others.on_epoch_begin(epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: _Logs = None) -> None:
        """Forwards the event."""
        self._others.on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: _Logs = None) -> None:
        """Forwards the event if the loss is finite."""
        super().on_train_batch_end(batch, logs)
        self._others.on_train_batch_end(batch, logs)

    def on_epoch_end(self, epoch: int, logs: _Logs = None) -> None:
        """Forwards the event."""
        super().on_epoch_end(epoch, logs)
        self._others.on_epoch_end(epoch, logs)
        self._weights = copy_weights(self.model) if has_averages(self.model) else None

    def on_train_end(self, logs: _Logs = None) -> None:
        """Forwards the last event."""
        if self._weights is not None:
            set_weights(self.model, self._weights)
        if self.is_last or self.model.stop_training:
            super().on_train_end(logs)
            self._others.on_train_end(logs)
