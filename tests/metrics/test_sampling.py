import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.metrics import MetricWarning
from keras_devae.metrics.row_index import GridIndex, TableIndex, factor_index
from keras_devae.metrics.samplers import CodeTable, EncodedDataset

SIZES = (4, 3, 5, 6)


def full_grid(sizes=SIZES):
    return np.indices(sizes).reshape(len(sizes), -1).T


class Images:
    """A data set whose images are its factors, that counts what is encoded."""

    name, factor_names, image_shape = "factors", ("a", "b", "c", "d"), (1, 1, 4)

    def __init__(self, factors):
        self.table = factors
        self.read = []

    def __len__(self):
        return len(self.table)

    def factors(self, indices):
        return self.table[indices]

    def images(self, indices):
        self.read.extend(indices)
        return self.table[indices].reshape(-1, 1, 1, 4)


def encode(images):
    return images.reshape(len(images), 4).astype(float)


@pytest.mark.parametrize("kept", [1.0, 0.3])
def test_drawn_rows_share_their_factor_and_nothing_else(kept):
    rng = np.random.default_rng(0)
    table = full_grid()
    table = table[rng.random(len(table)) < kept]
    index = factor_index(table)
    assert isinstance(index, GridIndex if kept == 1 else TableIndex)
    factors = rng.integers(4, size=2000)
    rows = index.draw(rng, 2000)
    drawn = index.draw_sharing(rng, rows, factors, 8)
    same = table[drawn] == table[rows][:, None]
    held = same[np.arange(2000), :, factors]
    assert held.all()
    for factor in range(4):
        others = same[factors != factor][..., factor]
        assert others.mean() < 2 / SIZES[factor]


def test_every_row_with_the_value_is_as_likely():
    table = np.array([[0, 0], [1, 0], [1, 1], [1, 2], [0, 1]])
    index, rng = factor_index(table), np.random.default_rng(0)
    drawn = index.draw_sharing(rng, np.array([1]), np.array([0]), 30_000)
    counts = np.bincount(drawn.ravel(), minlength=5)
    assert counts[0] == counts[4] == 0
    np.testing.assert_allclose(counts[1:4], 10_000, atol=400)


@pytest.mark.parametrize("make", [GridIndex, lambda sizes: TableIndex(full_grid(sizes))])
def test_grid_and_table_draw_alike(make):
    index, rng = make((3, 4, 2)), np.random.default_rng(0)
    drawn = index.draw_sharing(rng, np.full(1, 13), np.full(1, 1), 60_000)
    # Row 13 is (1, 2, 1): the rows with a 2 in the middle, each as likely.
    counts = np.bincount(drawn.ravel(), minlength=24)
    with_value = full_grid((3, 4, 2))[:, 1] == 2
    np.testing.assert_allclose(counts, 10_000 * with_value, atol=400)


@pytest.mark.parametrize("change", ["order", "hole", "repeat", "offset"])
def test_what_is_no_grid_is_seen(change):
    table = full_grid((3, 4))
    changed = {
        "order": table[::-1],
        "hole": np.vstack([table[:5], table[6:], table[:1]]),
        "repeat": np.vstack([table, table]),
        "offset": table + 1,
    }[change]
    assert isinstance(factor_index(changed), TableIndex)


def test_a_data_set_encodes_each_image_once():
    images = Images(full_grid())
    sampler = EncodedDataset(images, encode, chunk=7)
    rows = np.array([[5, 2], [5, 300]])
    np.testing.assert_array_equal(sampler.codes_of(rows), images.table[rows])
    sampler.prepare(np.arange(50))
    np.testing.assert_array_equal(sampler.codes_of(rows), images.table[rows])
    assert sorted(images.read) == [*range(50), 300]
    assert sampler.names == Images.factor_names


def test_constant_factors_are_left_out():
    factors = full_grid()
    factors[:, 1] = 2
    with pytest.warns(MetricWarning, match=r"these samples: factor_1\.$"):
        table = CodeTable(full_grid() * 1.0, factors)
    assert table.names == ("factor_0", "factor_2", "factor_3")
    assert table.index.factor_count == 3


def test_a_data_set_without_factors_is_refused():
    images = Images(full_grid())
    images.factor_names = None
    with pytest.raises(UsageError, match="'factors' has no ground-truth factors"):
        EncodedDataset(images, encode)


def test_codes_that_are_not_finite_are_refused():
    images = Images(full_grid())
    sampler = EncodedDataset(images, lambda x: encode(x) / np.array([1, 1, 1, np.nan]))
    with pytest.raises(UsageError, match="finite"):
        sampler.codes_of(np.arange(3))
