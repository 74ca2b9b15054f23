"""The rows of a table of scores: one for each number, and below a metric those by factor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from keras_devae.metrics.base import METRICS, SPREAD


class ScoreRow(NamedTuple):
    """A row of scores: the flat `key`, or what is shown by factor and the factor, and its cells."""

    key: str
    factor: str | None
    cells: list[float | None]


def score_rows(
    columns: Sequence[Mapping[str, Any]], details: Sequence[Mapping[str, Any]] = ()
) -> Iterator[ScoreRow]:
    """Yields the rows of columns of flat scores, which may lack `details`; the spread is left out.

    What a metric has by factor follows its numbers.
    """
    names = [key for key in (columns[0] if columns else {}) if key != "layer"]
    names = [key for key in names if not key.endswith(SPREAD)]
    for i, name in enumerate(names):
        yield ScoreRow(name, None, [column.get(name) for column in columns])
        metric = name.split(".")[0]
        is_last = i + 1 == len(names) or not names[i + 1].startswith(f"{metric}.")
        if is_last and metric in METRICS and len(details) == len(columns):
            yield from _rows_by_factor(metric, details)


def _rows_by_factor(metric: str, details: Sequence[Mapping[str, Any]]) -> Iterator[ScoreRow]:
    what = " ".join(part for part in (metric, METRICS[metric].per_factor) if part)
    by_factor = [detail.get(metric, {}).get("per_factor", {}) for detail in details]
    for factor in by_factor[0]:
        yield ScoreRow(what, factor, [values.get(factor) for values in by_factor])
