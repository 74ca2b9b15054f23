"""Comparisons and selections of runs as tables: to read, as Markdown, and as CSV."""

import csv
import dataclasses
import io
import json
from pathlib import Path

from keras_devae.errors import UsageError
from keras_devae.files import check_writable, write_text

#: Metrics that are shown where nothing else is asked for -> their titles.
SHOWN = {
    "mig.score": "mig",
    "dci.disentanglement": "dci\ndisentanglement",
    "factor_vae_score.score": "factor_vae_score",
    "reconstruction_error.negative_log_likelihood": "reconstruction\n(nats)",
    "kl.total": "kl\n(nats)",
    "active_variables.count": "active\nvariables",
}


def shown_metrics(comparison, names=None):
    """Returns a comparison of the metrics that are asked for.

    Args:
        comparison: A `keras_devae.comparison.groups.Comparison`.
        names: Names as `Comparison.restricted` takes them, `("all",)`, or `None`: those of `SHOWN`
            that there are, or all if there are none of them.

    Raises:
        UsageError: If no run has one of them.
    """
    if names is None:
        names = [name for name in SHOWN if name in comparison.metrics]
    return comparison if not names or tuple(names) == ("all",) else comparison.restricted(names)


def comparison_rows(comparison):
    """Returns a comparison for machines, a row a group.

    Args:
        comparison: The `Comparison`.

    Returns:
        List of dictionaries with the same keys: `group`; a column for each setting that tells
        groups apart; `runs`, how many; `seeds`; and for each metric `NAME`, its mean, `NAME.std`,
        `NAME.low`, `NAME.high` and `NAME.count`. What a group lacks is `None`.
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


def comparison_dict(comparison):
    """Returns all of a comparison as a dictionary that `json.dump` takes."""
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


def comparison_cells(comparison):
    """Returns a comparison to read, a row a group.

    Returns:
        Pair of the titles of the columns and the list of rows of texts. Several runs of a group
        have the mean ± standard deviation and, in a second line, the 95 % interval of the mean.
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


def correlation_cells(comparison):
    """Returns the rank correlations of a comparison to read: titles and rows of texts."""
    matrix, names = comparison.rank_correlations
    titles = ["rank correlation", *(_title(name) for name in names)]
    return titles, [
        [_one_line(_title(name)), *(f"{value:.2f}" for value in row)]
        for name, row in zip(names, matrix, strict=True)
    ]


def selection_dict(selection, comparison):
    """Returns a selection as a dictionary that `json.dump` takes; arguments as `selection_rows`."""
    return {
        "take": [str(ranked.run.directory.path) for ranked in selection.best],
        "common": selection.common,
        "ranking": selection_rows(selection, comparison),
        "remarks": list(selection.remarks),
    }


def selection_rows(selection, comparison):
    """Returns a selection for machines, a row a run, the best first.

    Args:
        selection: A `keras_devae.comparison.model_selection.Selection`.
        comparison: The `Comparison` whose metrics are to stand beside.

    Returns:
        List of dictionaries with the same keys: `rank`, `run`, `group`, `seed`, `udr`, and each
        metric, `None` where the run lacks it.
    """
    return [
        {
            "rank": ranked.rank,
            "run": ranked.run.name,
            "group": ranked.group,
            "seed": ranked.run.config.training.seed,
            "udr": ranked.udr,
            **{name: ranked.run.scores.get(name) for name in comparison.metrics},
        }
        for ranked in selection.ranking
    ]


def selection_cells(selection, comparison):
    """Returns a selection to read: titles and rows of texts; arguments as `selection_rows`."""
    rows = selection_rows(selection, comparison)
    return [_title(name) for name in rows[0]], [
        [_number(v) if isinstance(v, float) or v is None else str(v) for v in row.values()]
        for row in rows
    ]


def check_table_file(path):
    """Checks, before long work, that a table can be written to a file.

    Raises:
        UsageError: If its name ends in neither `.csv` nor `.md`, or it cannot be written.
    """
    if Path(path).suffix not in (".csv", ".md"):
        raise UsageError(f"A table is written as .csv or .md. Received: {path}.")
    check_writable(path)


def write_table_file(path, rows, cells):
    """Writes a table as CSV or Markdown, whichever the file's name ends in.

    Args:
        path: The file.
        rows: The table for machines.
        cells: The table to read, pair of titles and rows.
    """
    is_csv = Path(path).suffix == ".csv"
    write_text(path, csv_text(rows) if is_csv else markdown(*cells))


def markdown(titles, rows):
    """Returns a table of texts in Markdown."""
    lines = [titles, ["---"] * len(titles), *rows]
    texts = [" | ".join(_one_line(cell) for cell in line) for line in lines]
    return "\n".join(f"| {text} |" for text in texts) + "\n"


def _one_line(cell):
    return cell.replace("\n", " ").replace("|", "\\|")


def _title(metric):
    return SHOWN.get(metric) or metric.removesuffix(".score").replace(".", "\n", 1)


def _group_dict(group, metrics):
    return {
        "name": group.name,
        "settings": group.settings,
        "runs": [run.name for run in group.runs],
        "seeds": list(group.seeds),
        "scores": {m: dataclasses.asdict(group.scores[m]) for m in metrics if m in group.scores},
    }


def _numbers(group, name):
    spread = group.scores.get(name)
    parts = {"": "mean", ".std": "std", ".low": "low", ".high": "high", ".count": "count"}
    return {f"{name}{end}": spread and getattr(spread, part) for end, part in parts.items()}


def _spread_text(spread):
    if spread is None:
        return ""
    if spread.count == 1:
        return _number(spread.mean)
    digits = _digits(spread.mean)
    mean, std, low, high = (
        f"{value:.{digits}f}" for value in (spread.mean, spread.std, spread.low, spread.high)
    )
    return f"{mean} ± {std}\n[{low}, {high}]"


def _number(value):
    return "" if value is None else f"{value:.{_digits(value)}f}"


def _digits(value):
    """Digits behind the point that leave a number about four in all."""
    return 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1


def csv_text(rows, empty=()):
    """Writes a table as CSV, of which every column has one type.

    Args:
        rows: List of dictionaries with the same keys.
        empty: Columns of a table without rows.

    Returns:
        The text. Lists and tables are JSON, truth values `true` and `false`, nothing is empty, and
        in a column with a fraction every number has a decimal point.
    """
    text = io.StringIO()
    columns = list(rows[0]) if rows else list(empty)
    fractional = {name for name in columns if any(isinstance(r[name], float) for r in rows)}
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(value, name in fractional) for name, value in row.items()])
    return text.getvalue()


def _cell(value, fractional):
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case dict() | list() | tuple():
            return json.dumps(value)
        case int() | float():
            return repr(float(value)) if fractional else str(value)
    return value
