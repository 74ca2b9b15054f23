"""Weights read from files: all of them, or the model stays as it was."""

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import keras

from keras_devae.errors import FailureError, UsageError

#: What `save`, `save_weights` and `load_weights` of Keras can do with these models.
MODEL_FILES = (".keras",)
WRITTEN_WEIGHTS = (".weights.h5", ".weights.json")
READ_WEIGHTS = (".weights.h5", ".weights.json", ".keras")


def check_suffix(what: str, file: str | Path, suffixes: tuple[str, ...], hint: str = "") -> str:
    """Checks the end of a file's name.

    Args:
        what: What the file holds, the beginning of a sentence.
        file: The name.
        suffixes: The ends that are allowed.
        hint: A further sentence for the message.

    Returns:
        The name as text.

    Raises:
        UsageError: If it ends in none of them.
    """
    if not isinstance(file, (str, Path)) or not str(file).endswith(suffixes):
        names = " or ".join(f"*{suffix}" for suffix in suffixes)
        raise UsageError(f"{what} a file named {names}.{hint} Received: {str(file)!r}.")
    return str(file)


@contextlib.contextmanager
def unchanged_if_refused(model: keras.Model) -> Iterator[None]:
    """Puts a model's variables back, its optimizer's too, if what is done in a `with` fails.

    Keras assigns weight after weight, and stops at the first that does not fit.

    Args:
        model: A built model.
    """
    variables = [*model.variables, *(model.optimizer.variables if model.optimizer else ())]
    before = [(variable, keras.ops.convert_to_numpy(variable).copy()) for variable in variables]
    try:
        yield
    except BaseException:
        for variable, value in before:
            variable.assign(value)
        raise


@contextlib.contextmanager
def refused_in_words(file: str) -> Iterator[None]:
    """Turns what Keras, HDF5 and ZIP raise for a file of weights into one sentence."""
    if "://" not in file and not Path(file).is_file():
        raise UsageError(f"There is no file {file}.")
    try:
        yield
    except (ValueError, KeyError, TypeError, UserWarning) as error:
        raise UsageError(
            f"{file} does not hold the weights of this model, which is left as it was: "
            f"{_gist(error)}"
        ) from error
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise FailureError(
            f"{file} cannot be read; the model is left as it was: {_gist(error)}"
        ) from error


def _gist(error):
    """Returns a message of Keras's on one line, without what follows its first paragraphs."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 400 else f"{text[:397]}..."
