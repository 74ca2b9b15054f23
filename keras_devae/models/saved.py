"""Saved models, loaded where nothing has imported their classes yet, and copies of models."""

import json
import zipfile

import keras

from keras_devae.errors import FailureError, ran_out_of_memory
from keras_devae.files.reading import DAMAGED_ARCHIVE, check_size, opened, reason_of

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
