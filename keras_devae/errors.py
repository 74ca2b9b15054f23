"""The two ways in which a request can end badly, and the sentence for an unknown name."""

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """The request itself is wrong: a name, a range, a shape or a path. The command line exits 2."""


class FailureError(RuntimeError):
    """The request was right but could not be carried out: a damaged file, the network, a NaN.

    The command line exits 1.
    """


#: Letters of an unknown name that a message repeats.
_LONGEST_NAME = 60
#: What the backends, NumPy and the operating system call it.
_OUT_OF_MEMORY = (
    "out of memory",
    "outofmemory",
    "resource_exhausted",
    "resourceexhausted",
    "not enough memory",
    "can't allocate memory",
    "cannot allocate memory",
    "unable to allocate",
    "failed to allocate",
)


def ran_out_of_memory(error: BaseException) -> bool:
    """Tells whether an error says that memory was too small, of the host or of a device.

    Every backend has an error of its own for that; all of them say so in words.

    Args:
        error: Any exception.
    """
    said = f"{type(error).__name__} {error}".lower()
    return isinstance(error, MemoryError) or any(words in said for words in _OUT_OF_MEMORY)


def unknown_name(kind: str, name: object, known: Iterable[str]) -> UsageError:
    """Makes the error for a name that is not known, with the close matches.

    Args:
        kind: What the name stands for, in the singular, e.g. `"dataset"`.
        name: The name that was received.
        known: The names that would have been accepted.

    Returns:
        A `UsageError` to raise.
    """
    known, name = sorted(known), str(name)
    name = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
    matches = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if not matches and name.strip():
        matches = [candidate for candidate in known if candidate.startswith(name)]
    hint = f" Did you mean {' or '.join(repr(match) for match in matches)}?" if matches else ""
    return UsageError(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(known)}.")
