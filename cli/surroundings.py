"""Adapts to where a command was started: a notebook, or a terminal that lacks some characters."""

import codecs
import contextlib
import os
import sys
from collections.abc import Iterator

import click

from keras_devae.cli.formatting import WholeWords

#: Name of the error handler for characters that the terminal cannot show.
_HANDLER = "keras_devae_replaced"
#: Characters in this package's sentences and tables -> their replacements in ASCII.
_REPLACEMENTS = str.maketrans(
    {"±": "+/-", "…": "...", "\N{EN DASH}": "-", "\N{MULTIPLICATION SIGN}": "x"}
)


def _replaced(error):
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end].translate(_REPLACEMENTS)
    return letters.encode("ascii", "backslashreplace").decode("ascii"), error.end


codecs.register_error(_HANDLER, _replaced)


@contextlib.contextmanager
def plain_surroundings() -> Iterator[None]:
    """Lets a command draw and print wherever it was started, and restores everything afterwards.

    Processes of a notebook inherit its `MPLBACKEND`, which may not be installed here. Characters
    that a terminal cannot show, such as those in file names, are replaced or escaped. Help is laid
    out by `WholeWords`.
    """
    formatter, click.Context.formatter_class = click.Context.formatter_class, WholeWords
    before = os.environ.get("MPLBACKEND")
    os.environ["MPLBACKEND"] = "agg"
    streams = [s for s in (sys.stdout, sys.stderr) if hasattr(s, "reconfigure")]
    errors = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors=_HANDLER)
    try:
        yield
    finally:
        click.Context.formatter_class = formatter
        for stream, handler in zip(streams, errors, strict=True):
            with contextlib.suppress(ValueError, OSError):
                stream.reconfigure(errors=handler)
        if before is None:
            del os.environ["MPLBACKEND"]
        else:
            os.environ["MPLBACKEND"] = before
