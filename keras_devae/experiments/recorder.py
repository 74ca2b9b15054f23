"""The callback that writes a run's history and checkpoints while it trains."""

import math

import keras

from keras_devae.experiments.checkpoints import (
    CheckpointWriter,
    check_finite,
    copy_state,
    save_model,
    state_variables,
)


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
        interruption: An `Interruption`, looked at after every step.
        keep: Checkpoints to keep, the newest ones; default 2.
    """

    def __init__(self, run, start_step, total_steps, history, interruption, keep=2):
        super().__init__()
        self.run = run
        self.step = self._epoch_start = start_step
        self.total_steps = total_steps
        self.history = history
        self.interruption = interruption
        self.keep = keep
        self._writer = None

    def on_train_begin(self, logs=None):
        """Makes sure that there is something to resume from."""
        file = self.run.checkpoint_file(self.step)
        if not file.is_file():
            save_model(self.model, file)
        self._writer = CheckpointWriter(file)

    def on_train_batch_end(self, batch, logs=None):
        """Counts, and ends training at the last step."""
        self.interruption.check()
        self._writer.check()
        self.step = self._epoch_start + batch + 1
        if self.step >= self.total_steps:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        """Writes history, then the checkpoint that it belongs to, while training goes on."""
        self._epoch_start = self.step
        unseen = self.model.unseen()
        losses = {k: math.nan if k in unseen else float(v) for k, v in (logs or {}).items()}
        self.history.append({"step": self.step, **losses})
        if self.step < self.total_steps:
            rows = list(self.history)
            file = self.run.checkpoint_file(self.step)
            before, after = lambda: self._secure(rows), self._remove_old
            self._writer.write(self.model, self.step, file, before, after)

    def on_train_end(self, logs=None):
        """Writes the last checkpoint, after what other callbacks measure at the end."""
        self._writer.wait()
        names = [variable.path for variable in state_variables(self.model)]
        check_finite(names, copy_state(self.model), self.step)
        self._secure(self.history)
        save_model(self.model, self.run.checkpoint_file(self.step))
        self._remove_old()

    def close(self):
        """Waits until all that training has handed over is written.

        Raises:
            Exception: What went wrong with it.
        """
        if self._writer is not None:
            self._writer.close()

    def _secure(self, rows):
        self.run.write_history(rows)
        self.run.flush_tracking()

    def _remove_old(self):
        self.run.remove_old_checkpoints(self.keep)
