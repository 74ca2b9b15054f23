"""Warnings of metrics, each issued once, however many scores it concerns."""

from __future__ import annotations

import contextlib
import contextvars
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FrameType, MappingProxyType

from keras_devae.checks import Array

#: Scores of fewer rows than this, or with fewer rows of a factor's value, come with a caution.
ENOUGH_ROWS = 1000
ENOUGH_ROWS_OF_A_VALUE = 10
# A factor looks continuous if this share of its rows have a value of their own, or if it has more
# values than `MANY_VALUES`, with too few rows for each of them.
UNIQUE_SHARE, UNIQUE_ROWS = 0.9, 20
MANY_VALUES = 1000
NOTHING: Mapping[str, Array] = MappingProxyType({})
# At most this many names of codes or factors are listed in a warning.
NAMED = 10


class MetricWarning(UserWarning):
    """A metric could be computed, but on less than it was given: a constant factor, a dead code.

    Example:
        >>> import warnings
        >>> codes = np.random.default_rng(0).normal(size=(1000, 2))
        >>> factors = np.stack([np.arange(1000) % 3, np.zeros(1000, int)], axis=1)
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore", kd.metrics.MetricWarning)
        ...     score = kd.metrics.mig(codes, factors)
        >>> score["settings"]["dropped_factors"]
        ['factor_1']
    """


class FewSamplesWarning(MetricWarning):
    """A score was computed from so few samples that it may be far off.

    Example:
        >>> issubclass(kd.metrics.FewSamplesWarning, kd.metrics.MetricWarning)
        True
    """


@dataclass
class _Gathered:
    """The cautions of several scores."""

    messages: dict[str, str] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)
    rarest: dict[str, int] = field(default_factory=dict)


_GATHERED: contextvars.ContextVar[_Gathered | None] = contextvars.ContextVar(
    "gathered", default=None
)


@contextlib.contextmanager
def gathered() -> Iterator[None]:
    """Collects the cautions of all scores computed inside, and issues each once at the end.

    Few samples are one warning, whatever the number of scores. Inside another `gathered` it leaves
    all to the outer one.
    """
    if _GATHERED.get() is not None:
        yield
        return
    found = _Gathered()
    token = _GATHERED.set(found)
    try:
        yield
    finally:
        _GATHERED.reset(token)
    for message in found.messages.values():
        warn(message)
    if found.rows:
        _warn_of_few(min(found.rows), found.rarest)


def warn(message: str, category: type[Warning] = MetricWarning) -> None:
    """Warns at the line outside this package that led here."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and _is_inside(frame):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def caution(message: str, about: str | None = None) -> None:
    """Issues a `MetricWarning`; inside `gathered`, at its end and once for what it is `about`."""
    found = _GATHERED.get()
    if found is None:
        warn(message)
    else:
        found.messages.setdefault(about or message, message)


def caution_of_few(rows: int, counts: Mapping[str, Array] = NOTHING) -> None:
    """Warns of few samples, in one `FewSamplesWarning`, and of factors that look continuous.

    `counts` has, by the name of a factor, how many of the rows each of its values has.
    """
    continuous = {name: len(found) for name, found in counts.items() if _is_continuous(found, rows)}
    for name, distinct in continuous.items():
        caution(
            f"Factor {name!r} has {distinct:,} different values in {rows:,} rows and looks "
            "continuous, but every score takes each value as a class of its own: name it in "
            "`continuous` of `score_codes`, or put the values into bins, e.g. with "
            "`keras_devae.data.binned(column, 20)`.",
            about=f"continuous {name}",
        )
    rarest = {
        name: int(found.min())
        for name, found in counts.items()
        if name not in continuous and found.min() < ENOUGH_ROWS_OF_A_VALUE
    }
    found = _GATHERED.get()
    if rows >= ENOUGH_ROWS and not rarest:
        return
    if found is None:
        _warn_of_few(rows, rarest)
    else:
        found.rows.append(rows)
        for name, count in rarest.items():
            found.rarest[name] = min(count, found.rarest.get(name, count))


def named(names: Iterable[object]) -> str:
    """Lists the first names with commas, and says that there are more."""
    texts = [str(name) for name in names]
    return ", ".join(texts[:NAMED]) + (", ..." if len(texts) > NAMED else "")


def _is_continuous(counts: Array, rows: int) -> bool:
    distinct = len(counts)
    unique = rows >= UNIQUE_ROWS and distinct >= UNIQUE_SHARE * rows
    return unique or (distinct > MANY_VALUES and rows < ENOUGH_ROWS_OF_A_VALUE * distinct)


def _warn_of_few(rows: int, rarest: Mapping[str, int]) -> None:
    reasons = []
    if rows < ENOUGH_ROWS:
        noun = "row" if rows == 1 else "rows"
        reasons.append(f"{rows:,} {noun}, where scores need about {ENOUGH_ROWS:,}")
    if rarest:
        listed = named(
            f"{name} ({'a single row' if count == 1 else f'{count} rows'})"
            for name, count in rarest.items()
        )
        reasons.append(
            f"values with fewer than {ENOUGH_ROWS_OF_A_VALUE} rows, the rarest of each factor: "
            f"{listed}"
        )
    warn(f"Few samples: {'; '.join(reasons)}. The scores may be far off.", FewSamplesWarning)


def _is_inside(frame: FrameType) -> bool:
    module = frame.f_globals.get("__name__", "")
    return module == "contextlib" or module.partition(".")[0] == "keras_devae"
