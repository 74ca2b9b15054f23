"""Comparisons and selections of runs as tables: for people, and for machines."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from keras_devae.comparison.comparing import Comparison
from keras_devae.comparison.groups import Group
from keras_devae.comparison.table_files import Cells, Rows, one_line
from keras_devae.metrics import METRICS
from keras_devae.metrics.estimators.spread import Spread

if TYPE_CHECKING:
    from keras_devae.comparison.model_selection import Selection

#: Keys of the scores that comparisons and reports single out.
MIG, DCI, RECONSTRUCTION, KL, ACTIVE = (
    METRICS[name].key() for name in ("mig", "dci", "reconstruction_error", "kl", "active_variables")
)
#: Scores that are shown by default.
SHOWN = (MIG, DCI, METRICS["factor_vae_score"].key(), RECONSTRUCTION, KL, ACTIVE)
#: Titles of columns that do not follow from the key.
_TITLES = {RECONSTRUCTION: "reconstruction\n(nats)", KL: "kl\n(nats)", ACTIVE: "active\nvariables"}


def shown_metrics(comparison: Comparison, names: Iterable[str] | None = None) -> Comparison:
    """Returns a comparison restricted to the metrics that `Comparison.restricted` finds by name.

    `("all",)` keeps all; default: the scores in `SHOWN` the runs have, or all if none.
    """
    if names is None:
        names = [name for name in SHOWN if name in comparison.metrics]
    names = tuple(names)
    return comparison if names in ((), ("all",)) else comparison.restricted(names)


def comparison_rows(comparison: Comparison) -> Rows:
    """Returns a comparison for machines, a row per group.

    The columns are `group`; the settings that differ; `runs`, their number; `seeds`; and for each
    metric `NAME` (mean), `NAME.std`, `NAME.low`, `NAME.high` and `NAME.count`, `None` if missing.
    """
    settings = dict.fromkeys(name for group in comparison.groups for name in group.settings)
    return [
        {
            "group": group.name,
            **{name: group.settings.get(name) for name in settings},
            "runs": len(group.runs),
            "seeds": list(group.seeds),
            **{k: v for name in comparison.metrics for k, v in _numbers(group, name).items()},
        }
        for group in comparison.groups
    ]


def comparison_dict(comparison: Comparison) -> dict[str, Any]:
    """Returns a whole comparison as a dictionary that `json.dump` takes."""
    matrix, names = comparison.rank_correlations
    return {
        "layer": comparison.layer,
        "metrics": list(comparison.metrics),
        "groups": [_group_dict(group, comparison.metrics) for group in comparison.groups],
        "rank_correlations": {
            "metrics": list(names),
            "matrix": matrix.tolist(),
            "left_out": comparison.not_ranked,
        },
        "left_out": comparison.left_out,
        "remarks": list(comparison.remarks),
    }


def comparison_cells(comparison: Comparison) -> Cells:
    """Returns a comparison to read, a row per group.

    For several runs, a cell holds mean ± standard deviation above the 95 % interval of the mean.
    """
    titles = ["group", "runs", *(_title(name) for name in comparison.metrics)]
    rows = [
        [
            group.name,
            str(len(group.runs)),
            *(_spread_text(group.scores.get(name)) for name in comparison.metrics),
        ]
        for group in comparison.groups
    ]
    return titles, rows


def correlation_cells(comparison: Comparison) -> Cells:
    """Returns the rank correlations of a comparison to read."""
    matrix, names = comparison.rank_correlations
    titles = ["rank correlation", *(_title(name) for name in names)]
    return titles, [
        [one_line_title(name), *(f"{value:.2f}" for value in row)]
        for name, row in zip(names, matrix, strict=True)
    ]


def selection_dict(selection: Selection, comparison: Comparison) -> dict[str, Any]:
    """Returns a selection as a dictionary that `json.dump` takes."""
    return {
        "take": [str(ranked.run.directory.path) for ranked in selection.best],
        "common": selection.common,
        "ranking": selection_rows(selection, comparison),
        "remarks": list(selection.remarks),
    }


def selection_rows(selection: Selection, comparison: Comparison) -> Rows:
    """Returns a selection for machines: a row per run, the best first, with its metrics."""
    return [
        {
            "rank": ranked.rank,
            "run": ranked.run.name,
            "group": ranked.group,
            "seed": ranked.run.seed,
            "udr": ranked.udr,
            **{name: ranked.run.scores.get(name) for name in comparison.metrics},
        }
        for ranked in selection.ranking
    ]


def selection_cells(selection: Selection, comparison: Comparison) -> Cells:
    """Returns a selection to read, with the columns of `selection_rows`."""
    rows = selection_rows(selection, comparison)
    return [_title(name) for name in rows[0]], [
        [cell_text(v) if isinstance(v, float) or v is None else str(v) for v in row.values()]
        for row in rows
    ]


def one_line_title(metric: str) -> str:
    """Returns the title of a score, e.g. `"mig"` or `"reconstruction (nats)"`."""
    return one_line(_title(metric))


def _title(metric: str) -> str:
    return _TITLES.get(metric) or metric.removesuffix(".score").replace(".", "\n", 1)


def _group_dict(group: Group, metrics: Sequence[str]) -> dict[str, Any]:
    return {
        "name": group.name,
        "settings": group.settings,
        "runs": [run.name for run in group.runs],
        "seeds": list(group.seeds),
        "scores": {m: dataclasses.asdict(group.scores[m]) for m in metrics if m in group.scores},
    }


def _numbers(group: Group, name: str) -> dict[str, Any]:
    spread = group.scores.get(name)
    parts = {"": "mean", ".std": "std", ".low": "low", ".high": "high", ".count": "count"}
    return {f"{name}{end}": spread and getattr(spread, part) for end, part in parts.items()}


def _spread_text(spread: Spread | None) -> str:
    if spread is None:
        return ""
    if spread.count == 1:
        return cell_text(spread.mean)
    digits = _digits(spread.mean)
    mean, std, low, high = (
        f"{value:.{digits}f}" for value in (spread.mean, spread.std, spread.low, spread.high)
    )
    return f"{mean} ± {std}\n[{low}, {high}]"


def cell_text(value: float | None) -> str:
    """Returns a score with about four digits; empty for `None`."""
    return "" if value is None else f"{value:.{_digits(value)}f}"


def _digits(value: float) -> int:
    """Returns the number of decimals that gives a number about four digits in all."""
    return 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1
