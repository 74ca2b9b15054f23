"""Values from files and from users, validated by pydantic against the types that are declared."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from keras_devae.checks import shown
from keras_devae.errors import UsageError

#: Kind of error of pydantic -> what it wants, with the limits of the declaration.
_WANTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a table",
    "greater_than_equal": "a whole number of at least {ge}",
    "greater_than": "a finite number above {gt:g}",
    "finite_number": "a finite number",
    "less_than_equal": "at most {le:,}",
    "less_than": "below {lt:,}",
    "too_long": "a list of at most {max_length} entries",
}


def validated(kind: Any, value: Any) -> Any:
    """Validates a value against a type.

    An integer is a number too, a truth value is none, and entries that a `TypedDict` does not name
    may be there.

    Args:
        kind: The type, with `annotated_types` for ranges.
        value: The value.

    Returns:
        The value, in the form that the type has.

    Raises:
        UsageError: If it does not fit; a sentence on the first part that does not.
    """
    # Imported where something is validated: help and lists come without it.
    import pydantic

    try:
        return _adapter(kind).validate_python(value, strict=True)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
    raise _usage_error(first["type"], first["loc"], first["input"], first.get("ctx", {}))


@functools.cache
def _adapter(kind):
    import pydantic

    return pydantic.TypeAdapter(kind)


def _usage_error(kind: str, place: Sequence[str | int], value: Any, limits: dict[str, Any]):
    if kind == "value_error":  # From a check of this package.
        return limits["error"]
    if kind == "missing":
        return UsageError(f"{_name(place[:-1])} lacks `{place[-1]}`.")
    if place and place[-1] == "[key]":
        return UsageError(
            f"{_name(place[:-2])} must be a table with texts for names. Received the name: "
            f"{shown(value)}."
        )
    wanted = _WANTED[kind].format_map(limits)
    return UsageError(f"{_name(place)} must be {wanted}. Received: {shown(value)}.")


def _name(place):
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return f"`{''.join(parts).removeprefix('.')}`" if place else "it"
