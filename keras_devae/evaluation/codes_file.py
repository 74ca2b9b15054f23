"""Codes made elsewhere, in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from keras_devae.checks import Array, check_printable
from keras_devae.errors import UsageError
from keras_devae.files import is_there
from keras_devae.files.archives import read_arrays

_ARRAYS = ("codes", "factors", "z_log_var", "factor_names", "n_train")


def read_codes_file(path: str | Path) -> dict[str, Any]:
    """Reads codes and their labels.

    Args:
        path: An `.npz` file with `codes` `(n, d)`; it may hold `factors` `(n, f)`, `factor_names`
            `(f,)`, `z_log_var` `(n, d)` and the integer `n_train`. Other arrays are left alone, and
            nothing is unpickled.

    Returns:
        Dictionary of arguments for `keras_devae.metrics.score_codes`.

    Raises:
        UsageError: If there is no such file, it is of another kind, or has no `codes` in it.
        FailureError: If it is damaged.
    """
    if not is_there(path):
        raise UsageError(f"{path} cannot be opened: No such file or directory.")
    found: dict[str, Any] = read_arrays(path, _ARRAYS)
    if "codes" not in found:
        raise UsageError(f"{path} must hold an array called 'codes'.")
    if "factor_names" in found:
        found["factor_names"] = _names(found["factor_names"], path)
    if "n_train" in found:
        found["n_train"] = _whole_number(found["n_train"], path)
    return found


def _names(names: Array, path: str | Path) -> list[str]:
    if names.ndim != 1 or names.dtype.kind not in "US":
        raise UsageError(
            f"`factor_names` in {path} must be a list of strings. Received: shape {names.shape}, "
            f"dtype {names.dtype}."
        )
    try:
        texts = [name.decode() if isinstance(name, bytes) else str(name) for name in names.tolist()]
    except UnicodeDecodeError:
        raise UsageError(f"`factor_names` in {path} must be text in UTF-8.") from None
    check_printable("factor_names", texts)
    return texts


def _whole_number(value: Array, path: str | Path) -> int:
    is_number = not value.ndim and value.dtype.kind in "iuf" and np.isfinite(value)
    if not is_number or value != np.floor(value):
        raise UsageError(f"`n_train` in {path} must be a whole number. Received: {value!r}.")
    return int(value)
