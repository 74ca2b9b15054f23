"""The file in which training keeps how informative each latent is about each factor."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from keras_devae.checks import Array
from keras_devae.errors import FailureError, UsageError
from keras_devae.files.archives import read_arrays

_NAMES = ("steps", "information", "entropies", "factor_names")


def read_information_file(file: str | Path, remedy: str) -> tuple[Array, Array, Array, Array]:
    """Reads what `keras_devae.callbacks.InformationCallback` wrote.

    Args:
        file: The `.npz` file.
        remedy: A sentence: what to do where it is damaged.

    Returns:
        Tuple of steps `(t,)`, mutual information `(t, d, f)` and entropies `(f,)` in nats, and
        names of the factors `(f,)`.

    Raises:
        FailureError: If it is damaged, or holds something else.
    """
    try:
        stored = read_arrays(file, _NAMES)
    except (UsageError, FailureError) as error:
        raise FailureError(f"{error} {remedy}") from None
    if wrong := _misfit(stored):
        raise FailureError(f"{file} is damaged: {wrong}. {remedy}")
    steps, information, entropies, names = (stored[name] for name in _NAMES)
    return steps, information, entropies, names


def _misfit(stored: dict[str, Array]) -> str | None:
    """Says what is wrong with the arrays, or returns `None`."""
    if missing := [name for name in _NAMES if name not in stored]:
        return f"it lacks the array {missing[0]!r}"
    steps, information, entropies, names = (stored[name] for name in _NAMES)
    shape = information.shape
    if len(shape) != 3 or not information.size:
        return f"'information' has the shape {shape}, and not (steps, latents, factors)"
    if steps.shape != shape[:1] or entropies.shape != shape[2:] or names.shape != shape[2:]:
        return f"its arrays do not belong together ('information' has the shape {shape})"
    if steps.dtype.kind not in "iu" or names.dtype.kind != "U":
        return "its steps are no whole numbers, or its names of factors no texts"
    numbers = (information, entropies)
    if any(array.dtype.kind != "f" or not np.isfinite(array).all() for array in numbers):
        return "its numbers are not finite"
    return None if (entropies > 0).all() else "an entropy is not above 0"
