"""Formats numbers and settings for people to read."""

import math
from typing import Any


def format_number(value: float | None) -> str:
    """Returns a number for a table: three decimals where it is small, fewer where it is large."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:,.1f}"
    # With three decimals, a smaller number would read 0.
    return f"{value:.3f}" if abs(value) >= 0.0005 else f"{value:.1e}"


def format_duration(seconds: float) -> str:
    """Returns a time in the two largest units, e.g. `"1 h 12 min"`."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def format_setting(value: Any) -> str:
    """Returns the value of a setting, e.g. `"1, 10, 40"` for a list and `"yes"` for `True`."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(format_setting(part) for part in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{k} = {format_setting(part)}" for k, part in value.items()) or "none"
    # With every digit, so that the run can be repeated from the report.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
