"""What a run ran on."""

import importlib.metadata
import platform

import keras

from keras_devae.backend import BACKENDS, has_accelerator
from keras_devae.version import __version__


def describe_environment():
    """Returns versions, backend and machine as a dictionary that `json.dump` takes."""
    packages = ("keras", *BACKENDS.values(), "numpy", "h5py", "scikit-learn", "matplotlib")
    return {
        "keras_devae": __version__,
        "backend": keras.backend.backend(),
        "device": "accelerator" if has_accelerator() else "cpu",
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version for name in packages if (version := installed_version(name))},
    }


def installed_version(name):
    """Returns the version of an installed distribution, or `None`."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
