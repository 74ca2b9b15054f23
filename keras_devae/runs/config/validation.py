"""Values from files and from users, validated by pydantic against the types that are declared."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from keras_devae.checks import shown
from keras_devae.errors import UsageError

if TYPE_CHECKING:
    import pydantic
    from pydantic_core import ErrorDetails

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
    """Returns a value that has a type, or raises a `UsageError` about its first part that has not.

    `annotated_types` state ranges. Integers count as numbers, truth values do not. A `TypedDict`
    may hold entries that it does not name.
    """
    # Imported late, because help does not need it.
    import pydantic

    try:
        return _adapter(kind).validate_python(value, strict=True)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
    raise _usage_error(first)


@functools.cache
def _adapter(kind: Any) -> pydantic.TypeAdapter[Any]:
    import pydantic

    return pydantic.TypeAdapter(kind)


def _usage_error(error: ErrorDetails) -> Exception:
    kind, place, limits = error["type"], error["loc"], error.get("ctx", {})
    if kind == "value_error":  # A check of this package raised it.
        return limits["error"]
    if kind == "missing":
        return UsageError(f"{_name(place[:-1])} lacks `{place[-1]}`.")
    wanted = _WANTED.get(kind, "").format_map(limits)
    if place and place[-1] == "[key]":
        place, wanted = place[:-2], "a table with texts for names"
    fault = f"must be {wanted}" if wanted else f"does not fit ({error['msg']})"
    return UsageError(f"{_name(place)} {fault}. Received: {shown(error['input'])}.")


def _name(place):
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return f"`{''.join(parts).removeprefix('.')}`" if place else "it"
