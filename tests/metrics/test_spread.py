"""Mean, deviation and interval of a few numbers."""

import numpy as np
import pytest
import scipy.stats

from keras_devae.errors import UsageError
from keras_devae.metrics.estimators.spread import Spread, spread_of


@pytest.mark.parametrize("count", [2, 3, 5, 40])
def test_it_is_that_of_students_t(count):
    values = np.random.default_rng(count).normal(3, 2, count)
    spread = spread_of(values)
    interval = scipy.stats.t.interval(0.95, count - 1, values.mean(), scipy.stats.sem(values))
    np.testing.assert_allclose([spread.low, spread.high], interval)
    assert spread.mean == pytest.approx(values.mean())
    assert spread.std == pytest.approx(np.sqrt(((values - values.mean()) ** 2).sum() / (count - 1)))
    assert spread.count == count


def test_the_interval_covers_the_mean_in_19_of_20_cases():
    rng = np.random.default_rng(0)
    spreads = [spread_of(rng.normal(7, 3, 4)) for _ in range(2000)]
    covered = np.mean([spread.low <= 7 <= spread.high for spread in spreads])
    # The standard error of this share is 0.005.
    assert covered == pytest.approx(0.95, abs=0.02)


def test_one_value_has_no_interval():
    assert spread_of([0.25]) == Spread(mean=0.25, std=0.0, low=0.25, high=0.25, count=1)


def test_any_numbers_will_do():
    assert spread_of(iter((1, 2, 3))) == spread_of(np.array([1, 2, 3], dtype=np.float32))
    assert type(spread_of((np.float32(1), 2)).mean) is float


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [np.inf], [[1.0, 2.0]]])
def test_what_has_no_spread_is_refused(values):
    with pytest.raises(UsageError, match="one or more finite numbers"):
        spread_of(values)
