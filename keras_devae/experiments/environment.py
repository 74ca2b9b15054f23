"""What a run ran on."""

import platform

from keras_devae.backend import BACKENDS, has_accelerator
from keras_devae.machine import installed_versions
from keras_devae.version import __version__


def describe_environment():
    """Returns versions, backend and machine as a dictionary that `json.dump` takes."""
    # Imported only now: reading what others ran on needs no backend.
    import keras

    packages = ("keras", *BACKENDS.values(), "numpy", "h5py", "scikit-learn", "matplotlib")
    return {
        "keras_devae": __version__,
        "backend": keras.backend.backend(),
        "device": "accelerator" if has_accelerator() else "cpu",
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": installed_versions(packages),
    }


def environment_text(environment):
    """Returns in words what `describe_environment` returned.

    Args:
        environment: The dictionary; what is missing in one of an older version is left out.
    """
    packages, backend = environment.get("packages", {}), environment.get("backend")
    parts = [
        f"Keras {packages.get('keras')} on {backend} {packages.get(backend)}",
        f"Python {environment.get('python')}",
        environment.get("device"),
        environment.get("platform"),
    ]
    return ", ".join(part for part in parts if part)
