import warnings

import numpy as np
import pytest
from sklearn.preprocessing import KBinsDiscretizer

from keras_devae.data import from_arrays, variants
from keras_devae.data.own.factor_values import binned
from keras_devae.errors import UsageError


def images(count):
    return np.zeros((count, 2, 2), np.uint8)


@pytest.mark.parametrize("count", [2, 7, 20, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_bins_as_scikit_learn_and_numpy_do(count, seed):
    values = np.random.default_rng(seed).normal(3, 50, 5000)
    classes = binned(values, count)
    other = KBinsDiscretizer(count, encode="ordinal", strategy="uniform", subsample=None)
    np.testing.assert_array_equal(classes, other.fit_transform(values[:, None])[:, 0])
    np.testing.assert_array_equal(
        np.bincount(classes, minlength=count), np.histogram(values, count)[0]
    )


def test_closes_the_last_bin_and_opens_the_others_above():
    np.testing.assert_array_equal(binned(np.linspace(0, 4, 9), 4), [0, 0, 1, 1, 2, 2, 3, 3, 3])


def test_bins_the_named_factors_only():
    angles = np.random.default_rng(0).uniform(-1, 6, 400).astype(np.float32)
    factors = np.stack([np.arange(400) % 3, angles, np.arange(400) % 7], axis=1)
    bins = {"angle": np.int64(20), "size": 2}
    dataset = from_arrays(images(400), factors, ["shape", "angle", "size"], bins=bins)
    edges = np.histogram_bin_edges(factors[:, 1], 20)
    expected = np.clip(np.digitize(factors[:, 1], edges) - 1, 0, 19)
    np.testing.assert_array_equal(
        dataset.factors(np.arange(400)),
        np.stack([np.arange(400) % 3, expected, np.arange(400) % 7 >= 3], axis=1),
    )
    assert dataset.factor_sizes == (3, len(set(expected)), 2)
    assert dataset.provenance["factor_bins"] == {
        "angle": {"min": edges[0], "max": edges[-1], "count": 20},
        "size": {"min": 0.0, "max": 6.0, "count": 2},
    }


def test_keeps_what_was_measured_beside_twenty_bins():
    angles = np.random.default_rng(0).permutation(np.linspace(0.25, 2.25, 41))
    factors = np.stack([np.arange(41) % 2, angles], axis=1)
    with pytest.warns(UserWarning, match=r"'angle' .*continuous.*bins=.'angle'"):
        dataset = from_arrays(images(41), factors, ["shape", "angle"])
    assert dataset.continuous_factors == ("angle",) and set(dataset.factor_labels) == {"angle"}
    np.testing.assert_array_equal(dataset.factor_values([2, 0, 1]), factors[[2, 0, 1]])
    counts = np.bincount(dataset.factors(np.arange(41))[:, 1])
    np.testing.assert_array_equal(counts, np.histogram(angles, 20)[0])
    assert dataset.factor_labels["angle"][0] == "[0.25, 0.35)"
    assert dataset.factor_labels["angle"][-1] == "[2.15, 2.25]"
    fewer = variants.hidden(variants.subset(variants.colour(dataset), 41), ["shape"])
    assert fewer.continuous_factors == ("angle",)
    np.testing.assert_array_equal(fewer.factor_values(np.arange(41))[:, 0], angles)


@pytest.mark.parametrize(
    ("column", "bins", "message"),
    [
        ([0.5, 1, 2], {"angel": 20}, "no factor 'angel' .*Known: angle"),
        ([0.5, 1, 2], {"angle": 1}, "at least 2.*1 for 'angle'"),
        ([0.5, 1, 2], {"angle": 2.5}, "at least 2.*2.5"),
        ([0.5, 1, 2], {"angle": True}, "at least 2.*True"),
        ([0.5, 1, 2], 20, "must map names of factors to numbers.*20"),
        ([0.5, np.nan, 2], {"angle": 3}, "'angle'.* nan in row 1"),
        ([0.5, 1, np.inf], {"angle": 3}, "'angle'.* inf in row 2"),
        ([0.5, 0.5, 0.5], {"angle": 3}, "'angle' has the same value 0.5"),
        ([-1e308, 0, 1e308], {"angle": 3}, "spans more"),
        ([0, 1, 1e300], None, "1e\\+300 for factor 'angle' in row 2"),
    ],
)
def test_refuses_bins_it_cannot_make(column, bins, message):
    with pytest.raises(UsageError, match=message):
        from_arrays(images(3), np.array(column)[:, None], ["angle"], bins=bins)


def test_refuses_bins_without_factors():
    with pytest.raises(UsageError, match="without factors"):
        from_arrays(images(3), bins={"angle": 3})


def test_keeps_integers_that_a_float_does_not_hold():
    factors = np.array([[2**63 - 1], [-(2**63)], [2**53 + 1]])
    np.testing.assert_array_equal(from_arrays(images(3), factors).factors([0, 1, 2]), factors)
    with pytest.raises(UsageError, match=r"9223372036854775808 .*row 1"):
        from_arrays(images(3), factors.astype(np.uint64))


def test_puts_whole_numbers_that_look_continuous_into_bins():
    factors = np.stack([np.random.default_rng(0).permutation(3000), np.arange(3000) % 5], axis=1)
    with pytest.warns(UserWarning, match=r"'time' has 3,000 different .*continuous.*bins") as seen:
        dataset = from_arrays(images(3000), factors, ["time", "shape"])
    assert sum("continuous" in str(warning.message) for warning in seen) == 1
    assert dataset.factor_sizes == (20, 5)


@pytest.mark.parametrize(
    ("values", "bins"),
    [(np.arange(1000), None), (np.arange(20000) % 2000, None), (np.arange(3000), {"factor_0": 9})],
)
def test_does_not_warn_of_few_values_or_of_bins(values, bins):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "The images of .* all equal")
        from_arrays(images(len(values)), values[:, None], bins=bins)
