"""Finds the best categories for a batch, outside the gradient, with NumPy and SciPy only."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from keras_devae.checks import Array, finite_at_least
from keras_devae.errors import FailureError


def balanced_assignment(costs: Array, pairwise_cost: float) -> Array:
    """Assigns a category to every row at the least total cost; crowded categories cost more.

    This is the discrete-code problem of Jeong & Song (2019): a row pays its own cost of a category,
    and each pair of rows in the same category pays `pairwise_cost`, so the n-th row there (n = 0,
    1, ...) adds `n * pairwise_cost`. Because these prices rise, every category can be split into
    slots that fill up from the cheapest: a linear assignment with the same optimum as the paper's
    minimum cost flow.

    Time grows with the cube of the batch size: 0.1 s for 256 rows and 10 categories, 6 s for 1,024.

    Args:
        costs: Array `(batch, categories)`, the cost of assigning a category to a row.
        pairwise_cost: Finite number of at least 0; 0 gives every row its cheapest category.

    Returns:
        Int32 array `(batch,)` of category numbers.

    Raises:
        FailureError: If a cost is NaN or infinite.
        UsageError: If `pairwise_cost` is negative or not finite.
    """
    costs = np.asarray(costs, np.float64)
    finite_at_least("pairwise_cost", pairwise_cost)
    if not np.isfinite(costs).all():
        raise FailureError(
            "The costs of the discrete code must be finite. Received: "
            f"{np.count_nonzero(~np.isfinite(costs))} of {costs.size} NaN or infinite. "
            "Lower the learning rate, or check the images for extreme values."
        )
    if pairwise_cost == 0:
        return costs.argmin(axis=1).astype(np.int32)
    slots = len(costs)
    prices = costs[:, :, None] + pairwise_cost * np.arange(slots)
    _, columns = linear_sum_assignment(prices.reshape(slots, -1))
    return (columns // slots).astype(np.int32)
