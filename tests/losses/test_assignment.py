import itertools

import numpy as np
import pytest

from keras_devae.errors import FailureError, UsageError
from keras_devae.losses import balanced_assignment


def total(costs, pairwise_cost, categories):
    """Own costs, and the cost of each pair of rows that share a category."""
    pairs = sum(a == b for a, b in itertools.combinations(categories, 2))
    return costs[np.arange(len(costs)), list(categories)].sum() + pairwise_cost * pairs


@pytest.mark.parametrize("pairwise_cost", [0, 0.01, 0.3, 1, 5, 1e6])
@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (5, 3), (6, 2), (4, 5)])
def test_no_other_choice_is_cheaper(shape, pairwise_cost):
    rng = np.random.default_rng(0)
    for _ in range(5):
        costs = rng.normal(size=shape)
        best = min(
            total(costs, pairwise_cost, categories)
            for categories in itertools.product(range(shape[1]), repeat=shape[0])
        )
        got = balanced_assignment(costs, pairwise_cost)
        assert got.shape == shape[:1] and got.dtype == np.int32
        assert total(costs, pairwise_cost, got) == pytest.approx(best, rel=1e-9, abs=1e-9)


def test_without_pairwise_cost_every_row_takes_its_cheapest():
    costs = np.array([[2, 1, 1], [0, 5, 5], [0, 1, 2]])
    np.testing.assert_array_equal(balanced_assignment(costs, 0), [1, 0, 0])


def test_a_large_pairwise_cost_balances_the_categories():
    costs = np.random.default_rng(0).normal(size=(256, 10)).astype("float32")
    costs[:, 3] -= 20
    assert np.bincount(balanced_assignment(costs, 0), minlength=10)[3] == 256
    assert np.bincount(balanced_assignment(costs, 0.5), minlength=10).argmax() == 3
    counts = np.bincount(balanced_assignment(costs, 1e6), minlength=10)
    assert counts.min() == 25 and counts.max() == 26


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("pairwise_cost", [0, 1])
def test_costs_that_are_not_finite(bad, pairwise_cost):
    costs = np.zeros((4, 3))
    costs[1, 2] = bad
    with pytest.raises(FailureError, match="Received: 1 of 12 NaN or infinite"):
        balanced_assignment(costs, pairwise_cost)


@pytest.mark.parametrize("pairwise_cost", [-1, np.nan, np.inf])
def test_pairwise_cost_out_of_range(pairwise_cost):
    with pytest.raises(UsageError, match="`pairwise_cost` must be a finite number of at least 0"):
        balanced_assignment(np.zeros((2, 2)), pairwise_cost)
