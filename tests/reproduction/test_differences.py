"""Statistics of differences, against numbers of other libraries."""

import math

import pytest

from keras_devae.reproduction.differences import Difference, difference_of, holm, verdict

FIRST, SECOND = [0.31, 0.22, 0.35, 0.27, 0.29], [0.12, 0.25, 0.18, 0.21]


def test_difference_is_that_of_other_libraries():
    """Intervals and p of statsmodels 0.15.0, `CompareMeans` with unequal variances; g of pingouin.

    pingouin 0.7.0, `compute_effsize(..., eftype="hedges")`.
    """
    found = difference_of(FIRST, SECOND)
    assert found.mean == pytest.approx(0.098) and found.share == pytest.approx(0.098 / 0.19)
    assert found.interval == pytest.approx((0.013104669659300017, 0.18289533034069994))
    assert found.narrow == pytest.approx((0.03050683409513863, 0.16549316590486132))
    assert found.p == pytest.approx(0.030071972472447188)
    assert found.g == pytest.approx(1.7046470747672036)


def test_difference_the_other_way_round_has_the_other_sign():
    there, back = difference_of(FIRST, SECOND), difference_of(SECOND, FIRST)
    assert back.p == pytest.approx(there.p) and back.g == pytest.approx(-there.g)
    assert back.interval == pytest.approx(tuple(-end for end in reversed(there.interval)))


@pytest.mark.parametrize(
    ("first", "second"), [([0.3], SECOND), (FIRST, [0.3]), ([0.1] * 3, [0.3] * 3)]
)
def test_without_variance_there_is_the_difference_alone(first, second):
    found = difference_of(first, second)
    assert found.mean and found.interval is found.narrow is found.p is found.g is None


def test_one_sample_may_be_constant():
    """Then it is a test of the other's mean; Student's p with 2 degrees of freedom is closed."""
    found = difference_of([1.0, 2.0, 3.0], [0.1, 0.1, 0.1])
    t = 1.9 * math.sqrt(3)
    assert found.p == pytest.approx(1 - t / math.sqrt(t**2 + 2))
    # The pooled standard deviation is the root of a half; 1 - 3 / (4 * 6 - 9) is 0.8.
    assert found.g == pytest.approx(0.8 * 1.9 * math.sqrt(2))


def test_no_share_of_nothing():
    assert math.isnan(difference_of([1.0], [0.0]).share)


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [
        ([0.04, 0.001, 0.03, 0.005, 0.6], [0.09, 0.005, 0.09, 0.02, 0.6]),
        ([0.02, 0.02, 0.02, 0.9], [0.08, 0.08, 0.08, 0.9]),
        ([0.4, 0.5], [0.8, 0.8]),
        ([0.03], [0.03]),
        ([], []),
    ],
)
def test_holms_correction_is_that_of_another_library(p_values, corrected):
    """Numbers of statsmodels 0.15.0, `multipletests(p_values, method="holm")`; the last by hand."""
    assert holm(p_values) == pytest.approx(corrected)


def having(mean, low, high):
    return Difference(mean, 0.1, (low - 0.1, high + 0.1), (low, high), 0.01, 1.0)


@pytest.mark.parametrize(
    ("difference", "p", "smallest", "said"),
    [
        (having(0.1, 0.05, 0.15), 0.04, 0.05, "higher"),
        (having(-0.1, -0.15, -0.05), 0.04, None, "lower"),
        # Told from zero before the correction, but not after it.
        (having(0.1, 0.05, 0.15), 0.06, 0.05, "undecided"),
        (having(0.01, -0.02, 0.04), 0.5, 0.05, "no difference of interest"),
        (having(0.01, -0.02, 0.04), 0.5, None, "undecided"),
        # One of the two one-sided tests fails.
        (having(0.01, -0.02, 0.06), 0.5, 0.05, "undecided"),
        (having(-0.01, -0.06, 0.02), 0.5, 0.05, "undecided"),
        (Difference(0.1, 0.1), None, 0.05, "undecided"),
    ],
)
def test_verdict(difference, p, smallest, said):
    assert verdict(difference, p, smallest) == said
