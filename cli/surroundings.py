"""What a command finds around it and must live with: a notebook's backend, a poor terminal."""

import codecs
import contextlib
import os
import sys

#: Name of the handler of letters that the terminal cannot show.
_HANDLER = "keras_devae_spelt_out"
#: Letters of our own sentences and tables -> what stands for them in plain ASCII.
_SPELT = str.maketrans({"±": "+/-", "…": "...", "\N{EN DASH}": "-", "\N{MULTIPLICATION SIGN}": "x"})


def _spelt_out(error):
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end].translate(_SPELT)
    return letters.encode("ascii", "backslashreplace").decode("ascii"), error.end


codecs.register_error(_HANDLER, _spelt_out)


@contextlib.contextmanager
def plain_surroundings():
    """Lets a command draw and print wherever it was started; afterwards all is as before.

    Figures are drawn to files, and `MPLBACKEND` may name what is not installed here: a process that
    a notebook starts inherits the notebook's. Letters that a terminal cannot show, those of names
    of files among them, are spelt out.
    """
    before = os.environ.get("MPLBACKEND")
    os.environ["MPLBACKEND"] = "agg"
    streams = [s for s in (sys.stdout, sys.stderr) if hasattr(s, "reconfigure")]
    errors = [stream.errors for stream in streams]
    for stream in streams:
        stream.reconfigure(errors=_HANDLER)
    try:
        yield
    finally:
        for stream, handler in zip(streams, errors, strict=True):
            with contextlib.suppress(ValueError, OSError):
                stream.reconfigure(errors=handler)
        if before is None:
            del os.environ["MPLBACKEND"]
        else:
            os.environ["MPLBACKEND"] = before
