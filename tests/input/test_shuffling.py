import hashlib

import numpy as np
import pytest

from keras_devae.input.shuffling import WINDOW, EndlessOrder, Permutation

NEIGHBOURS = [power + step for power in (128, 256, 4096) for step in (-1, 0, 1)]


def orders(size, passes, seed=0):
    """The values of several permutations, `(passes, size)`."""
    positions = np.arange(size)
    return np.stack([Permutation(size, seed, number)(positions) for number in range(passes)])


def excess(counts):
    """How many standard deviations chi-square of some counts lies above what equal chances give."""
    expected = counts.mean(axis=-1, keepdims=True)
    statistic = (np.square(counts - expected) / expected).sum()
    freedom = counts.size - counts.size // counts.shape[-1]
    return (statistic - freedom) / np.sqrt(2 * freedom)


@pytest.mark.parametrize("size", [*range(1, 71), *NEIGHBOURS, 97, 9973, 480_000])
def test_each_value_comes_once(size):
    values = Permutation(size, 2**32 - 1, 3)(np.arange(size))
    assert values.dtype == np.int64
    np.testing.assert_array_equal(np.sort(values), np.arange(size))


def test_a_value_depends_on_its_position_alone():
    permutation = Permutation(480_000, 7, 1)
    positions = np.random.default_rng(0).integers(0, 480_000, 300)
    alone = np.concatenate([permutation([position]) for position in positions])
    np.testing.assert_array_equal(permutation(positions), alone)


def test_order_of_a_seed_stays_what_it_is():
    """The same on every platform and with every NumPy; runs are resumed in the same order."""
    values = [
        Permutation(size, 42, number)(np.arange(size)) for size in (5, 1000) for number in (0, 9)
    ]
    values.append(EndlessOrder(1000, 42, chunk_rows=16)(np.arange(2**40, 2**40 + 2000)))
    digest = hashlib.sha256(np.concatenate(values).astype("<i8").tobytes()).hexdigest()
    assert digest == "026baecb2c6bfa94df1eccd4f9101f16ff8343caa7ea54d4e24e267337187ac5"


@pytest.mark.parametrize("size", [2, 3, 4, 5, 6, 7, 8, 13, 16, 31])
def test_every_position_gets_every_value_equally_often(size):
    values = orders(size, 1500)
    counts = np.stack([np.bincount(column, minlength=size) for column in values.T])
    assert excess(counts) < 4


@pytest.mark.parametrize("size", [3, 4, 5])
def test_every_order_of_few_values_is_as_likely(size):
    codes = orders(size, 6000) @ size ** np.arange(size)
    _, counts = np.unique(codes, return_counts=True)
    assert len(counts) == np.prod(np.arange(1, size + 1))
    assert excess(counts) < 4


@pytest.mark.parametrize("size", [5, 8, 16, 31])
def test_neighbours_are_unrelated(size):
    values = orders(size, 1500)
    for difference in (np.diff(values, axis=1), np.diff(values, axis=0)):
        counts = np.bincount((difference % size).ravel(), minlength=size)
        # Within one order no value follows itself.
        assert excess(counts if counts[0] else counts[1:]) < 4


@pytest.mark.parametrize("seeds", [((0, 0), (0, 1)), ((0, 0), (1, 0)), ((3, 4), (4, 3))])
def test_orders_of_many_values_are_unrelated(seeds):
    size = 20_011
    first, second = (Permutation(size, *seed)(np.arange(size)) for seed in seeds)
    pairs = [
        (first, second),
        (first, np.arange(size)),
        *((first[lag:], first[:-lag]) for lag in (1, 2, 141, 142, 143)),
    ]
    for one, other in pairs:
        assert abs(np.corrcoef(one, other)[0, 1]) * np.sqrt(len(one)) < 4
        # A permutation made of the other by a shift would have one difference throughout.
        assert np.bincount((one - other) % size).max() < 12


@pytest.mark.parametrize("chunk_rows", [1, 4, 7, 100])
@pytest.mark.parametrize("size", [1, 3, 64, 101])
def test_every_pass_holds_every_row_once(size, chunk_rows):
    for start in (0, 2**41 * size):
        rows = EndlessOrder(size, 5, chunk_rows)(np.arange(start, start + 6 * size))
        passes = rows.reshape(6, size)
        np.testing.assert_array_equal(np.sort(passes, axis=1), np.tile(np.arange(size), (6, 1)))
        if size > 3:
            assert len(np.unique(passes, axis=0)) == 6


def test_blocks_stay_together():
    size, chunk_rows = 100 * 16 + 5, 16
    order = EndlessOrder(size, 1, chunk_rows)
    first, second = order(np.arange(2 * size)).reshape(2, size) // chunk_rows
    for blocks in (first, second):
        windows = np.arange(size) // (WINDOW * chunk_rows)
        read = len(np.unique(np.stack([windows, blocks]), axis=1).T)
        # Each block once; again only those that the odd rows push over the edge of a window.
        assert read <= 101 + 14
    assert (first != second).mean() > 0.9
    # Rows of one block do not simply follow each other.
    assert (np.diff(first) == 0).mean() < 0.3


def test_rest_of_the_rows_has_no_fixed_place():
    size, chunk_rows = 10 * 4 + 1, 4
    places = [
        int(np.flatnonzero(EndlessOrder(size, 0, chunk_rows)(np.arange(size) + p * size) == 40)[0])
        for p in range(60)
    ]
    assert min(places) < 8 and max(places) > 32 and len(set(places)) > 20
