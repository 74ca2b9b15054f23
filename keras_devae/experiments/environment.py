"""What a run ran on."""

import platform

import keras

from keras_devae.backend import BACKENDS, has_accelerator
from keras_devae.machine import installed_versions
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
        "packages": installed_versions(packages),
    }
