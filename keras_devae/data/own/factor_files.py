"""Reads factors from a separate CSV or .npy file."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from keras_devae.checks import path_of
from keras_devae.data.own.arrays import mapped_array
from keras_devae.data.own.factor_columns import column_of_cells, natural
from keras_devae.data.own.factor_values import (
    Factors,
    Reading,
    checked_factors,
    checked_names,
    numbered,
)
from keras_devae.data.own.folder_contents import CSV_NAME, NPY_NAME
from keras_devae.errors import FailureError, UsageError


def factor_file_in(folder: Path) -> Path | None:
    """Returns the `factors.csv` or `factors.npy` of a folder, or `None`; refuses both at once."""
    present = [folder / name for name in (CSV_NAME, NPY_NAME) if (folder / name).is_file()]
    if len(present) > 1:
        raise UsageError(
            f"The folder {folder} holds both {CSV_NAME} and {NPY_NAME}; remove one of them, or "
            "say with `factors_file` which of them counts."
        )
    return present[0] if present else None


def read_factors(
    file: str | Path, length: int, pictures: list[str] | None, reading: Reading
) -> Factors:
    """Reads the factors of images from a file.

    A .npy file holds an array of shape `(length, number of factors)`, one row per image in order;
    the factors are called `factor_0`, `factor_1` ... Pictures need a CSV file if sorting by the
    numbers in their names changes their order (`img_2`, `img_10`).

    A CSV file has a header with a name for each factor and then a line for each image. If the names
    of `pictures` are given, the header begins with `file` and each line with the name of a picture,
    in any order; otherwise the lines are in the order of the images. If no cell of a factor is a
    number, its words are classes, numbered from 0 in natural order (`size 2` before `size 10`).

    The notes hold `factors_file`, the path, and the notes of `numbered`.
    """
    path = path_of("factors_file", file)
    if path.suffix.lower() not in (".csv", ".npy"):
        raise UsageError(f"Factors must be in a .csv or a .npy file. Received: {path}.")
    if not path.is_file():
        raise UsageError(f"There is no file {path} to read factors from.")
    if path.suffix.lower() == ".npy":
        if pictures is not None:
            _refuse_ambiguous_order(pictures, path)
        found = _read_npy(path, length, reading)
    else:
        found = _read_csv(path, length, pictures, reading)
    return found._replace(notes={"factors_file": str(path.resolve()), **found.notes})


def _refuse_ambiguous_order(pictures: list[str], file: Path) -> None:
    """Raises an error unless the sorted names of pictures have only one plausible order.

    People and programs also put `img_2` before `img_10`, and `b` before `C`.
    """
    for order in (natural, str.casefold, lambda name: natural(name.casefold())):
        other = sorted(pictures, key=order)
        if other != pictures:
            row = next(i for i, name in enumerate(pictures) if name != other[i])
            raise UsageError(
                f"The rows of {file} follow the order of the pictures, and their names have more "
                f"than one: row {row} belongs to {pictures[row]!r} in the order of their "
                f"characters, and to {other[row]!r} in the order of numbers or letters; give the "
                f"factors with the names of the pictures, in a CSV file whose first line is "
                f"`file,...`, or rename them, e.g. with zeros before the numbers."
            )


def _read_npy(file: Path, length: int, reading: Reading) -> Factors:
    factors = mapped_array(file)
    if factors.ndim != 2 or len(factors) != length or not factors.shape[1]:
        raise UsageError(
            f"{file} must hold an array of shape ({length}, number of factors), one row for each "
            f"image. Received: shape {factors.shape}."
        )
    return checked_factors(np.array(factors), None, length, reading)


def _read_csv(file: Path, length: int, pictures: list[str] | None, reading: Reading) -> Factors:
    header, lines, rows = _csv_rows(file)
    first = 0 if pictures is None else 1
    _check_header(header, first, file)
    names = checked_names(header[first:], len(header) - first)
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(header):
            raise UsageError(
                f"Line {line} of {file} must hold {len(header)} values, as its first line does. "
                f"Received: {row}."
            )
    if pictures is not None:
        order = _order_of(pictures, [row[0] for row in rows], lines, file)
        lines, rows = [lines[row] for row in order], [rows[row] for row in order]
    elif len(rows) != length:
        raise UsageError(
            f"{file} must have a line for each of the {length} images below its first line. "
            f"Received: {len(rows)} lines."
        )
    kinds = reading.kinds if isinstance(reading.kinds, Mapping) else {}

    def place(row: int) -> str:
        return f"line {lines[row]} of {file}"

    cells = list(zip(*rows, strict=True))[first:]
    pairs = zip(cells, names, strict=True)
    columns = [column_of_cells(cell, name, kinds.get(name), place) for cell, name in pairs]
    return numbered(columns, names, reading, place)


def _csv_rows(file: Path) -> tuple[list[str], list[int], list[list[str]]]:
    """Returns the header, and the number and the cells of every non-empty line."""
    lines: list[int] = []
    rows: list[list[str]] = []
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.reader(text)
            for row in reader:
                if row:
                    lines.append(reader.line_num)
                    rows.append([cell.strip() for cell in row])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FailureError(f"{file} cannot be read: {error}.") from None
    return (rows[0] if rows else []), lines[1:], rows[1:]


def _check_header(header: list[str], first: int, file: Path) -> None:
    if (first and header[:1] != ["file"]) or len(header) <= first or "" in header:
        wanted = "`file` and then the name of each factor" if first else "the name of each factor"
        raise UsageError(
            f"The first line of {file} must be {wanted}, separated by commas. "
            f"Received: {','.join(header)!r}."
        )
    if "file" in header[first:]:
        raise UsageError(
            f"The first line of {file} has a column `file`, but the images it belongs to have no "
            "names; remove the column and put the lines in the order of the images."
            if not first
            else f"The first line of {file} has the column `file` twice; remove one of them."
        )


def _order_of(pictures: list[str], listed: list[str], lines: list[int], file: Path) -> list[int]:
    """Returns, for each picture, the row that belongs to it."""
    row_of: dict[str, int] = {}
    for row, name in enumerate(listed):
        if name in row_of:
            raise UsageError(
                f"Line {lines[row]} of {file} names the picture {name!r} that line "
                f"{lines[row_of[name]]} names already; remove one of them."
            )
        row_of[name] = row
    without_line = [name for name in pictures if name not in row_of]
    without_file = sorted(set(listed) - set(pictures))
    if without_line or without_file:
        raise UsageError(
            f"{file} must have one line for each picture. Pictures without a line: "
            f"{without_line[:5] or 'none'}; lines without a picture: {without_file[:5] or 'none'}."
        )
    return [row_of[name] for name in pictures]


def csv_has_factors(file: Path, sequence_column: str | None) -> bool:
    """Returns whether a CSV file has columns beside the names of images and their sequences."""
    return bool(set(_csv_rows(file)[0]) - {"file", sequence_column})
