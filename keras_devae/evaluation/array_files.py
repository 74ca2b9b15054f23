"""Reads array files: codes from other software, and information recorded during training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from keras_devae.checks import Array, check_printable
from keras_devae.errors import FailureError, UsageError
from keras_devae.files import is_there
from keras_devae.files.archives import read_arrays

_CODES = ("codes", "factors", "z_log_var", "factor_names", "n_train", "continuous")
_INFORMATION = ("steps", "information", "entropies", "factor_names")


def read_codes_file(path: str | Path) -> dict[str, Any]:
    """Reads codes and their labels as arguments for `keras_devae.metrics.score_codes`.

    The `.npz` file has `codes` `(n, d)`; it may hold `factors` `(n, f)`, `factor_names` `(f,)`,
    `continuous` (names of factors, or numbers of their columns), `z_log_var` `(n, d)` and the
    integer `n_train`. Other arrays are left alone, and nothing is
    unpickled. No such file, or one of another kind, is a `UsageError`; a damaged one a
    `FailureError`.
    """
    if not is_there(path):
        raise UsageError(f"{path} cannot be opened: No such file or directory.")
    found: dict[str, Any] = read_arrays(path, _CODES)
    if "codes" not in found:
        raise UsageError(f"{path} must hold an array called 'codes'.")
    if "factor_names" in found:
        found["factor_names"] = _names(found["factor_names"], path)
    if "n_train" in found:
        found["n_train"] = _whole_number(found["n_train"], path)
    if "continuous" in found:
        given = np.atleast_1d(found["continuous"])
        is_number = given.dtype.kind in "iu"
        found["continuous"] = given.tolist() if is_number else _names(given, path, "continuous")
    return found


def _names(names: Array, path: str | Path, key: str = "factor_names") -> list[str]:
    if names.ndim != 1 or names.dtype.kind not in "US":
        raise UsageError(
            f"`{key}` in {path} must be a list of strings. Received: shape {names.shape}, "
            f"dtype {names.dtype}."
        )
    try:
        texts = [name.decode() if isinstance(name, bytes) else str(name) for name in names.tolist()]
    except UnicodeDecodeError:
        raise UsageError(f"`{key}` in {path} must be text in UTF-8.") from None
    check_printable(key, texts)
    return texts


def _whole_number(value: Array, path: str | Path) -> int:
    is_number = not value.ndim and value.dtype.kind in "iuf" and np.isfinite(value)
    if not is_number or value != np.floor(value):
        raise UsageError(f"`n_train` in {path} must be a whole number. Received: {value!r}.")
    return int(value)


def read_information_file(file: str | Path, remedy: str) -> tuple[Array, Array, Array, Array]:
    """Reads a file written by `keras_devae.callbacks.InformationCallback`.

    Returns steps `(t,)`, mutual information `(t, d, f)` and entropies `(f,)` in nats, and names of
    the factors `(f,)`. A damaged file, or another one, is a `FailureError` that ends with the
    `remedy`, a sentence.
    """
    try:
        stored = read_arrays(file, _INFORMATION)
    except (UsageError, FailureError) as error:
        raise FailureError(f"{error} {remedy}") from None
    if wrong := _misfit(stored):
        raise FailureError(f"{file} is damaged: {wrong}. {remedy}")
    steps, information, entropies, names = (stored[name] for name in _INFORMATION)
    return steps, information, entropies, names


def _misfit(stored: dict[str, Array]) -> str | None:
    """Says what is wrong with the arrays, or returns `None`."""
    if missing := [name for name in _INFORMATION if name not in stored]:
        return f"it lacks the array {missing[0]!r}"
    steps, information, entropies, names = (stored[name] for name in _INFORMATION)
    shape = information.shape
    if len(shape) != 3 or not information.size:
        return f"'information' has the shape {shape}, and not (steps, latents, factors)"
    if steps.shape != shape[:1] or entropies.shape != shape[2:] or names.shape != shape[2:]:
        return f"its arrays do not belong together ('information' has the shape {shape})"
    if steps.dtype.kind not in "iu" or names.dtype.kind != "U":
        return "its steps are not whole numbers, or its factor names are not texts"
    numbers = (information, entropies)
    if any(array.dtype.kind != "f" or not np.isfinite(array).all() for array in numbers):
        return "its numbers are not finite"
    return None if (entropies > 0).all() else "an entropy is not above 0"
