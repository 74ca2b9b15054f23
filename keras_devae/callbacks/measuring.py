"""Base class of the callbacks that measure a model at regular intervals of steps."""

from __future__ import annotations

import functools
import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from keras_devae import checks, figures
from keras_devae.errors import FailureError, UsageError
from keras_devae.files import check_folder, is_there, read_table, write_table
from keras_devae.models.averaged_weights import averages_in_place
from keras_devae.models.training_callbacks import steps_done

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: A folder as users name it.
Folder = str | os.PathLike[str] | None


class MeasuringCallback(keras.callbacks.Callback):
    """Measures a model before training, every `every_steps` steps (even mid-epoch), and at the end.

    Measurements are in `rows`, each with its `step`, and in `<directory>/<name>.csv`, which is
    rewritten atomically each time. Training that resumes from a checkpoint keeps the rows up to its
    step. Event files in the folder `tensorboard` need the `tensorboard` extra. If the optimizer has
    `use_ema`, the moving averages of the weights are measured.
    """

    #: Name of the files.
    name = "measurements"
    #: Steps done before the next `fit`, or `None` for the optimizer's count, which leaves out steps
    #: that were skipped because a float16 gradient overflowed.
    start_step: int | None = None
    #: Each is called with the name of the callback and every row that is measured.
    loggers: Sequence[Callable[[str, dict[str, Any]], None]] = ()

    def __init__(
        self, every_steps: int, directory: Folder = None, tensorboard: Folder = None
    ) -> None:
        super().__init__()
        self.every_steps = checks.at_least("every_steps", every_steps, 1)
        self.directory = None if directory is None else _folder("directory", directory)
        self.rows: list[dict[str, Any]] = []
        board = None if tensorboard is None else _folder("tensorboard", tensorboard)
        self._board = None if board is None else open_board(str(board.resolve()))

    def measure(self, model: Any, step: int) -> list[dict[str, Any]]:
        """Returns the rows of one measurement, without `step`; `step` steps are done."""
        raise NotImplementedError

    def draw(self) -> Figure | None:
        """Draws everything that was measured, or returns `None` for no figure."""
        return None

    def on_train_begin(self, logs: Any = None) -> None:
        """Measures the model as it is, unless training resumes."""
        start, self.start_step = self.start_step, None
        resumes = bool(start)
        if start is None:
            has_optimizer = getattr(self.model, "optimizer", None) is not None
            start = steps_done(self.model) if has_optimizer else 0
        self._step = self._epoch_start = self._measured = start
        self.rows = [row for row in self._read() if row["step"] <= start] if start else []
        # A run that resumes gets the rows of one that was never stopped.
        if not (self.rows or resumes):
            self._measure()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes where the epoch begins: Keras counts batches from there."""
        self._epoch_start = self._step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Measures where a multiple of `every_steps` was reached or passed."""
        before, self._step = self._step, self._epoch_start + batch + 1
        if self._step // self.every_steps > before // self.every_steps:
            self._measure()

    def on_train_end(self, logs: Any = None) -> None:
        """Measures the trained model."""
        if self._measured != self._step:
            self._measure()
        if self._board is not None:
            self._board.flush()

    def _measure(self):
        self._measured = self._step
        with averages_in_place(self.model):
            measured = self.measure(self.model, self._step)
        rows = [{"step": self._step, **row} for row in measured]
        self.rows += rows
        for row in measured:
            self._show_scalars(row)
        for log in self.loggers:
            for row in rows:
                log(self.name, row)
        if not self.rows:
            return
        if self.directory is not None or self._board is not None:
            figure = self.draw()
            if figure is not None:
                self.show(figure, f"{self.name}.png")
        if self.directory is not None:
            self.write(self.directory)

    def _show_scalars(self, row):
        if self._board is None:
            return
        layer = f"layer_{row['layer']}/" if "layer" in row else ""
        for name, value in row.items():
            if name != "layer" and isinstance(value, (int, float)):
                self._board.add_scalar(f"{self.name}/{layer}{name}", value, self._step)

    def show(self, figure: Figure, file_name: str) -> None:
        """Gives a figure to TensorBoard and saves it in the directory, as far as they are given."""
        if self._board is not None:
            pixels = figures.pixels_of(figure)
            self._board.add_image(self.name, pixels, self._step, dataformats="HWC")
        if self.directory is not None:
            figures.save(figure, self.directory / file_name)

    def write(self, directory: Path) -> None:
        """Writes the table of everything that was measured."""
        write_table(directory / f"{self.name}.csv", self.rows)

    def _read(self):
        file = None if self.directory is None else self.directory / f"{self.name}.csv"
        if file is None or not is_there(file):
            return self.rows
        try:
            return read_table(file, _number)
        except ValueError as error:
            raise FailureError(f"{file} is damaged ({error}). {how_to_repair(file)}") from None


def _folder(name: str, path: Any) -> Path:
    """Checks a folder for files, before there are any to write."""
    path = checks.usable_path(f"`{name}`", path)
    check_folder(path, f"Choose another `{name}`.")
    return path


def how_to_repair(file: Path) -> str:
    """Says what to do about a damaged file of measurements, which may be in a run's `tracking`."""
    return (
        "Remove it, or repair the run that it belongs to with: keras-devae doctor "
        f"{shlex.quote(str(file.parent.parent))} --repair"
    )


def check_has_factors(dataset: Any, what: str) -> None:
    """Raises a `UsageError` if a data set has no ground-truth factors."""
    checks.check_dataset(dataset)
    if dataset.factor_names is None:
        raise UsageError(
            f"{what} compares codes with factors, and the data set {dataset.name!r} has none."
        )


@functools.cache
def open_board(folder: str) -> Any:
    """Opens a TensorBoard event file in an absolute folder, one for all callbacks that name it."""
    checks.require_extra("Writing for TensorBoard", "tensorboardX", "tensorboard")
    from tensorboardX import SummaryWriter

    return SummaryWriter(folder)


def _number(text):
    value = float(text)
    return int(value) if value.is_integer() and "." not in text else value
