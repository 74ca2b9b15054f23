"""Which cases of a test run at every turn, and which on demand."""

import pytest


def quick_first(cases, quick):
    """Returns parameters of a test, of which all but the quick ones are marked `thorough`."""
    assert set(quick) <= set(cases), (quick, cases)
    return [
        case if case in quick else pytest.param(case, marks=pytest.mark.thorough) for case in cases
    ]
