"""The callback that writes a run's history and checkpoints while it trains."""

import logging
import math

import keras

from keras_devae.models.training_callbacks import TrainingGuard
from keras_devae.runs.checkpoints import (
    CheckpointWriter,
    check_finite,
    copy_state,
    save_model,
    state_variables,
)

logger = logging.getLogger("keras_devae")


class RunRecorder(keras.callbacks.Callback):
    """Writes a row of history and a checkpoint after every epoch, and ends at the last step.

    A checkpoint gets its name after the rows of history up to its step, and the tables of other
    callbacks, are on the disk: whenever the process is killed, they reach as far as the newest
    checkpoint or beyond it.

    Args:
        run: The `RunDirectory`.
        start_step: Steps done before.
        total_steps: Steps at the end of training.
        history: Rows of the history up to `start_step`.
        epoch_steps: Steps of an epoch, which ends where its multiples are.
        interruption: An `Interruption`, looked at after every step.
        keep: Checkpoints to keep, the newest ones; default 2.
        postpones: Whether what interrupts training waits for the end of the step, so that
            `keep_last_step` can write a checkpoint; default true.
    """

    def __init__(
        self,
        run,
        start_step,
        total_steps,
        history,
        epoch_steps,
        interruption,
        keep=2,
        postpones=True,
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
        self._writer = None
        # Whether the model is as the last step left it: neither in a step nor before the first one.
        self._is_between = False
        self._begun_epoch = (
            run.read_begun_epoch(start_step) if self._is_within(start_step) else None
        )

    def on_train_begin(self, logs=None):
        """Makes sure that there is something to resume from."""
        file = self.run.checkpoint_file(self.step)
        if not file.is_file():
            save_model(self.model, file)
        self._writer = CheckpointWriter(file)

    def on_epoch_begin(self, epoch, logs=None):
        """Goes on with the means over an epoch that was broken off."""
        if self._begun_epoch is not None:
            self._take_up(**self._begun_epoch)
            self._begun_epoch = None

    def on_train_batch_begin(self, batch, logs=None):
        """Notes that the model begins to change."""
        self._is_between = False

    def on_train_batch_end(self, batch, logs=None):
        """Counts, and ends training at the last step, or where it is interrupted."""
        self._writer.check()
        self.step = self._epoch_start + batch + 1
        self._is_between, self.interruption.postponed = True, self.postpones
        if self.step >= self.total_steps:
            self.model.stop_training = True
        elif self._is_within(self.step) or not self.postpones:
            self.interruption.check()

    def on_epoch_end(self, epoch, logs=None):
        """Writes history, then the checkpoint that it belongs to, while training goes on."""
        self._epoch_start = self.step
        not_updated = self.model.metrics_not_updated()
        losses = {k: math.nan if k in not_updated else float(v) for k, v in (logs or {}).items()}
        self.history.append({"step": self.step, **losses})
        if self.step < self.total_steps:
            rows = list(self.history)
            file = self.run.checkpoint_file(self.step)
            before, after = lambda: self._secure(rows), self._remove_old
            self._writer.write(self.model, self.step, file, before, after)
            self.interruption.check()

    def on_train_end(self, logs=None):
        """Writes the last checkpoint, after what other callbacks measure at the end."""
        self._writer.wait()
        names = [variable.path for variable in state_variables(self.model)]
        check_finite(names, copy_state(self.model), self.step)
        self._secure(self.history)
        save_model(self.model, self.run.checkpoint_file(self.step))
        self._remove_old()

    def keep_last_step(self):
        """Writes a checkpoint of an epoch that is broken off, if there is a step to keep.

        The means over its steps lie beside it, so that the epoch can go on. Call it after `close`.

        Raises:
            FailureError: If a weight is not finite, or there is no room.
        """
        is_whole = self._is_between and self._is_within(self.step)
        if not (is_whole and self.postpones) or self.interruption.hurried:
            return
        names = [variable.path for variable in state_variables(self.model)]
        check_finite(names, copy_state(self.model), self.step)
        self._secure(self.history)
        means = [float(value) for value in self.model.metrics_variables]
        count = int(keras.ops.convert_to_numpy(self.model.steps.step))
        self.run.write_begun_epoch(self.step, {"count": count, "means": means})
        save_model(self.model, self.run.checkpoint_file(self.step))
        self._remove_old()

    def _is_within(self, step):
        """Tells whether a step lies inside an epoch, and not at its end."""
        return step % self.epoch_steps != 0 and step < self.total_steps

    def _take_up(self, count, means):
        variables = self.model.metrics_variables
        if len(variables) != len(means):
            logger.warning("The losses of the first epoch are means over its last steps only.")
            return
        for variable, value in zip(variables, means, strict=True):
            variable.assign(value)
        self.model.steps.set(count)

    def close(self):
        """Waits until all that training has handed over is written.

        Raises:
            Exception: What went wrong with it.
        """
        if self._writer is not None:
            self._writer.close()

    def _secure(self, rows):
        # There are none before the first epoch is over.
        if rows:
            self.run.write_history(rows)
        self.run.flush_tracking()

    def _remove_old(self):
        self.run.remove_old_checkpoints(self.keep)


class OneTraining(TrainingGuard):
    """Guards a training that several calls of `fit` carry out: it begins and ends but once.

    Args:
        start_step: Steps done before.
        callbacks: List of the other callbacks, which are called after the guard.

    Attributes:
        is_last: Whether the call of `fit` is the last one.
    """

    def __init__(self, start_step, callbacks):
        super().__init__(start_step)
        self.is_last = False
        self._others = keras.callbacks.CallbackList(callbacks)
        self._has_begun = False

    def set_params(self, params):
        """Hands the parameters on."""
        super().set_params(params)
        self._others.set_params(params)

    def set_model(self, model):
        """Hands the model on."""
        super().set_model(model)
        self._others.set_model(model)

    def on_train_begin(self, logs=None):
        """Begins, the first time."""
        if not self._has_begun:
            self._has_begun = True
            super().on_train_begin(logs)
            self._others.on_train_begin(logs)

    def on_epoch_begin(self, epoch, logs=None):
        """Hands the event on."""
        self._others.on_epoch_begin(epoch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        """Hands the event on."""
        self._others.on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        """Hands the event on if all is finite."""
        super().on_train_batch_end(batch, logs)
        self._others.on_train_batch_end(batch, logs)

    def on_epoch_end(self, epoch, logs=None):
        """Hands the event on."""
        super().on_epoch_end(epoch, logs)
        self._others.on_epoch_end(epoch, logs)

    def on_train_end(self, logs=None):
        """Ends, the last time."""
        if self.is_last:
            super().on_train_end(logs)
            self._others.on_train_end(logs)
