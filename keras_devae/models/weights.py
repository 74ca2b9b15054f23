"""Files of models and weights. What is read fits as a whole, or the model stays as it was."""

import contextlib
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import keras

from keras_devae.backend import reserve_accelerators
from keras_devae.checks import flag
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
    # Keras sets the attribute in `compile`.
    optimizer = getattr(model, "optimizer", None)
    variables = [*model.variables, *(optimizer.variables if optimizer else ())]
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


class Files:
    """The part of `keras_devae.VAE` that Keras saves and loads."""

    def save(self, filepath, overwrite=True, **kwargs):
        """Saves the model, see `keras.Model.save`; TensorFlow is kept off another's GPU.

        Args:
            filepath: A file named `*.keras`.
            overwrite: As in Keras; default true.
            **kwargs: Arguments of `keras.Model.save`.

        Raises:
            UsageError: If the file has another name.
        """
        hint = " `export_encoder` writes a SavedModel or ONNX."
        check_suffix("A model is saved in", filepath, MODEL_FILES, hint)
        reserve_accelerators()
        super().save(filepath, overwrite=overwrite, **kwargs)

    def save_weights(self, filepath, *args, **kwargs):
        """Saves the weights, see `keras.Model.save_weights`; a `UsageError` for another name."""
        check_suffix("Weights are saved in", filepath, WRITTEN_WEIGHTS)
        super().save_weights(filepath, *args, **kwargs)

    def load_weights(self, filepath, skip_mismatch=False, **kwargs):
        """Loads weights, see `keras.Model.load_weights`; all of them, or the model stays as it was.

        Args:
            filepath: A file named `*.weights.h5`, `*.weights.json` or `*.keras`.
            skip_mismatch: As in Keras; default false.
            **kwargs: Arguments of `keras.Model.load_weights`.

        Raises:
            UsageError: If there is no such file, or it holds the weights of another model.
            FailureError: If it cannot be read.
        """
        file = check_suffix("Weights are loaded from", filepath, READ_WEIGHTS)
        flag("skip_mismatch", skip_mismatch)
        with refused_in_words(file), unchanged_if_refused(self), warnings.catch_warnings():
            if not skip_mismatch:
                # Keras only warns of whole layers that the file lacks.
                warnings.filterwarnings("error", message="Skipping nested container")
            super().load_weights(filepath, skip_mismatch=skip_mismatch, **kwargs)

    def set_weights(self, weights):
        """Sets all weights, see `keras.Model.set_weights`; all, or the model stays as it was.

        Args:
            weights: Arrays of the shapes of `get_weights`, in its order.

        Raises:
            UsageError: If there are more or fewer, or one is of another shape.
        """
        expected = [tuple(variable.shape) for variable in self.weights]
        is_list = isinstance(weights, (list, tuple))
        given = [getattr(w, "shape", None) for w in weights] if is_list else type(weights).__name__
        if given != expected:
            raise UsageError(
                f"`weights` must be arrays of the shapes {expected}, as `get_weights` returns "
                f"them. Received: {given}."
            )
        super().set_weights(weights)

    def export(self, filepath=None, format="tf_saved_model", **kwargs):
        """Refused: `export_encoder` writes encoder and decoder, which Keras would not part.

        Raises:
            UsageError: Always.
        """
        raise UsageError(
            "Keras's `export` cannot write these models. Call "
            f"`model.export_encoder({str(filepath)!r})`, which writes the endpoints encode, decode "
            "and reconstruct as a SavedModel, or with format='onnx' for ONNX Runtime."
        )
