"""The table that compares one group of runs with each other one, score by score."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from keras_devae.metrics import number_of
from keras_devae.reproduction.differences import difference_of, holm, verdict
from keras_devae.reproduction.results import INFOM, MIG, Results, score_title
from keras_devae.reproduction.tables import Table, p_text, percent_text, with_interval

#: Smallest differences of interest: of these scores, and of all in nats.
_SMALLEST = {MIG: 0.05, INFOM: 0.05}
_SMALLEST_NATS = 1.0
_UNKNOWN = "-"


class Rival(NamedTuple):
    """A group that the favourite is compared with by one score: the values of both.

    `smallest` is the smallest difference of interest, if there is one, and `paper` what the paper
    says of the difference.
    """

    dataset: str
    score: str
    group: str
    ours: Sequence[float]
    theirs: Sequence[float]
    smallest: float | None = None
    paper: str = _UNKNOWN


def rivals_of(
    results: Results,
    favourite: str,
    scores: Sequence[str],
    paper: Callable[[str, str, str], str] = lambda dataset, group, score: _UNKNOWN,
) -> Iterator[Rival]:
    """Yields the favourite's rivals by scores of layer 0, on each data set that it is on.

    `paper` says what the paper does of a data set, a group and a score.
    """
    for dataset in results.data_sets:
        part = results.on(dataset)
        for score in scores:
            ours = part.values(favourite, score)
            for group in part.groups:
                theirs = part.values(group, score)
                if group != favourite and ours and theirs:
                    said = paper(dataset, group, score)
                    values = (score_title(score), group, ours, theirs, smallest_of(score), said)
                    yield Rival(dataset, *values)


def smallest_of(score: str) -> float | None:
    """Returns the smallest difference of interest of a score, or `None` if none is set."""
    number = number_of(score)
    in_nats = number is not None and number.unit == "nats"
    return _SMALLEST.get(score, _SMALLEST_NATS if in_nats else None)


def comparison_table(favourite: str, rivals: Sequence[Rival]) -> list[Table]:
    """Compares the favourite with each of its rivals; returns one table, or none without rivals.

    Holm's correction is over the comparisons of one score, on all data sets.
    """
    if not rivals:
        return []
    found = [difference_of(rival.ours, rival.theirs) for rival in rivals]
    corrected = _corrected(rivals, [one.p for one in found])
    said = [
        verdict(one, p, rival.smallest)
        for one, p, rival in zip(found, corrected, rivals, strict=True)
    ]
    header = ["data set", "score", f"{favourite} against", "difference", "in per cent"]
    header += ["Hedges' g", "p", "p, Holm", "result"]
    is_known = any(rival.paper != _UNKNOWN for rival in rivals)
    header += ["the paper"] if is_known else []
    rows, tidy = [], []
    for rival, one, p, result in zip(rivals, found, corrected, said, strict=True):
        g = "-" if one.g is None else f"{one.g:+.2f}"
        cells = [with_interval(one.mean, one.interval, "+"), percent_text(one.share), g]
        cells += [p_text(one.p), p_text(p), result, *([rival.paper] if is_known else [])]
        rows.append([rival.dataset, rival.score, rival.group, *cells])
        tidy.append(_tidy(favourite, rival, one, p, result))
    title = f"{favourite} against the others"
    return [Table("comparisons", title, header, rows, [_note(favourite, rivals)], tidy)]


def _corrected(rivals, p_values):
    """Corrects the p-values of each score among themselves; those that are missing stay so."""
    corrected = [None] * len(rivals)
    for score in {rival.score for rival in rivals}:
        family = [
            i for i, rival in enumerate(rivals) if rival.score == score and p_values[i] is not None
        ]
        for i, p in zip(family, holm([p_values[i] for i in family]), strict=True):
            corrected[i] = p
    return corrected


def _tidy(favourite, rival, difference, corrected, result):
    low, high = difference.interval or (None, None)
    return {
        "dataset": rival.dataset,
        "score": rival.score,
        "group": favourite,
        "against": rival.group,
        "runs": len(rival.ours),
        "runs_against": len(rival.theirs),
        "difference": difference.mean,
        "low": low,
        "high": high,
        "hedges_g": difference.g,
        "p": difference.p,
        "p_holm": corrected,
        "smallest_of_interest": rival.smallest,
        "result": result,
    }


def _note(favourite, rivals):
    count = max(sum(r.score == rival.score for r in rivals) for rival in rivals)
    known = {rival.score: rival.smallest for rival in rivals if rival.smallest is not None}
    smallest = ", ".join(_amount(score, least) for score, least in known.items())
    interest = (
        f" No difference of interest: the 90 % interval lies within {smallest} (two one-sided "
        "tests at 5 %)."
        if known
        else ""
    )
    return (
        f"Difference: the mean of {favourite} less the other's, with the 95 % interval by Welch's "
        "t, not corrected, and in per cent of the other's. p: Welch's two-sided test, and after "
        f"Holm's correction over the {count} comparisons of one score in this table. Higher or "
        f"lower: that p is below 0.05.{interest} Undecided: neither."
    )


def _amount(score, value):
    """Writes an amount of a score, e.g. `"0.05 of MIG"`, `"1 nat of reconstruction"`."""
    name, _, unit = score.partition(", ")
    return " ".join([f"{value:g}", *([unit.removesuffix("s")] if unit else []), "of", name])
