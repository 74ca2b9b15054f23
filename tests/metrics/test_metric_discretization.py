import numpy as np
import pytest
import scipy.stats

from keras_devae.metrics import MetricWarning, histogram_discretize, quantile_discretize

VECTORS = ["constant", "integers_0_19", "integers_0_20", "integers_0_4", "negative", "tenths"]
CASES = ["a_perfect_dead", "b_rotated", "c_mixed", "d_noise", "e_collapsed", "h_dsprites_like"]


@pytest.mark.parametrize("name", [*VECTORS, "thirds"])
def test_bin_numbers_equal_disentanglement_lib(name, expected):
    reference = expected["discretizer"][name]
    bins = histogram_discretize(np.array(reference["values"])[:, None])
    assert bins.dtype == np.int64
    assert bins[:, 0].tolist() == reference["bins_dlib"]


@pytest.mark.parametrize("case", CASES)
def test_bin_sums_equal_disentanglement_lib(case, expected, load_case):
    codes, _ = load_case(case)
    sums = histogram_discretize(codes).sum(axis=0)
    assert sums.tolist() == expected["mig"][case]["bins_checksum"]


def test_dimensions_have_their_own_range():
    codes = np.array([[0.0, 100.0], [0.5, 300.0], [1.0, 500.0]])
    assert histogram_discretize(codes, bins=4).tolist() == [[1, 1], [3, 3], [4, 4]]


def test_adjacent_numbers_are_told_apart():
    codes = np.array([[1.0], [np.nextafter(1.0, 2.0)]])
    low, high = histogram_discretize(codes)[:, 0]
    assert 1 <= low < high <= 20


def test_every_bin_number_is_in_range():
    codes = np.random.default_rng(0).standard_cauchy(size=(1000, 5))
    with pytest.warns(MetricWarning, match="Codes 0, 1, 2, 3, 4 have"):
        bins = histogram_discretize(codes, bins=7)
    assert bins.min(axis=0).tolist() == [1] * 5 and bins.max(axis=0).tolist() == [7] * 5


@pytest.mark.parametrize("bins", [2, 7, 20])
@pytest.mark.parametrize("count", [50, 1000])
def test_quantile_bins_follow_the_ranks_of_another_library(bins, count):
    codes = np.random.default_rng(0).standard_cauchy(size=(count, 3))
    codes[: count // 3, 1] = 0.5
    codes[: count // 4, 2] = codes[count // 2, 2]
    places = (scipy.stats.rankdata(codes, axis=0) - 0.5) / count
    expected = np.floor(places * bins + 1e-9).astype(int) + 1
    np.testing.assert_array_equal(quantile_discretize(codes, bins), expected)
    sizes = np.bincount(quantile_discretize(codes, bins)[:, 0])[1:]
    assert len(sizes) == bins and sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("values", [[5, 2, 9, 2], [0.1], [-1e300, 1e300, 0.0]])
def test_quantile_bins_keep_the_values_of_discrete_codes(values):
    codes = np.repeat(values, 5)[:, None]
    expected = np.unique(codes, return_inverse=True)[1].reshape(-1, 1) + 1
    np.testing.assert_array_equal(quantile_discretize(codes), expected)


def test_quantile_bins_do_not_depend_on_a_rising_function():
    codes = np.random.default_rng(0).normal(size=(500, 2))
    np.testing.assert_array_equal(quantile_discretize(codes), quantile_discretize(np.exp(codes)))
