"""Calls of the explorer's page, checked before Gradio takes them apart.

Gradio prints a traceback with what it received where a call does not fit its components, be that
50 MB. What does not fit never gets there.
"""

import json
import numbers
import re
import reprlib
from collections.abc import Callable
from typing import Any

from keras_devae.errors import UsageError

#: Size of a number at most: far beyond every code, and exact as a float.
MOST = 2**53
_SESSION = re.compile(r"\w{1,64}", re.ASCII)


def call_checker(page: Any) -> Callable[[bytes], bytes]:
    """Makes the function that checks the calls of a page.

    Args:
        page: A `gradio.Blocks`, complete.

    Returns:
        Function of the JSON of a call. It returns the same call with nothing in it that a call does
        not need, or raises `UsageError`: where it is no JSON, names no function of the page, or its
        values are too few, too many, or none that their components can have.
    """

    def check(body):
        call = _parsed(body)
        number, values = call.get("fn_index"), call.get("data")
        if not _is_whole(number) or number not in page.fns:
            raise UsageError(f"The page has no such function. Received: {_short(number)}.")
        inputs = page.fns[number].inputs
        if not isinstance(values, list) or len(values) != len(inputs):
            count = len(values) if isinstance(values, list) else "no list"
            raise UsageError(f"This call takes {len(inputs)} values. Received: {count}.")
        for component, value in zip(inputs, values, strict=True):
            _CHECKS[component.get_block_name()](component, value)
        kept = {"data": values, "fn_index": number, **_origin(call)}
        return json.dumps(kept).encode()

    return check


def _parsed(body):
    try:
        call = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise UsageError(
            "A call must be JSON, with finite numbers, as the page sends it."
        ) from None
    if not isinstance(call, dict):
        raise UsageError("A call must be a JSON object, as the page sends it.")
    return call


def _refuse_constant(name):
    raise ValueError(name)


def _origin(call):
    """Returns what says which visitor did what."""
    session, trigger = call.get("session_hash"), call.get("trigger_id")
    if not (session is None or (isinstance(session, str) and _SESSION.fullmatch(session))):
        raise UsageError(f"There is no such session. Received: {_short(session)}.")
    if not (trigger is None or (_is_whole(trigger) and abs(trigger) <= MOST)):
        raise UsageError(f"There is no such trigger. Received: {_short(trigger)}.")
    return {"session_hash": session, "trigger_id": trigger}


def _check_kept(component, value):
    # What the server keeps for the visitor; the page has no say in it.
    if value is not None:
        raise UsageError("The image that is shown is kept here: it must be null.")


def _check_field(component, value):
    if value is not None:
        _check_number(component, value)


def _check_number(component, value):
    if not _is_real(value) or not abs(value) <= MOST:
        raise UsageError(f"{component.label!r} must be a finite number. Received: {_short(value)}.")


def _check_choice(component, value):
    choices = [choice for _, choice in component.choices]
    # Without choices it is hidden, and empty.
    if not (_is_whole(value) and value in choices) and (choices or value is not None):
        known = f"0 to {len(choices) - 1}" if choices else "null"
        raise UsageError(f"{component.label!r} must be {known}. Received: {_short(value)}.")


def _check_box(component, value):
    if not isinstance(value, bool):
        raise UsageError(f"{component.label!r} must be true or false. Received: {_short(value)}.")


_CHECKS = {
    "state": _check_kept,
    "number": _check_field,
    "slider": _check_number,
    "radio": _check_choice,
    "checkbox": _check_box,
}


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_real(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _short(value):
    """Returns a value as JSON writes it, the beginning of it where it is long."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    if _is_whole(value) and abs(value) > MOST:
        return "a number that is too large"
    return json.dumps(reprlib.repr(value)[1:-1] if isinstance(value, str) else value)
