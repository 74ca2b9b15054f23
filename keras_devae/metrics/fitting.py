"""How metrics run estimators of scikit-learn: without its warnings, in one thread."""

import warnings
from collections.abc import Callable
from typing import Any

from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

# Factors may have many values: the values are classes, however few samples each has.
MANY_CLASSES = "The number of unique classes is greater than"


def run_quietly(function: Callable[[], Any]) -> tuple[Any, bool]:
    """Calls a function that fits estimators, and catches their word on convergence.

    Their BLAS and OpenMP get one thread: about as fast on a metric's few rows, up to a hundred
    times faster on a busy machine, where threads wait for each other, and the same numbers
    everywhere.

    Args:
        function: Called without arguments.

    Returns:
        What the function returned, and whether an estimator in it stopped before it converged. Its
        other warnings are issued as they are, but for scikit-learn's doubt that labels with many
        values are classes.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        warnings.filterwarnings("ignore", message=MANY_CLASSES)
        with threadpool_limits(limits=1):
            value = function()
    others = [one for one in caught if not issubclass(one.category, ConvergenceWarning)]
    for one in others:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    return value, len(others) < len(caught)
