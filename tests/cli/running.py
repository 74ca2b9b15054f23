"""Running the command line in the process of the test."""

import pytest

from keras_devae.cli import main
from keras_devae.runs import RunDirectory


def run(*words):
    """Runs the command line in this process and returns its exit code."""
    with pytest.raises(SystemExit) as ending:
        main([str(word) for word in words])
    return ending.value.code


def one_line(text):
    """A text without the line ends and columns in which a terminal shows it."""
    return " ".join(text.split())


def have_equal_histories(one, other):
    """Tells whether two folders of runs have the same history, but for the order of sums.

    Without `--deterministic`, threads add up what they computed in any order.
    """
    rows, others = (RunDirectory(path).read_history() for path in (one, other))
    return rows == [pytest.approx(row, rel=1e-5, nan_ok=True) for row in others]
