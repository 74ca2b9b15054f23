"""Values from files and from users, compared with the type hints that say what they must be."""

import math
import numbers
import types
import typing

from keras_devae.checks import shown

_SIMPLE = {
    str: (str, "a text"),
    bool: (bool, "true or false"),
    int: (numbers.Integral, "a whole number"),
    float: (numbers.Real, "a number"),
    types.NoneType: (types.NoneType, "nothing"),
}


def misfit(name, value, kind):
    """Compares a value with a type hint.

    Args:
        name: What the value is called, for the message; nothing if it is all that there is.
        value: The value.
        kind: A simple type, a union, a tuple or list of one type, a dictionary with texts for
            names, a `TypedDict` (more entries than it names may be there), or `typing.Any`. An
            integer is a number too, a truth value is none, and a list will do for a tuple.

    Returns:
        A sentence on the first part that does not fit, or `None` if all does.
    """
    if typing.is_typeddict(kind) and isinstance(value, dict):
        return _misfit_of_entries(name, value, kind)
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (tuple, list) and isinstance(value, (list, tuple)):
        wrong = _first(misfit(f"{name}[{i}]", part, parts[0]) for i, part in enumerate(value))
        whole = _sentence(name, _description(kind), value)
        return wrong and (whole if parts[0] in _SIMPLE else wrong)
    if origin is dict and isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            return _sentence(name, "a table with texts for names", value)
        return _first(misfit(f"{name}.{key}", part, parts[1]) for key, part in value.items())
    return None if _fits(name, value, kind) else _sentence(name, _description(kind), value)


def _misfit_of_entries(name, value, kind):
    hints = typing.get_type_hints(kind)
    missing = sorted(kind.__required_keys__ - set(value))
    if missing:
        return f"{f'`{name}`' if name else 'it'} lacks `{missing[0]}`."
    known = [key for key in hints if key in value]
    within = f"{name}." if name else ""
    return _first(misfit(f"{within}{key}", value[key], hints[key]) for key in known)


def _first(sentences):
    return next((sentence for sentence in sentences if sentence), None)


def _sentence(name, wanted, value):
    return f"{f'`{name}`' if name else 'it'} must be {wanted}. Received: {shown(value)}."


def _fits(name, value, kind):
    if kind is typing.Any:
        return True
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return any(misfit(name, value, part) is None for part in parts)
    if kind not in _SIMPLE or not isinstance(value, _SIMPLE[kind][0]):
        return False
    if isinstance(value, bool):
        return kind is bool
    return kind is not float or _is_representable(value)


def _is_representable(value):
    """Tells whether a number is one in floating point too; an integer may be too large."""
    try:
        return math.isfinite(value) or isinstance(value, float)
    except OverflowError:
        return False


def _description(kind):
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_description(p) for p in parts if p is not types.NoneType)
    if origin in (tuple, list):
        return "a list of texts" if parts[0] is str else "a list"
    is_table = origin is dict or kind is dict or typing.is_typeddict(kind)
    return "a table" if is_table else _SIMPLE[kind][1]
