"""The two kinds of errors, and the message for an unknown name."""

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """The request itself is wrong: a name, a range, a shape or a path. Commands exit with 2.

    Everything in the package raises it for an argument outside the range that its docstring gives.

    Example:
        >>> try:
        ...     kd.data.load("dsprite")
        ... except kd.errors.UsageError as error:
        ...     "Did you mean 'dsprites'?" in str(error)
        True
    """


class FailureError(RuntimeError):
    """The request was right but could not be carried out: a damaged file, the network, a NaN.

    Commands exit with 1.

    Example:
        >>> with open("cut.npz", "wb") as file:
        ...     count = file.write(b"PK, and nothing more")
        >>> try:
        ...     kd.data.load("npz:cut.npz")
        ... except kd.errors.FailureError as error:
        ...     "cut.npz" in str(error)
        True
    """


#: How many characters of an unknown name a message repeats.
_LONGEST_NAME = 60
#: Phrases of the backends, NumPy and the operating system.
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
    """Tells whether an error of any backend means that host or device ran out of memory.

    Args:
        error: The error.

    Returns:
        Whether it does.
    """
    said = f"{type(error).__name__} {error}".lower()
    return isinstance(error, MemoryError) or any(words in said for words in _OUT_OF_MEMORY)


def unknown_name(
    kind: str, name: object, known: Iterable[str], likely: Iterable[str] = ()
) -> UsageError:
    """Makes the error for an unknown name, which suggests close matches.

    Args:
        kind: What the name stands for, in the singular, e.g. `"dataset"`.
        name: The name that was received.
        known: The accepted names.
        likely: Further names to suggest, before close matches.

    Returns:
        The error, to be raised.
    """
    known, name = sorted(known), str(name)
    name = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
    matches = _closest(name, known)
    if not matches and name.strip():
        matches = [candidate for candidate in known if candidate.startswith(name)]
    matches = [*likely, *matches]
    hint = f" Did you mean {' or '.join(repr(match) for match in matches)}?" if matches else ""
    return UsageError(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(known)}.")


def _closest(name: str, known: list[str]) -> list[str]:
    """Returns the names most like another one, the best first, and none that is much worse."""
    matches = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    matcher = difflib.SequenceMatcher(b=name)
    likeness = []
    for match in matches:
        matcher.set_seq1(match)
        likeness.append(matcher.ratio())
    return [one for one, found in zip(matches, likeness, strict=True) if found > likeness[0] - 0.1]
