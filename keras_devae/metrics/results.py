"""The form of every metric's result: flat keys, details, and the settings that made it."""

import importlib.metadata

import numpy as np

from keras_devae.version import __version__


def result(
    metric: str, values: dict, details: dict, settings: dict, libraries: tuple[str, ...] = ()
) -> dict:
    """Puts a metric's result together.

    Args:
        metric: The metric's name.
        values: Key to number; the key gets the metric's name in front, e.g. `mig.score`.
        details: What lies behind the numbers, as plain Python values.
        settings: What was used, as plain Python values; the metric's name and the versions of this
            package and of NumPy are added.
        libraries: Other distributions that computed it, e.g. `"scikit-learn"`; their versions are
            added as `scikit_learn_version`.

    Returns:
        The flat keys, `details` and `settings`: a dictionary that `json.dump` takes as it is.
    """
    return {
        **{f"{metric}.{key}": float(value) for key, value in values.items()},
        "details": details,
        "settings": {
            "metric": metric,
            "package_version": __version__,
            "numpy_version": np.__version__,
            **{
                f"{name.replace('-', '_')}_version": importlib.metadata.version(name)
                for name in libraries
            },
            **{name: _plain(value) for name, value in settings.items()},
        },
    }


def _plain(value):
    """Turns a NumPy scalar, such as a seed from `numpy.arange`, into Python's own."""
    return value.item() if isinstance(value, np.generic) else value
