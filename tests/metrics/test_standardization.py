import numpy as np
import pytest

from keras_devae.metrics.estimators.scaling import FARTHEST, standardized


@pytest.mark.parametrize("scale", [1e-300, 1e-20, 1.0, 1e20, 1e300])
def test_codes_of_any_scale_get_mean_0_and_deviation_1(scale):
    codes = np.random.default_rng(0).uniform(-1, 1, size=(50, 3))
    columns = standardized(codes * scale)
    np.testing.assert_allclose(columns.mean(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(columns.std(axis=0), 1, atol=1e-14)
    np.testing.assert_allclose(columns, standardized(codes), atol=1e-12)


def test_a_constant_code_is_0_although_its_mean_is_rounded():
    codes = np.full((7, 2), 0.1)
    assert np.all(standardized(codes) == 0)


def test_an_offset_leaves_the_spread():
    column = 1e9 + np.tile([-1.0, 1.0], 10)[:, None]
    np.testing.assert_allclose(standardized(column), column - 1e9)


def test_the_first_rows_decide():
    codes = np.array([[1.0, 2.0], [3.0, 2.0], [5.0, 7.0], [1e300, 2.0]])
    columns = standardized(codes, 2)
    # The huge row takes the others' digits with it; it still has to be far away.
    assert np.all(np.isfinite(columns)) and np.all(np.abs(columns) <= FARTHEST)
    assert columns[:, 1].tolist() == [0, 0, 0, 0]
    np.testing.assert_allclose(standardized(codes[:3], 2)[:, 0], [-1, 1, 3])
