"""What an experiment ends in, tables and figures, and how their numbers are written."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from matplotlib.figure import Figure

from keras_devae.metrics.estimators.spread import Spread

INTERVALS = "Numbers are means, with the 95 % interval of the mean by Student's t in brackets."


@dataclasses.dataclass(frozen=True)
class Table:
    """A further table of an outcome.

    `name` ends the name of its file; `title` stands above it and `notes` below. `tidy` has the
    rows of the CSV file, every number by itself.
    """

    name: str
    title: str
    header: list[str]
    rows: list[list[str]]
    notes: list[str]
    tidy: list[dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A table with its `header` and `rows`, and a figure.

    `remarks` are sentences, also about the paper's numbers; `tidy` has the rows of the CSV file,
    every number by itself; `caption` says what the figure's marks mean; `pictures` are further
    figures by name, and `tables` further tables.
    """

    header: list[str]
    rows: list[list[str]]
    figure: Figure
    remarks: list[str]
    tidy: list[dict[str, Any]]
    caption: str = ""
    pictures: dict[str, Figure] = dataclasses.field(default_factory=dict)
    tables: list[Table] = dataclasses.field(default_factory=list)


def interval_text(spread: Spread | None) -> str:
    """Writes a mean with its 95 % interval, e.g. `"0.301 [0.250, 0.352]"`; `"-"` for `None`."""
    if spread is None:
        return "-"
    ends = (spread.low, spread.high) if spread.count > 1 else None
    return with_interval(spread.mean, ends)


def with_interval(value: float, ends: tuple[float, float] | None, sign: str = "") -> str:
    """Writes a number with the ends of its interval; `sign` may be `"+"`, to write every sign."""
    text = number_text(value, sign=sign)
    if ends is None:
        return text
    low, high = (number_text(end, like=value, sign=sign) for end in ends)
    return f"{text} [{low}, {high}]"


def number_text(value: float, like: float | None = None, sign: str = "") -> str:
    """Writes a number with three decimals below 1, two below 100 and one above.

    `like` is another number whose size decides.
    """
    size = abs(value if like is None else like)
    decimals = 3 if size < 1 else 2 if size < 100 else 1
    # z: no minus sign on a number that rounds to 0.
    return f"{value:{sign}z.{decimals}f}"


def percent_text(share: float) -> str:
    """Writes a share as a whole percentage with its sign, e.g. `"+12 %"`; `"-"` for NaN."""
    return "-" if math.isnan(share) else f"{100 * share:+z.0f} %"


def p_text(p: float | None) -> str:
    """Writes a p-value, e.g. `"0.012"`; `"-"` for `None`."""
    if p is None:
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
