"""Files of models and weights. What is read fits as a whole, or the model stays as it was."""

import contextlib
import json
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import keras

from keras_devae.backend import reserve_accelerators
from keras_devae.checks import flag
from keras_devae.errors import FailureError, UsageError, ran_out_of_memory
from keras_devae.files.reading import DAMAGED_ARCHIVE, check_size, opened, reason_of

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


_PARTS = ("config.json", "metadata.json", "model.weights.h5")
#: What Keras raises for a model whose parts are not what they should be: it reads them untyped.
_UNREADABLE = (*DAMAGED_ARCHIVE, OSError, TypeError, AttributeError, IndexError, ImportError)
#: Letters of Keras's own message that are passed on.
_LONGEST = 500


class UnreadableModelError(FailureError):
    """A file holds no model of this package that could be loaded."""


def load_saved(file):
    """Loads a model of this package.

    Keras finds the classes of a file only if they are imported. The command line imports none
    before it needs it; importing this module imports them all.

    Args:
        file: Path of a `.keras` file.

    Returns:
        The model, compiled as it was saved.

    Raises:
        UnreadableModelError: If the file is missing or damaged, is no file, or holds another model
            or a class that is not imported.
    """
    try:
        _check_parts(file)
        model = keras.models.load_model(file)
    except _UNREADABLE as error:
        if ran_out_of_memory(error):
            raise
        # Keras puts the configuration of the whole model before and behind what is wrong.
        said = reason_of(error).rpartition("Exception encountered: ")[2]
        reason = said.partition(" Full object config")[0][:_LONGEST]
        raise UnreadableModelError(f"{file} cannot be loaded: {reason}.") from error
    from keras_devae.models import VAE

    if not isinstance(model, VAE):
        raise UnreadableModelError(
            f"{file} cannot be loaded: it holds a {type(model).__name__}, no model of this package."
        )
    return model


def _check_parts(file):
    """Raises an error unless the parts of an archive are there, and its configuration is one."""
    with opened(file) as stream, zipfile.ZipFile(stream) as archive:
        if missing := [name for name in _PARTS if name not in archive.namelist()]:
            raise ValueError(f"it lacks {missing[0]}")
        described = json.loads(archive.read("config.json"))
    check_size(described)
    parts = {"module": str, "class_name": str, "config": dict}
    is_one = isinstance(described, dict) and all(
        isinstance(described.get(name), kind) for name, kind in parts.items()
    )
    if not is_one:
        raise ValueError("its config.json describes no model")


def in_float32(model):
    """Returns a model with the same weights that computes in float32 throughout.

    Args:
        model: A model of this package.

    Returns:
        A copy, not compiled; the model itself where its dtype policy is float32 already.
    """
    if model.dtype_policy.name == "float32":
        return model
    described = keras.saving.serialize_keras_object(model)
    described.pop("compile_config", None)
    copy = keras.saving.deserialize_keras_object(_with_float32(described))
    copy.set_weights(model.get_weights())
    return copy


def _with_float32(described):
    """Returns what Keras serialised, with float32 in place of every dtype policy."""
    if isinstance(described, dict):
        if described.get("class_name") == "DTypePolicy":
            return {**described, "config": {"name": "float32"}}
        return {name: _with_float32(value) for name, value in described.items()}
    if isinstance(described, (list, tuple)):
        return type(described)(map(_with_float32, described))
    return described
