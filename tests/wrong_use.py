"""Wrong arguments, drawn at random, for the Python interface and the command line."""

import contextlib
import datetime
import signal
from pathlib import Path

import numpy as np

from keras_devae.errors import FailureError, UsageError

#: Seconds after which a call counts as silent.
PATIENCE = 30


def wrong_values():
    """Returns values that some argument cannot mean, freshly made."""
    return [
        None,
        True,
        -1,
        0,
        7,
        2.5,
        -0.5,
        float("nan"),
        float("inf"),
        10**9,
        2**63,
        10**400,
        1j,
        "",
        "a",
        "é\n",
        "\0",
        "x" * 300,
        b"bytes",
        [],
        [1],
        [[1, 2], [3]],
        ["a", None],
        (),
        (3, 0),
        (-1, 4, 4),
        {},
        {"a": 1},
        {"image": None},
        {1, 2},
        iter([]),
        range(3),
        object(),
        Exception,
        print,
        Path("/proc/nothing"),
        Path("."),
        datetime.date(2020, 1, 1),
        np.zeros(0),
        np.zeros((2, 3)),
        np.zeros((0, 4)),
        np.full((5, 2), np.nan),
        np.array("a"),
        np.array(["a", "b"]),
        np.array([None, {}], dtype=object),
        np.array(3 + 1j),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        np.ma.masked_array(np.zeros((4, 2)), mask=True),
        np.zeros((2, 3, 16, 16), np.uint8),
        np.zeros((2, 16, 16, 1), np.int64),
    ]


@contextlib.contextmanager
def patience(seconds=PATIENCE):
    """Raises a `TimeoutError` in what takes too long, or hangs."""

    def stop(number, frame):
        raise TimeoutError(f"nothing was said for {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def complaint(call, arguments):
    """Calls a function and says what is wrong with how it answers, or returns `None`.

    It may accept the arguments. If it refuses them, then in one sentence or a few, with an error of
    this package.
    """
    try:
        with patience():
            call(**arguments)
    except (UsageError, FailureError) as error:
        return None if 0 < len(str(error)) < 1000 else f"{len(str(error))} letters: {error!s:.300}"
    except Exception as error:
        return f"{type(error).__name__}: {error!s:.300}"
    return None


#: What a user may type, or a shell variable hold, that few options can mean.
WORDS = [
    "",
    " ",
    "a",
    "é",
    "a\nb",
    "\x1b[31m",
    "x" * 300,
    "-1",
    "0",
    "2.5",
    "1e400",
    "nan",
    "inf",
    "99999999999999999999",
    "1,2",
    ",",
    "a=b",
    "=",
    "seed=1",
    "{}",
    "null",
    "True",
    ".",
    "..",
    "../../x",
    "/proc/nothing",
    "/dev/full",
    "/dev/null",
    "~nobody/x",
    "folder:.",
    "npz:images.npz",
    "runs",
    "images.npz",
]


def said_wrongly(run, words, capsys):
    """Runs a command and says what is wrong with how it ends, or returns `None`."""
    capsys.readouterr()
    with patience():
        try:
            run(words)
        except SystemExit as ending:
            status = ending.code
        except Exception as error:
            return f"{type(error).__name__}: {error!s:.300}"
    printed = capsys.readouterr()
    if status not in (0, 1, 2):
        return f"status {status}: {printed.err[-300:]}"
    if "--debug shows where" in printed.err or "Traceback" in printed.err:
        return printed.err[-300:]
    if status and not printed.err.strip() and not printed.out.strip():
        return "failed without a word"
    return None
