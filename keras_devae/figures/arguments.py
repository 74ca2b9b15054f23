"""Checks the arguments of figures before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib.figure import Figure

from keras_devae.checks import Array, listed, shown
from keras_devae.errors import UsageError
from keras_devae.metrics.arrays import numeric_array

#: Numbers that a figure is drawn from, one for each step, factor or run.
Numbers: TypeAlias = "Sequence[float] | Array"


def real_numbers(name: str, values: Any) -> Array:
    """Returns real numbers of any shape as float64; `name` is the argument's, for the error."""
    return numeric_array(values, name, "real numbers", axes=None).astype(np.float64)


def check_steps(values: Any) -> Array:
    """Returns the training steps that curves are drawn over, `(t,)`, finite."""
    steps = real_numbers("steps", values)
    if steps.ndim != 1 or not np.isfinite(steps).all():
        raise UsageError(
            f"`steps` must be finite numbers, one for each point. Received: {shown(values)}."
        )
    return steps


def check_entropies(values: Any, count: int) -> Array:
    """Returns the entropies of `count` factors, each above 0."""
    entropies = real_numbers("entropies", values)
    if entropies.shape != (count,) or not (entropies > 0).all():
        raise UsageError(
            f"`entropies` must be {count} numbers above 0, one for each factor. "
            f"Received: {shown(entropies.tolist())}; leave out factors that do not vary."
        )
    return entropies


def check_mapping(name: str, values: Any, holds: str) -> Mapping[str, Any]:
    """Returns a dictionary with texts as keys; the error says what it `holds`."""
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise UsageError(f"`{name}` must be a dictionary of {holds}. Received: {shown(values)}.")
    return values


def check_figure(figure: Any) -> Figure:
    """Raises a `UsageError` for anything but a matplotlib figure."""
    if not isinstance(figure, Figure):
        raise UsageError(f"`figure` must be a matplotlib figure. Received: {shown(figure)}.")
    return figure


def check_text(name: str, text: Any) -> str:
    """Raises a `UsageError` for anything but a text."""
    if not isinstance(text, str):
        raise UsageError(f"`{name}` must be a text. Received: {shown(text)}.")
    return text


def check_labels(
    labels: Any, count: int, name: str, counted: str, default: str | None = None
) -> list[str]:
    """Returns `count` labels, one for each thing `counted`; for `None` the default ones.

    `name` is the argument's, for the error, and `default` the form of a label, such as `"z{}"`.
    """
    if labels is None and default is not None:
        return [default.format(number) for number in range(count)]
    texts = [str(label) for label in listed(name, labels, f"labels, one for each {counted}")]
    if len(texts) != count:
        raise UsageError(
            f"`{name}` must have one entry for each {counted}, {count}. Received: {len(texts)}."
        )
    return texts
