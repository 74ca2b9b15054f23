import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_devae.data import FactorGrid
from keras_devae.errors import UsageError

grids = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(
    lambda sizes: FactorGrid([f"f{i}" for i in range(len(sizes))], sizes)
)


@given(grids)
def test_is_one_to_one_in_c_order(grid):
    rows = np.arange(len(grid))
    factors = grid.factors(rows)
    expected = np.indices(grid.sizes).reshape(len(grid.sizes), -1).T
    np.testing.assert_array_equal(factors, expected)
    np.testing.assert_array_equal(grid.indices(factors), rows)
    assert len(grid) == math.prod(grid.sizes)
    assert factors.dtype == np.int64 and grid.indices(factors).dtype == np.int64


@given(grids, st.data())
def test_takes_indices_as_numpy_does(grid, data):
    everything = grid.factors(np.arange(len(grid)))
    rows = data.draw(st.lists(st.integers(-len(grid), len(grid) - 1), max_size=9))
    np.testing.assert_array_equal(grid.factors(rows), everything[np.array(rows, int)])


def test_is_a_value():
    grid = FactorGrid(["a", "b"], np.array([2, 3]))
    assert grid == FactorGrid(("a", "b"), (2, 3)) and grid != FactorGrid(("a", "c"), (2, 3))
    assert len({grid, FactorGrid(("a", "b"), (2, 3))}) == 1
    with pytest.raises(AttributeError):
        grid.sizes = (1, 1)


@pytest.mark.parametrize("rows", [[6], [-7], [0.5], [True, False], [[0]], 3])
def test_refuses_wrong_indices(rows):
    with pytest.raises(UsageError):
        FactorGrid(("a", "b"), (2, 3)).factors(rows)


@pytest.mark.parametrize("factors", [[[2, 0]], [[0, -1]], [[0]], [0, 0], [[0.0, 1.0]]])
def test_refuses_wrong_factors(factors):
    with pytest.raises(UsageError):
        FactorGrid(("a", "b"), (2, 3)).indices(factors)


def test_names_the_factor_that_is_out_of_range():
    with pytest.raises(UsageError, match=r"'b' takes the values 0 to 2. Received: 3"):
        FactorGrid(("a", "b"), (2, 3)).indices([[0, 0], [1, 3]])


@pytest.mark.parametrize(
    ("names", "sizes"), [((), ()), (("a",), (1, 2)), (("a", "a"), (1, 2)), (("a",), (0,))]
)
def test_refuses_what_is_no_grid(names, sizes):
    with pytest.raises(UsageError):
        FactorGrid(names, sizes)
