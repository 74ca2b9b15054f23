"""Saves models and weights, loads them completely or not at all, and copies them in float32."""

import contextlib
import json
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_devae.backend import reserve_accelerators
from keras_devae.checks import flag
from keras_devae.errors import FailureError, UsageError, ran_out_of_memory
from keras_devae.files.reading import DAMAGED_ARCHIVE, check_size, opened, read_text, reason_of
from keras_devae.presets.finding import check_address, hub_failure, is_address
from keras_devae.presets.folder import CONFIG, METADATA, WEIGHTS

#: File suffixes that Keras's `save`, `save_weights` and `load_weights` support for these models.
_MODEL_FILES = (".keras",)
_WRITTEN_WEIGHTS = (".weights.h5", ".weights.json")
_READ_WEIGHTS = (".weights.h5", ".weights.json", ".keras")
_PARTS = (CONFIG, METADATA, WEIGHTS)
#: Errors that Keras raises for a damaged model file, because it does not check the file.
_UNREADABLE = (*DAMAGED_ARCHIVE, OSError, TypeError, AttributeError, IndexError, ImportError)
#: How many characters of Keras's own message to pass on.
_LONGEST = 500


def _check_suffix(what, file, suffixes, hint=""):
    """Checks a file name's suffix and returns the name as a string."""
    if not isinstance(file, (str, Path)) or not str(file).endswith(suffixes):
        names = " or ".join(f"*{suffix}" for suffix in suffixes)
        raise UsageError(f"{what} a file named {names}.{hint} Received: {str(file)!r}.")
    return str(file)


@contextlib.contextmanager
def _unchanged_on_failure(model):
    """Restores a model's variables, including its optimizer's, if the body of a `with` fails.

    Keras assigns one weight after another, and stops at the first that does not fit.
    """
    # Keras sets the attribute only in `compile`.
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
def _errors_in_one_sentence(file):
    """Turns the errors of Keras, HDF5 and ZIP for a weights file into one sentence."""
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
    """Returns a message on one line, cut to 400 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 400 else f"{text[:397]}..."


class Saving(keras.Model):
    """The part of every model that saves and loads it."""

    def save(self, filepath: str | Path, overwrite: bool = True, **kwargs: Any) -> None:
        """Saves the model, see `keras.Model.save`; keeps TensorFlow off another backend's GPU.

        `filepath` is a file named `*.keras`, or `"hf://owner/name"`, a repository of the Hugging
        Face Hub, which Keras creates if there is none, and whose card it writes anew.

        Raises:
            UsageError: If the file has another name, or `huggingface_hub` is not installed.
            FailureError: If the hub refuses, or cannot be reached.
        """
        reserve_accelerators()
        if is_address(filepath):
            check_address(filepath)
            try:
                super().save(filepath, overwrite=overwrite, **kwargs)
            except Exception as error:  # Of the network, of the hub.
                raise hub_failure(f"The model is not saved to {filepath}", error) from error
            return
        hint = " `export_encoder` writes formats of other runtimes, `save_to_preset` a folder."
        _check_suffix("A model is saved in", filepath, _MODEL_FILES, hint)
        super().save(filepath, overwrite=overwrite, **kwargs)

    def save_weights(
        self, filepath: str | Path, overwrite: bool = True, max_shard_size: float | None = None
    ) -> None:
        """Saves the weights, see `keras.Model.save_weights`.

        Raises a `UsageError` unless the file is named `*.weights.h5` or `*.weights.json`.
        """
        _check_suffix("Weights are saved in", filepath, _WRITTEN_WEIGHTS)
        super().save_weights(filepath, overwrite, max_shard_size)

    def load_weights(
        self, filepath: str | Path, skip_mismatch: bool = False, **kwargs: Any
    ) -> None:
        """Loads weights, see `keras.Model.load_weights`; on failure the model stays as it was.

        `filepath` is a file named `*.weights.h5`, `*.weights.json` or `*.keras`.

        Raises:
            UsageError: If there is no such file, or it holds the weights of another model.
            FailureError: If it cannot be read.
        """
        file = _check_suffix("Weights are loaded from", filepath, _READ_WEIGHTS)
        flag("skip_mismatch", skip_mismatch)
        with _errors_in_one_sentence(file), _unchanged_on_failure(self), warnings.catch_warnings():
            if not skip_mismatch:
                # If the file lacks whole layers, Keras only warns.
                warnings.filterwarnings("error", message="Skipping nested container")
            super().load_weights(filepath, skip_mismatch=skip_mismatch, **kwargs)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Sets all weights, see `keras.Model.set_weights`; on failure the model stays as it was.

        Raises a `UsageError` unless the arrays have the shapes and the order of `get_weights`.
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

    def export(
        self, filepath: str | Path | None = None, format: str = "tf_saved_model", **kwargs: Any
    ) -> None:
        """Not supported: use `export_encoder`, which keeps encoder and decoder separate."""
        raise UsageError(
            "Keras's `export` cannot write these models. Call "
            f"`model.export_encoder({str(filepath)!r})`, which writes the endpoints encode, decode "
            "and reconstruct as a SavedModel, or with format='onnx' for ONNX Runtime."
        )


class UnreadableModelError(FailureError):
    """Raised if a file does not hold a loadable model of this package."""


def load_saved(file: str | Path) -> Any:
    """Loads a model of this package from a `.keras` file, compiled as it was when saved.

    For the file of weights in the folder of a preset, it is the preset's model, not compiled.
    Raises an `UnreadableModelError` if the file is missing, damaged or holds another model.
    """
    if Path(file).name == WEIGHTS:
        return load_folder(Path(file).parent)
    return _of_this_package(load_any_model(file), file)


def load_any_model(file: str | Path) -> Any:
    """Loads a model of Keras or of this package from a `.keras` file.

    Imports all model classes, because Keras finds a file's classes only if they are imported.
    Raises an `UnreadableModelError` if the file is missing or damaged.
    """
    with _reason_in_one_sentence(file):
        _check_parts(file)
        _import_models()
        return keras.models.load_model(file)


def load_folder(folder: Path, load_weights: bool = True) -> Any:
    """Loads a model of this package from the folder of a preset, not compiled.

    Without `load_weights` the weights are new. Raises an `UnreadableModelError` if the folder lacks
    a part, or a part is damaged or is of another model.
    """
    import h5py

    with _reason_in_one_sentence(folder):
        described = json.loads(read_text(folder / CONFIG))
        _check_description(described)
        _import_models()
        if load_weights:
            h5py.File(folder / WEIGHTS).close()  # Keras hides that it cannot be opened.
            model = keras.models.load_model(folder, compile=False)
        else:
            described.pop("compile_config", None)
            model = keras.saving.deserialize_keras_object(described)
    return _of_this_package(model, folder)


def _import_models():
    from keras_devae.models import MODELS

    assert MODELS


def _of_this_package(model, source):
    """Returns a model, or raises an error if it is none of this package's."""
    from keras_devae.models.image_model import ImageModel

    if not isinstance(model, ImageModel):
        raise UnreadableModelError(
            f"{source} cannot be loaded: it holds a {type(model).__name__}, not a model of "
            "this package."
        )
    return model


@contextlib.contextmanager
def _reason_in_one_sentence(source):
    """Turns the errors that a damaged file leads to into one, which says why in one sentence."""
    try:
        yield
    except _UNREADABLE as error:
        if ran_out_of_memory(error):
            raise
        # Keras wraps the reason in the configuration of the whole model.
        message = reason_of(error).rpartition("Exception encountered: ")[2]
        reason = message.partition(" Full object config")[0][:_LONGEST]
        raise UnreadableModelError(f"{source} cannot be loaded: {reason}.") from error


def _check_parts(file):
    """Raises an error unless an archive has its parts, and its configuration describes a model."""
    with opened(file) as stream, zipfile.ZipFile(stream) as archive:
        if missing := [name for name in _PARTS if name not in archive.namelist()]:
            raise ValueError(f"it lacks {missing[0]}")
        described = json.loads(archive.read(CONFIG))
    _check_description(described)


def _check_description(described):
    """Raises an error unless the content of `config.json` describes a model."""
    check_size(described)
    parts = {"module": str, "class_name": str, "config": dict}
    is_one = isinstance(described, dict) and all(
        isinstance(described.get(name), kind) for name, kind in parts.items()
    )
    if not is_one:
        raise ValueError("its config.json describes no model")


def in_float32(model: Any) -> Any:
    """Returns the model if it computes in float32 throughout, else an uncompiled float32 copy."""
    return model if model.dtype_policy.name == "float32" else uncompiled_copy(model)


def uncompiled_copy(model: Any) -> Any:
    """Returns a copy of a model with its weights that computes in float32, without optimizer."""
    described = keras.saving.serialize_keras_object(model)
    described.pop("compile_config", None)
    copy = keras.saving.deserialize_keras_object(_with_float32(described))
    copy.set_weights(model.get_weights())
    return copy


def _with_float32(described):
    """Returns a serialised Keras object with every dtype policy replaced by float32."""
    if isinstance(described, dict):
        if described.get("class_name") == "DTypePolicy":
            return {**described, "config": {"name": "float32"}}
        return {name: _with_float32(value) for name, value in described.items()}
    if isinstance(described, (list, tuple)):
        return type(described)(map(_with_float32, described))
    return described


def own_modules(model: Any) -> list[str]:
    """Returns the modules, outside this package, that registered classes and functions of a model.

    `__main__` stands for the script or notebook that runs.
    """
    modules = set(_modules_in(keras.saving.serialize_keras_object(model)))
    return sorted(name for name in modules if name.partition(".")[0] != "keras_devae")


def _modules_in(described: Any) -> Iterator[str]:
    if isinstance(described, dict):
        is_function = described.get("class_name") == "function"
        name = described.get("config" if is_function else "registered_name")
        registered = keras.saving.get_registered_object(name) if isinstance(name, str) else None
        if registered is not None:
            yield registered.__module__
        described = list(described.values())
    if isinstance(described, (list, tuple)):
        for part in described:
            yield from _modules_in(part)
