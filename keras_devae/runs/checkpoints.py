"""Checkpoints: copies of the whole training state, written while training continues."""

import concurrent.futures
from collections.abc import Callable, Iterable
from pathlib import Path

import keras
import numpy as np

from keras_devae.backend import on_cpu
from keras_devae.checks import Array
from keras_devae.errors import FailureError, UsageError
from keras_devae.files import replacing
from keras_devae.models.saving import load_saved


def state_variables(model: keras.Model) -> list[keras.Variable]:
    """Returns all variables that change while a model trains, in a fixed order.

    These are its weights, the states of its random generators, its schedules, and everything that
    its optimizers hold.
    """
    return [*model.variables, *model.optimizer.variables]


def copy_state(model: keras.Model, into: list[Array] | None = None) -> list[Array]:
    """Copies the state of a compiled model to the host; no memory is shared.

    Args:
        model: The model.
        into: Arrays of an earlier copy to overwrite, which is twice as fast as making new ones.
    """
    arrays = (keras.ops.convert_to_numpy(value) for value in state_variables(model))
    if into is None:
        return [np.array(array) for array in arrays]
    for copy, array in zip(into, arrays, strict=True):
        np.copyto(copy, array)
    return into


def check_state(model: keras.Model, step: int) -> None:
    """Raises a `FailureError` if a value in a model's state is not finite after a step."""
    names = [variable.path for variable in state_variables(model)]
    check_finite(names, copy_state(model), step)


def check_finite(names: Iterable[str], arrays: Iterable[Array], step: int) -> None:
    """Raises a `FailureError` that names the variable if a value is not finite after a step."""
    for name, array in zip(names, arrays, strict=True):
        if not _is_finite(array):
            raise FailureError(
                f"Training stopped at step {step}: {name} is not finite. Start again with a lower "
                "learning rate (--learning-rate): resuming from the last checkpoint would end in "
                "the same way, although the checkpoint itself can be inspected."
            )


def _is_finite(array):
    # Summing is five times faster than checking each value. A sum that is not finite may just have
    # overflowed, so only then is each value checked.
    if not np.issubdtype(array.dtype, np.floating):
        return True
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def save_model(model: keras.Model, path: Path) -> None:
    """Saves a model, with its optimizer and random state, to a `.keras` file atomically."""
    # If memory is short, Keras writes a second file beside the given one.
    with replacing(path, durable=True, alone=True) as temporary:
        model.save(temporary)


def _load_on_cpu(file):
    with on_cpu():
        return load_saved(file)


class CheckpointWriter:
    """Writes checkpoints in a background thread, one at a time.

    Keras can save a model but not a copy of its state. So the thread keeps a second model on the
    CPU, loaded once from a checkpoint, and assigns the copied state to it before saving.

    Args:
        file: A checkpoint of the trained model.

    Raises:
        UsageError: If the model has parts that Keras cannot load again.
    """

    def __init__(self, file: Path):
        self._state: list[Array] | None = None
        self._writing: concurrent.futures.Future[None] | None = None
        self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        try:
            self._twin = self._thread.submit(_load_on_cpu, file).result()
        except BaseException as error:
            self._thread.shutdown()
            # Keras raises these for a class that it does not know, and for a lambda.
            if not isinstance(error.__cause__, (ValueError, TypeError)):
                raise
            raise UsageError(
                "No checkpoint of this model could be loaded again. Register each layer, loss and "
                "optimizer of your own with keras.saving.register_keras_serializable. "
                f"{error}"
            ) from error

    def write(
        self,
        model: keras.Model,
        step: int,
        path: Path,
        before: Callable[[], None],
        after: Callable[[], None],
    ) -> None:
        """Waits for the previous checkpoint, copies the state of a model, and starts to write it.

        `before` writes whatever must be on disk before the checkpoint; `after` is called once it is
        written. Raises any error of the previous checkpoint, such as a `FailureError` if its state
        was not finite; in that case its `before` was not called and nothing was written.
        """
        self.wait()
        self._state = copy_state(model, self._state)
        names = [variable.path for variable in state_variables(model)]
        self._writing = self._thread.submit(self._write, names, step, path, before, after)

    def _write(self, names, step, path, before, after):
        check_finite(names, self._state, step)
        before()
        with on_cpu():
            for variable, array in zip(state_variables(self._twin), self._state, strict=True):
                variable.assign(array)
            save_model(self._twin, path)
        after()

    def check(self) -> None:
        """Raises the error of the last checkpoint if writing it has already failed."""
        if self._writing is not None and self._writing.done():
            self.wait()

    def wait(self) -> None:
        """Waits until everything is written, and raises the error of the last checkpoint."""
        writing, self._writing = self._writing, None
        if writing is not None:
            try:
                writing.result()
            except KeyboardInterrupt:
                self._writing = writing
                raise

    def close(self) -> None:
        """Waits for the last checkpoint and ends the thread."""
        try:
            self.wait()
        finally:
            self._thread.shutdown()
            self._twin = self._state = None
