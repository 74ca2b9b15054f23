"""Checks of the arguments of the variants."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_devae.checks import positive, shown
from keras_devae.data.dataset import Dataset
from keras_devae.data.indexing import integer_array
from keras_devae.errors import UsageError, unknown_name

# Most labels in a message.
_MOST_SHOWN = 20


def checked_pairs(pairs: Any) -> list[tuple[str, str, float]]:
    """Returns pairs of factors as `correlated` takes them; raises `UsageError` for others."""
    checked = []
    for pair in checked_list(pairs, "pairs"):
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 3:
            raise UsageError(
                f"Each pair must be (factor, other factor, sigma). Received: {pair!r}."
            )
        first, second, sigma = pair
        if first == second:
            raise UsageError(f"A pair must have two different factors. Received: {first!r} twice.")
        checked.append((str(first), str(second), float(positive("sigma", sigma))))
    return checked


def checked_combinations(combinations: Any) -> list[dict[str, list[int | str]]]:
    """Returns combinations as `held_out` takes them, each value in a list: a number or a label."""
    if isinstance(combinations, Mapping):
        raise UsageError(
            "The combinations must be a list of dictionaries. "
            f"Received: the dictionary {dict(combinations)}; put it in a list."
        )
    checked = []
    for combination in checked_list(combinations, "combinations"):
        if not isinstance(combination, Mapping) or not combination:
            raise UsageError(
                "Each combination must be a dictionary of factor to value or values, and not "
                f"empty. Received: {combination!r}."
            )
        checked.append(
            {str(name): _checked_values(name, values) for name, values in combination.items()}
        )
    return checked


def _checked_values(name: str, values: Any) -> list[int | str]:
    listed = [values] if isinstance(values, str) else values
    if isinstance(listed, Sequence) and any(isinstance(value, str) for value in listed):
        return [value for each in listed for value in _one_checked(name, each)]
    return _checked_numbers(name, values)


def _one_checked(name: str, value: Any) -> list[int | str]:
    return [value] if isinstance(value, str) else _checked_numbers(name, value)


def _checked_numbers(name: str, values: Any) -> list[int | str]:
    array = np.atleast_1d(integer_array(values, f"Values of the factor {name!r}"))
    if array.ndim > 1 or not array.size:
        raise UsageError(
            f"A factor must have one value or a list of them. Received: {name!r}: {shown(values)}."
        )
    return array.tolist()


def checked_list(values: Any, name: str) -> list[Any]:
    """Returns a non-empty list or tuple as a list; raises `UsageError` for other values."""
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise UsageError(f"`{name}` must be a list and not empty. Received: {shown(values)}.")
    return list(values)


def column_of(dataset: Dataset, name: str) -> int:
    """Returns the position of a factor; raises `UsageError` if the data set has no such factor."""
    if dataset.factor_names is None:
        raise UsageError(
            f"Data set {dataset.name!r} has no factors, so {name!r} is none of them; choose "
            "variants that need only images."
        )
    if name not in dataset.factor_names:
        raise unknown_name("factor", name, dataset.factor_names)
    return dataset.factor_names.index(name)


def value_of(dataset: Dataset, name: str, text: str) -> int | None:
    """Returns the whole number of a factor's label, or of the text of a number, else `None`."""
    labels = dataset.factor_labels.get(name, ())
    if text in labels:
        return labels.index(text)
    return int(text) if re.fullmatch(r"-?[0-9]+", text) else None


def labels_in_words(dataset: Dataset, name: str) -> str:
    """Returns the labels of a factor for an error, empty for a factor without any."""
    labels = dataset.factor_labels.get(name, ())
    more = ", ..." if len(labels) > _MOST_SHOWN else ""
    return f", or at one of {', '.join(labels[:_MOST_SHOWN])}{more}" if labels else ""
