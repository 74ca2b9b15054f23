"""Checks of what figures are drawn from, before anything is drawn."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from keras_devae.checks import listed, shown
from keras_devae.errors import UsageError
from keras_devae.metrics.arrays import numeric_array


def real_numbers(name: str, values: Any) -> np.ndarray:
    """Reads numbers of any shape.

    Args:
        name: What the argument is called in the error.
        values: What was passed.

    Returns:
        Float64 array.

    Raises:
        UsageError: If it is not an array of real numbers.
    """
    return numeric_array(values, name, "real numbers", axes=None).astype(np.float64)


def steps_of(values: Any) -> np.ndarray:
    """Reads the training steps that curves are drawn over, `(t,)`; raises a `UsageError`."""
    steps = real_numbers("steps", values)
    if steps.ndim != 1 or not np.isfinite(steps).all():
        raise UsageError(
            f"`steps` must be finite numbers, one for each point. Received: {shown(values)}."
        )
    return steps


def check_mapping(name: str, values: Mapping, holds: str) -> Mapping:
    """Checks a dictionary; the error says what it `holds`."""
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise UsageError(f"`{name}` must be a dictionary of {holds}. Received: {shown(values)}.")
    return values


def check_figure(figure: Figure) -> Figure:
    """Raises a `UsageError` for anything but a matplotlib figure."""
    if not isinstance(figure, Figure):
        raise UsageError(f"`figure` must be a matplotlib figure. Received: {shown(figure)}.")
    return figure


def check_text(name: str, text: str | None, optional: bool = False) -> str | None:
    """Raises a `UsageError` for anything but a text, or `None` where that is `optional`."""
    if not isinstance(text, str) and not (optional and text is None):
        raise UsageError(f"`{name}` must be a text. Received: {shown(text)}.")
    return text


def check_labels(labels: Iterable, count: int, name: str, counted: str) -> list[str]:
    """Checks that there is one label for each of the things labelled.

    Args:
        labels: The labels.
        count: How many there should be.
        name: What the argument is called in the error.
        counted: What is labelled, in the singular.

    Returns:
        The labels as strings.

    Raises:
        UsageError: If they are not a list, or there is another number of them.
    """
    labels = listed(name, labels, f"labels, one for each {counted}")
    labels = [str(label) for label in labels]
    if len(labels) != count:
        raise UsageError(
            f"`{name}` must have one entry for each {counted}, {count}. Received: {len(labels)}."
        )
    return labels
