"""The second images of pairs, which differ from the first ones in a few factors."""

import numpy as np
import pytest
from scipy import stats

from keras_devae import data
from keras_devae.data.partners import Partners
from keras_devae.errors import UsageError

SIZES = (4, 1, 3, 5, 2)


def of_factors(factors, **options):
    return data.from_arrays(np.zeros((len(factors), 2, 2, 1), np.uint8), factors, **options)


@pytest.fixture(scope="module")
def grid():
    """All 120 combinations of four factors that vary and one that does not."""
    whole = data.FactorGrid(tuple("abcde"), SIZES)
    dataset = of_factors(whole.factors(range(len(whole))), factor_names=tuple("abcde"))
    assert dataset.grid == whole
    return dataset


def some_rows(dataset, count=20_000):
    return np.random.default_rng(0).integers(0, len(dataset), count)


def changes(dataset, rows, partners):
    return dataset.factors(rows) != dataset.factors(partners)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_as_many_factors_differ_as_asked_for(grid, count):
    rows = some_rows(grid)
    changed = changes(grid, rows, Partners(grid, count, seed=3)(rows, position=0))
    assert set(changed.sum(axis=1)) == {count}
    # Every factor that varies is as likely to change as the others.
    observed = changed.sum(axis=0)
    assert observed[1] == 0
    assert stats.chisquare(np.delete(observed, 1)).pvalue > 0.001 or count > 1
    np.testing.assert_allclose(np.delete(observed, 1) / len(rows), count / 4, atol=0.015)


def test_new_values_are_uniform(grid):
    rows = np.full(20_000, 57)
    partners = Partners(grid, 1, seed=0)(rows, position=0)
    old, new = grid.factors([57])[0], grid.factors(partners)
    for place in (0, 2, 3):
        values = new[new[:, place] != old[place], place]
        counts = np.bincount(values, minlength=SIZES[place])
        assert counts[old[place]] == 0
        assert stats.chisquare(np.delete(counts, old[place])).pvalue > 0.001


def test_random_numbers_of_changes_are_those_of_the_published_code(grid):
    """One in half of the pairs, else 1, 2 or 3 of the four factors."""
    rows = some_rows(grid)
    counts = changes(grid, rows, Partners(grid, "random", seed=0)(rows, 0)).sum(axis=1)
    expected = np.array([1 / 2 + 1 / 6, 1 / 6, 1 / 6]) * len(rows)
    assert stats.chisquare(np.bincount(counts)[1:], expected).pvalue > 0.001


@pytest.mark.parametrize("is_whole", [True, False])
def test_partners_depend_on_seed_and_position_alone(grid, is_whole):
    dataset = grid if is_whole else data.variants.subset(grid, 60)
    rows = some_rows(dataset, 100)
    whole = Partners(dataset, 1, seed=5)(rows, position=1000)
    parts = [Partners(dataset, 1, seed=5)(rows[i : i + 7], 1000 + i) for i in range(0, 100, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert (Partners(dataset, 1, seed=6)(rows, 1000) != whole).any()
    assert (Partners(dataset, 1, seed=5)(rows, 1001) != whole).any()
    Partners(dataset, 1, seed=2**62)(rows, position=2**40)


@pytest.mark.parametrize("count", [1, 2])
def test_a_dense_part_of_a_grid_has_such_pairs_too(grid, count):
    part = data.variants.subset(grid, 90)
    assert part.grid is None
    rows = some_rows(part)
    partners = Partners(part, count, seed=1)(rows, 0)
    differing = changes(part, rows, partners).sum(axis=1)
    everywhere = (part.factors(range(90))[:, None] != part.factors(range(90))).sum(axis=2)
    possible = (everywhere == count).any(axis=1)[rows]
    assert possible.mean() > 0.9
    assert set(differing[possible]) == {count}
    if count == 1:  # All that fit are drawn.
        fitting = np.stack(np.nonzero(everywhere == 1), axis=1)
        assert {*map(tuple, fitting)} <= {*zip(rows, partners, strict=True)}


def test_in_a_sparse_table_the_nearest_is_the_partner():
    factors = np.random.default_rng(0).integers(0, 30, (80, 4))
    dataset = of_factors(factors)
    partners = Partners(dataset, 1, seed=0)(range(80), position=0)
    everywhere = (factors[:, None] != factors).sum(axis=2)
    fewest = np.where(everywhere == 0, 9, everywhere).min(axis=1)
    np.testing.assert_array_equal(everywhere[np.arange(80), partners], fewest)
    others = Partners(dataset, 1, seed=0)(range(80), position=80)
    assert (others != partners).any()


def test_a_large_sparse_table_is_searched_in_parts():
    factors = np.random.default_rng(0).integers(0, 2, (6000, 30))
    factors[:, 0] = 0
    dataset = of_factors(factors)
    partners = Partners(dataset, 1, seed=0)(range(50), position=0)
    differing = (factors[:50] != factors[partners]).sum(axis=1)
    assert differing.min() > 0
    # Far fewer than the 14.5 of any two rows.
    assert differing.mean() < 8


def test_nearly_all_rows_alike():
    factors = np.zeros((9000, 2), int)
    factors[7000], factors[100] = (1, 0), (0, 1)
    partners = Partners(of_factors(factors), 1, seed=0)(range(300), position=0)
    assert {100, 7000} <= set(partners)
    assert (factors[partners] != factors[:300]).any(axis=1).all()


def test_rows_with_equal_factors_are_drawn_alike():
    factors = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], 5, axis=0)
    partners = Partners(of_factors(factors), 1, seed=0)(np.zeros(5000, int), position=0)
    counts = np.bincount(partners, minlength=20)
    assert not counts[:5].any() and not counts[15:].any()
    assert stats.chisquare(counts[5:15]).pvalue > 0.001


def test_more_combinations_than_a_number_holds():
    factors = np.stack([np.arange(200) * k % 199 for k in range(1, 13)], axis=1)
    factors = np.concatenate([factors, factors])
    factors[200:, 3] += 1000
    partners = Partners(of_factors(factors), 1, seed=0)(range(200), position=0)
    assert set((factors[:200] != factors[partners]).sum(axis=1)) == {1}


def test_seeds_are_checked(grid):
    with pytest.raises(UsageError, match="`seed` must be a whole number of at least 0"):
        grid.pairs(seed=-1)


REFUSED = {
    "Data set 'arrays' has no factors": (None, 1),
    "in which only factor_0 varies": ([[0, 1], [1, 1]], 1),
    "in which none varies": ([[3, 1], [3, 1]], 1),
    "must be at most 1, so that pairs share one of the 2 factors": ([[0, 0], [1, 1]], 2),
    "must be a whole number of at least 1": ([[0, 0], [1, 1]], 0),
    "must be a whole number or 'random'": ([[0, 0], [1, 1]], "randomly"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_data_sets_without_such_pairs_are_refused(words):
    factors, count = REFUSED[words]
    images = np.zeros((2, 2, 2, 1), np.uint8)
    dataset = data.from_arrays(images, None if factors is None else np.array(factors))
    with pytest.raises(UsageError, match=words) as raised:
        dataset.pairs(changed_factors=count)
    assert "\n" not in str(raised.value)
