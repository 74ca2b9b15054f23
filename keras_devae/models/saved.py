"""Saved models, loaded where nothing has imported their classes yet, and copies of models."""

import keras


def load_saved(file):
    """Loads a model of this package.

    Keras finds the classes of a file only if they are imported. The command line imports none
    before it needs it; importing this module imports them all.

    Args:
        file: Path of a `.keras` file.

    Returns:
        The model, compiled as it was saved.

    Raises:
        OSError, ValueError, KeyError, zipfile.BadZipFile: If the file is damaged, or holds a class
            that is not imported.
    """
    try:
        return keras.models.load_model(file)
    except TypeError as error:
        # Keras goes on with the configuration of the whole model.
        raise ValueError(str(error).partition(" Full object config")[0]) from error


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
