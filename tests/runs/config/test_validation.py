"""Errors of pydantic in the sentences of this package."""

from typing import Annotated, Any, NotRequired

import pytest
from annotated_types import Ge, MultipleOf
from typing_extensions import TypedDict

from keras_devae.errors import UsageError
from keras_devae.runs.config.validation import validated


class Part(TypedDict):
    """A part of a whole."""

    size: float


class Whole(TypedDict):
    """What a file may hold."""

    parts: list[Part]
    name: NotRequired[str | None]
    sizes: NotRequired[dict[str, int]]


def test_what_fits_comes_back():
    value = {"parts": [{"size": 1}, {"size": 0.5}], "name": None, "sizes": {"a": 3}}
    assert validated(Whole, value) == value
    assert validated(Whole, {"parts": [], "more": 3}) == {"parts": []}
    assert validated(dict[str, Any], {"a": [None]}) == {"a": [None]}


@pytest.mark.parametrize(
    ("kind", "value", "sentence"),
    [
        (Whole, 3, "it must be a table. Received: 3."),
        (Whole, {}, "it lacks `parts`."),
        (Whole, {"parts": [{"size": 1}, {}]}, "`parts[1]` lacks `size`."),
        (Whole, {"parts": {}}, "`parts` must be a list. Received: {}."),
        (Whole, {"parts": [{"size": True}]}, "`parts[0].size` must be a number. Received: True."),
        (Whole, {"parts": [], "name": 3}, "`name` must be a text. Received: 3."),
        (Whole, {"parts": [], "sizes": {"a": 1.0}}, "`sizes.a` must be a whole number."),
        (Whole, {"parts": [], "sizes": {3: 1}}, "`sizes` must be a table with texts for names."),
        (Annotated[int, Ge(2)], 1, "it must be a whole number of at least 2. Received: 1."),
        (Annotated[int, MultipleOf(5)], 3, "it does not fit (Input should be a multiple of 5)."),
    ],
)
def test_the_first_part_that_does_not_fit_is_named(kind, value, sentence):
    with pytest.raises(UsageError) as refusal:
        validated(kind, value)
    assert str(refusal.value).startswith(sentence)
