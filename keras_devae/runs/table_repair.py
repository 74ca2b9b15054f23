"""What can still be read of a damaged table of numbers by step."""

import csv
import io

from keras_devae.files.reading import NotAFileError, opened


def readable_rows(file):
    """Returns the good rows of a table, (step, row), up to the first bad line, and how many follow.

    A row is good if it has all columns, all numbers, and a whole step not below the last.

    Args:
        file: The CSV file; a missing one has no rows.
    """
    try:
        with opened(file) as stream:
            text = stream.read().decode("utf-8", errors="replace")
        lines = list(csv.reader(io.StringIO(text)))
    except (FileNotFoundError, NotAFileError):
        return [], 0
    except (OSError, csv.Error):
        return [], 1
    header, *body = lines or [[]]
    if "step" not in header or len(set(header)) < len(header) or "\ufffd" in str(header):
        return [], max(1, len(body))
    rows, last = [], 0
    for number, values in enumerate(body):
        try:
            row = dict(zip(header, values, strict=True))
            [float(value) for value in values]
            step = int(float(row["step"]))
        except (ValueError, KeyError, OverflowError):
            return rows, len(body) - number
        if step < last or step != float(row["step"]):
            return rows, len(body) - number
        rows.append((step, row))
        last = step
    return rows, 0
