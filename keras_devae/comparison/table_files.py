"""Writes tables as CSV and as Markdown."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from keras_devae.errors import UsageError
from keras_devae.files import check_writable, write_text

#: A table for machines: rows with the same columns.
Rows: TypeAlias = list[dict[str, Any]]
#: A table to read: titles of the columns, and rows of texts.
Cells: TypeAlias = tuple[list[str], list[list[str]]]


def check_table_file(path: str | Path) -> None:
    """Checks, before long work, that a path ends in `.csv` or `.md` and can be written."""
    if Path(path).suffix not in (".csv", ".md"):
        raise UsageError(f"A table is written as .csv or .md. Received: {path}.")
    check_writable(path)


def write_table_file(path: str | Path, rows: Rows, cells: Cells) -> None:
    """Writes a table: `rows` as CSV or `cells` as Markdown, by the suffix of the file."""
    is_csv = Path(path).suffix == ".csv"
    write_text(path, csv_text(rows) if is_csv else markdown(*cells))


def markdown(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table of texts in Markdown."""
    lines = [titles, ["---"] * len(titles), *rows]
    texts = [" | ".join(one_line(cell) for cell in line) for line in lines]
    return "\n".join(f"| {text} |" for text in texts) + "\n"


def one_line(cell: str) -> str:
    """Returns the text of a cell in one line, fit for Markdown."""
    return cell.replace("\n", " ").replace("|", "\\|")


def csv_text(rows: Sequence[Mapping[str, Any]], empty: Sequence[str] = ()) -> str:
    """Returns rows with the same columns as CSV; `empty` names the columns of a table without rows.

    Lists and dictionaries are JSON, truth values `true` and `false`, `None` is an empty cell, and
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


def _cell(value: Any, fractional: bool) -> Any:
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
