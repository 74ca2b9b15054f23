"""Checks calls of the explorer's page before Gradio, which prints a whole bad call, even 50 MB."""

from __future__ import annotations

import json
import numbers
import re
import reprlib
from collections.abc import Callable
from typing import Any

from keras_devae.errors import UsageError

#: Largest absolute value of a number: far beyond every code, and exact as a float.
_MOST = 2**53
_SESSION = re.compile(r"\w{1,64}", re.ASCII)


def call_checker(page: Any) -> Callable[[bytes], bytes]:
    """Builds the function that checks the calls of a page, a complete `gradio.Blocks`.

    It returns the JSON of a call without unnecessary parts, and raises a `UsageError` if the page
    has no such function, or if its components cannot have such values.
    """

    def check(body: bytes) -> bytes:
        call = _parsed(body)
        number, values = call.get("fn_index"), call.get("data")
        if not _is_whole(number) or number not in page.fns:
            raise UsageError(f"The page has no such function. Received: {_as_json(number)}.")
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
    """Returns the parts of a call that identify the visitor and the component used."""
    session, trigger = call.get("session_hash"), call.get("trigger_id")
    if not (session is None or (isinstance(session, str) and _SESSION.fullmatch(session))):
        raise UsageError(f"There is no such session. Received: {_as_json(session)}.")
    if not (trigger is None or (_is_whole(trigger) and abs(trigger) <= _MOST)):
        raise UsageError(f"There is no such trigger. Received: {_as_json(trigger)}.")
    return {"session_hash": session, "trigger_id": trigger}


def _check_state(component, value):
    # The server keeps it for the visitor; the page does not set it.
    if value is not None:
        raise UsageError("The image shown is kept by the server: it must be null.")


def _check_field(component, value):
    if value is not None:
        _check_number(component, value)


def _check_number(component, value):
    is_real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_real or not abs(value) <= _MOST:
        raise _wrong(component, "a finite number", value)


def _check_choice(component, value):
    choices = [choice for _, choice in component.choices]
    # Without choices it is hidden, and empty.
    if not (_is_whole(value) and value in choices) and (choices or value is not None):
        raise _wrong(component, f"0 to {len(choices) - 1}" if choices else "null", value)


def _check_box(component, value):
    if not isinstance(value, bool):
        raise _wrong(component, "true or false", value)


_CHECKS = {
    "state": _check_state,
    "number": _check_field,
    "slider": _check_number,
    "radio": _check_choice,
    "checkbox": _check_box,
}


def _wrong(component, expected, value):
    return UsageError(f"{component.label!r} must be {expected}. Received: {_as_json(value)}.")


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _as_json(value):
    """Returns a value as JSON, shortened if it is long."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    if _is_whole(value) and abs(value) > _MOST:
        return "a number that is too large"
    return json.dumps(reprlib.repr(value)[1:-1] if isinstance(value, str) else value)
