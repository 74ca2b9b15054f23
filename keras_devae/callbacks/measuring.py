"""What the callbacks that measure a model every so many steps have in common."""

import functools
import shlex

import keras

from keras_devae import checks, figures
from keras_devae.errors import FailureError, UsageError
from keras_devae.files import check_folder, is_there, read_table, write_table
from keras_devae.models.training_callbacks import steps_done


class MeasuringCallback(keras.callbacks.Callback):
    """Measures a model before training, every so many steps, also within an epoch, and at the end.

    What was measured is in `rows`, and in `<directory>/<name>.csv`, which is written anew, in one
    move, each time. Training that goes on from a checkpoint goes on with the rows up to its step.

    Args:
        every_steps: Steps between measurements.
        directory: Folder for files, or `None` for none.
        tensorboard: Folder for TensorBoard event files, or `None`. Needs the `tensorboard` extra.

    Attributes:
        rows: List of dictionaries, each with `step` and what was measured.

    Raises:
        UsageError: If `every_steps` is below 1, nothing can be written into a folder, or the extra
            is missing.
    """

    #: Name of the files.
    name = "measurements"
    #: Steps done before the next `fit`, or `None` for those of the optimizer, which does not count
    #: steps that it left out because a float16 gradient overflowed.
    start_step = None

    def __init__(self, every_steps, directory=None, tensorboard=None):
        super().__init__()
        self.every_steps = checks.at_least("every_steps", every_steps, 1)
        self.directory = None if directory is None else _folder("directory", directory)
        self.rows = []
        board = None if tensorboard is None else _folder("tensorboard", tensorboard)
        self._board = None if board is None else open_board(str(board.resolve()))

    def measure(self, model, step):
        """Measures the model.

        Args:
            model: The model.
            step: Steps done.

        Returns:
            List of rows, dictionaries without `step`.
        """
        raise NotImplementedError

    def draw(self):
        """Returns the picture of all that was measured, or `None` for none."""
        return None

    def on_train_begin(self, logs=None):
        """Measures the model as it is, unless this is a run that goes on."""
        optimizer = getattr(self.model, "optimizer", None)
        start, self.start_step = self.start_step, None
        goes_on = bool(start)
        if start is None:
            start = 0 if optimizer is None else steps_done(self.model)
        self._step = self._epoch_start = start
        self.rows = [row for row in self._read() if row["step"] <= start] if start else []
        self._measured = start
        # A run that goes on gets the rows of one that was never stopped.
        if not (self.rows or goes_on):
            self._measure()

    def on_epoch_begin(self, epoch, logs=None):
        """Notes where the epoch begins: Keras counts batches from there."""
        self._epoch_start = self._step

    def on_train_batch_end(self, batch, logs=None):
        """Measures where a multiple of `every_steps` was reached or passed."""
        before, self._step = self._step, self._epoch_start + batch + 1
        if self._step // self.every_steps > before // self.every_steps:
            self._measure()

    def on_train_end(self, logs=None):
        """Measures the trained model."""
        if self._measured != self._step:
            self._measure()
        if self._board is not None:
            self._board.flush()

    def _measure(self):
        self._measured = self._step
        measured = self.measure(self.model, self._step)
        self.rows += [{"step": self._step, **row} for row in measured]
        for row in measured:
            self._show_scalars(row)
        if self.rows and (self.directory is not None or self._board is not None):
            self._show(self.draw())
        if self.rows and self.directory is not None:
            self.write()

    def _show(self, figure):
        if figure is None:
            return
        self.show_image(figure)
        if self.directory is not None:
            figures.save(figure, self.directory / f"{self.name}.png")

    def _show_scalars(self, row):
        if self._board is None:
            return
        layer = f"layer_{row['layer']}/" if "layer" in row else ""
        for name, value in row.items():
            if name != "layer" and isinstance(value, (int, float)):
                self._board.add_scalar(f"{self.name}/{layer}{name}", value, self._step)

    def show_image(self, figure):
        """Gives TensorBoard a picture, where it is asked for."""
        if self._board is not None:
            pixels = figures.pixels_of(figure)
            self._board.add_image(self.name, pixels, self._step, dataformats="HWC")

    def write(self):
        """Writes the table of all that was measured into the directory."""
        write_table(self.directory / f"{self.name}.csv", self.rows)

    def _read(self):
        file = None if self.directory is None else self.directory / f"{self.name}.csv"
        if file is None or not is_there(file):
            return self.rows
        try:
            return read_table(file, _number)
        except ValueError as error:
            raise FailureError(f"{file} is damaged ({error}). {how_to_mend(file)}") from None


def _folder(name, path):
    """Checks a folder for files, before there are any to write."""
    path = checks.usable_path(f"`{name}`", path)
    check_folder(path, f"Choose another `{name}`.")
    return path


def how_to_mend(file):
    """Says what to do about a damaged file of measurements, in a sentence.

    Args:
        file: Its path; where it is of a run, in the folder `tracking` there.
    """
    return (
        "Remove it, or mend the run that it is of with: keras-devae doctor "
        f"{shlex.quote(str(file.parent.parent))} --repair"
    )


def check_has_factors(dataset, what):
    """Raises a `UsageError` if a data set has no ground-truth factors."""
    checks.check_dataset(dataset)
    if dataset.factor_names is None:
        raise UsageError(
            f"{what} compares codes with factors, and the data set {dataset.name!r} has none."
        )


@functools.cache
def open_board(folder):
    """Opens a TensorBoard event file, the same one for all who name the same folder.

    Args:
        folder: Absolute path.

    Raises:
        UsageError: If the `tensorboard` extra is not installed.
    """
    checks.require_extra("Writing for TensorBoard", "tensorboardX", "tensorboard")
    from tensorboardX import SummaryWriter

    return SummaryWriter(folder)


def _number(text):
    value = float(text)
    return int(value) if value.is_integer() and "." not in text else value
