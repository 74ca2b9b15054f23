"""Numbers and lists as people write them."""

import math

import pytest

from keras_devae.checks import counted
from keras_devae.evaluation.wording import listed
from keras_devae.reports.formatting import (
    format_duration,
    format_number,
    format_setting,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.35678, "0.357"),
        (0.0, "0"),
        (0.00012, "1.2e-04"),
        (-0.25, "-0.250"),
        (12345.678, "12,345.7"),
        (10000, "10,000"),
        (math.nan, "not a number"),
        (-math.inf, "infinite"),
        (None, ""),
    ],
)
def test_numbers(value, text):
    assert format_number(value) == text


def test_lists():
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert counted(1, "run") == "1 run"
    assert counted(1200, "row of images", "rows of images") == "1,200 rows of images"


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.4, "12 s"), (125, "2 min 5 s"), (7500, "2 h 5 min")]
)
def test_times(seconds, text):
    assert format_duration(seconds) == text


def test_settings():
    assert format_setting((1.0, 2.5, 40)) == "1, 2.5, 40"
    assert format_setting({"x": [1, 2], "y": None}) == "x = 1, 2, y = none"
    # The run can be repeated from these digits.
    assert format_setting(0.123456789) == "0.123456789"
    assert (
        format_setting(True) == "yes"
        and format_setting(()) == "none"
        and format_setting(1e-4) == "0.0001"
    )
