"""Calls of the page, on components that are like Gradio's in what is asked of them."""

import json
import types

import pytest

from keras_devae.errors import UsageError
from keras_devae.explorer.call_validation import call_checker


def component(kind, label, choices=()):
    return types.SimpleNamespace(
        get_block_name=lambda: kind, label=label, choices=[(str(c), c) for c in choices]
    )


@pytest.fixture(scope="module")
def check():
    layer, hidden = component("radio", "Layer", [0, 1]), component("radio", "Category")
    moving = [component("state", None), layer, hidden, component("slider", "z0")]
    others = [component("number", "Row"), component("checkbox", "All")]
    functions = {0: moving, 3: others}
    page = types.SimpleNamespace(
        fns={key: types.SimpleNamespace(inputs=inputs) for key, inputs in functions.items()}
    )
    return call_checker(page)


GOOD = {"data": [None, 1, None, -0.5], "fn_index": 0, "trigger_id": 8, "session_hash": "a1b2"}


@pytest.mark.parametrize(
    "call",
    [
        GOOD,
        {**GOOD, "data": [None, 0, None, 3]},
        {**GOOD, "fn_index": 3, "data": [None, True]},
        {**GOOD, "fn_index": 3, "data": [14, False], "session_hash": None, "trigger_id": None},
    ],
)
def test_what_the_page_sends_is_handed_on(check, call):
    assert json.loads(check(json.dumps(call).encode())) == call


def test_what_a_call_does_not_need_is_left_out(check):
    more = {"event_data": {"path": "/etc/passwd"}, "oauth_token": "x", "batched": True, "x": 1}
    assert json.loads(check(json.dumps({**GOOD, **more}).encode())) == GOOD


FILE = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
SLIDERS = ["1", "NaN", None, True, [], [1.0], FILE, 1e300, -(2**60), 10**4000, "x" * 900_000]


def with_value(place, value, number=0):
    data = [None, 1, None, 0.5] if number == 0 else [1, True]
    return {**GOOD, "fn_index": number, "data": [*data[:place], value, *data[place + 1 :]]}


WRONG_VALUES = [
    *[(with_value(3, value), "'z0' must be a finite number") for value in SLIDERS],
    *[(with_value(1, v), "'Layer' must be 0 to 1") for v in (None, 2, -1, "0", True, 1.0, [], {})],
    *[(with_value(2, v), "'Category' must be null") for v in (0, "x", False, [])],
    *[(with_value(0, value), "must be null") for value in (3, {}, "x")],
    *[(with_value(0, v, 3), "'Row' must be a finite number") for v in ("1", True, [], 1e99)],
    *[(with_value(1, v, 3), "'All' must be true or false") for v in (None, 0, 1, "true", [])],
]
WRONG_CALLS = [
    *[({**GOOD, "data": [None] * n}, f"takes 4 values. Received: {n}") for n in (0, 3, 5, 9999)],
    *[({**GOOD, "data": v}, "takes 4 values. Received: no list") for v in (None, {}, "abcd", 4)],
    *[({**GOOD, "fn_index": v}, "no such function") for v in (1, -1, None, "0", True, 0.0, [], {})],
    *[({**GOOD, "session_hash": v}, "no such session") for v in (5, "", "a/b", "a" * 65, [])],
    *[({**GOOD, "trigger_id": v}, "no such trigger") for v in ("8", 1.5, True, 2**70, [])],
    *[(v, "must be a JSON object") for v in ([], 5, None, "text", True)],
    ({}, "no such function"),
]


@pytest.mark.parametrize(
    ("call", "message"), WRONG_VALUES + WRONG_CALLS, ids=lambda v: repr(v)[:40]
)
def test_what_does_not_fit_is_refused_in_a_short_sentence(check, call, message):
    with pytest.raises(UsageError) as refused:
        check(json.dumps(call).encode())
    sentence = str(refused.value)
    assert message in sentence and len(sentence) < 150 and "\n" not in sentence


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"a":' * 50_000,
        b"1" * 5000,
        json.dumps({**GOOD, "data": [None, 1, None, float("nan")]}).encode(),
        json.dumps({**GOOD, "data": [None, 1, None, float("-inf")]}).encode(),
        b"data=1&fn_index=0",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_json_is_refused(check, body):
    with pytest.raises(UsageError, match="must be JSON, with finite numbers"):
        check(body)


def test_a_number_that_overflows_is_not_finite(check):
    with pytest.raises(UsageError, match="Received: Infinity"):
        check(json.dumps(with_value(3, "#")).replace('"#"', "1e999").encode())
