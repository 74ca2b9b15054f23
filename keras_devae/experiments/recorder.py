"""The callback that writes a run's history and checkpoints while it trains."""

import math

import keras
import numpy as np

from keras_devae.errors import FailureError
from keras_devae.files import replacing


class RunRecorder(keras.callbacks.Callback):
    """Writes a row of history and a checkpoint after every epoch, and ends at the last step.

    Args:
        run: The `RunDirectory`.
        start_step: Steps done before.
        total_steps: Steps at the end of training.
        history: Rows of the history up to `start_step`.
        interruption: An `Interruption`, looked at after every step.
    """

    def __init__(self, run, start_step, total_steps, history, interruption):
        super().__init__()
        self.run = run
        self.step = self._epoch_start = start_step
        self.total_steps = total_steps
        self.history = history
        self.interruption = interruption

    def on_train_begin(self, logs=None):
        """Makes sure that there is something to resume from."""
        if self.step not in self.run.checkpoint_steps():
            save_model(self.model, self.run.checkpoint_file(self.step))

    def on_train_batch_end(self, batch, logs=None):
        """Counts, and ends training at the last step."""
        self.interruption.check()
        self.step = self._epoch_start + batch + 1
        if self.step >= self.total_steps:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        """Writes history, then the checkpoint that it belongs to."""
        self._epoch_start = self.step
        unseen = self.model.unseen()
        losses = {k: math.nan if k in unseen else float(v) for k, v in (logs or {}).items()}
        self.history.append({"step": self.step, **losses})
        self.run.write_history(self.history)
        self._check_weights()
        save_model(self.model, self.run.checkpoint_file(self.step))
        self.run.remove_old_checkpoints()

    def _check_weights(self):
        for weight in self.model.weights:
            if not np.isfinite(keras.ops.convert_to_numpy(weight)).all():
                raise FailureError(
                    f"Training stopped at step {self.step}: the weights {weight.path} are not "
                    "finite. The checkpoint before is still good; lower the learning rate."
                )


def save_model(model, path):
    """Writes a model in one move, optimizer and random state included.

    Args:
        model: The model.
        path: File to write, ending in `.keras`.
    """
    with replacing(path) as temporary:
        model.save(temporary)
