"""Lists and shares as people read them."""

from collections.abc import Sequence


def listed(words: Sequence[str]) -> str:
    """Joins words, at least one: `"a"`, `"a and b"`, `"a, b and c"`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def percent(share: float) -> str:
    """Returns a share as a whole percentage, e.g. `"36 %"`."""
    return f"{100 * share:.0f} %"
