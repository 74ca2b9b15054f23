"""Codes made elsewhere, in a file."""

import zipfile

import numpy as np

from keras_devae.errors import FailureError, UsageError

_ARRAYS = ("codes", "factors", "z_log_var", "factor_names", "n_train")


def read_codes_file(path):
    """Reads codes and their labels.

    Args:
        path: An `.npz` file with `codes` `(n, d)`; it may hold `factors` `(n, f)`, `factor_names`
            `(f,)`, `z_log_var` `(n, d)` and the integer `n_train`. Other arrays are left alone, and
            nothing is unpickled.

    Returns:
        Dictionary of arguments for `keras_devae.metrics.evaluate`.

    Raises:
        UsageError: If there is no such file, it is of another kind, or has no `codes` in it.
        FailureError: If it is damaged.
    """
    _check_kind(path)
    try:
        # numpy.load leaves a damaged file open that it opened itself.
        with open(path, "rb") as file, np.load(file) as stored:
            found = {name: stored[name] for name in _ARRAYS if name in stored.files}
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise FailureError(f"{path} cannot be read, it is damaged or cut off: {error}.") from None
    except ValueError as error:
        raise UsageError(f"{path} must hold plain arrays: {error}") from None
    if "codes" not in found:
        raise UsageError(f"{path} must hold an array called `codes`.")
    if "factor_names" in found:
        found["factor_names"] = _names(found["factor_names"], path)
    if "n_train" in found:
        found["n_train"] = _whole_number(found["n_train"], path)
    return found


def _names(names, path):
    if names.ndim != 1 or names.dtype.kind not in "US":
        raise UsageError(
            f"`factor_names` in {path} must be a list of strings. Received: shape {names.shape}, "
            f"dtype {names.dtype}."
        )
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names.tolist()]


def _whole_number(value, path):
    if value.ndim or value.dtype.kind not in "iuf" or value != np.floor(value):
        raise UsageError(f"`n_train` in {path} must be a whole number. Received: {value!r}.")
    return int(value)


def _check_kind(path):
    try:
        with open(path, "rb") as file:
            start = file.read(2)
    except OSError as error:
        raise UsageError(f"{path} cannot be opened: {error.strerror}.") from None
    if start != b"PK":
        raise UsageError(f"{path} is not an .npz file, as `numpy.savez` writes it.")
