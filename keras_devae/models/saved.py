"""Saved models, loaded where nothing has imported their classes yet."""

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
