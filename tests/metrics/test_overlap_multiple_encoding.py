"""OMES: which codes a factor moves when it changes alone."""

import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.metrics import MetricWarning, omes
from keras_devae.metrics.row_index import GridIndex, TableIndex
from keras_devae.metrics.scores.omes import factor_scores, moved_by

SIZES = (3, 4, 5, 6)
GRID = np.indices(SIZES).reshape(4, -1).T
AUTHORS = {"average": "avg", "max": "max"}


@pytest.mark.parametrize("make", [GridIndex, lambda sizes: TableIndex(GRID)])
def test_pairs_differ_in_one_factor_only_and_uniformly(make):
    rng = np.random.default_rng(0)
    for factor, size in enumerate(SIZES):
        first, second = make(SIZES).draw_pairs(rng, factor, 20_000)
        differ = GRID[first] != GRID[second]
        assert differ[:, factor].all() and not np.delete(differ, factor, axis=1).any()
        counts = np.zeros((size, size))
        np.add.at(counts, (GRID[first, factor], GRID[second, factor]), 1)
        expected = (1 - np.eye(size)) / (size * (size - 1))
        np.testing.assert_allclose(counts / counts.sum(), expected, atol=0.02)
        assert len(np.unique(first)) == len(GRID)


def test_pairs_of_an_incomplete_table():
    table = np.array([[0, 0], [1, 0], [1, 0], [2, 0], [0, 1], [5, 2], [5, 3]])
    index, rng = TableIndex(table), np.random.default_rng(0)
    first, second = index.draw_pairs(rng, 0, 5000)
    assert set(first) == set(second) == {0, 1, 2, 3}
    assert (table[first, 0] != table[second, 0]).all()
    # From row 0 the three others are equally likely.
    partners = np.bincount(second[first == 0], minlength=4)[1:]
    np.testing.assert_allclose(partners / partners.sum(), 1 / 3, atol=0.05)
    first, second = index.draw_pairs(rng, 1, 100)
    assert {frozenset(pair) for pair in zip(first, second, strict=True)} == {
        frozenset((0, 4)),
        frozenset((5, 6)),
    }
    lone = TableIndex(np.array([[0, 0], [1, 1], [2, 2]])).draw_pairs(rng, 0, 100)
    assert not len(lone.first) and not len(lone.second)


def test_a_perfect_code_has_its_closed_form():
    """The other value of n is correlated by -1/(n - 1)."""
    c = 1 - 1 / (np.array(SIZES) - 1)
    # The row and the column of each factor lack 1 - c of the perfect ones, over 4 places.
    expected = c * (1 - (1 - c) / 4)
    score = omes(GRID, GRID, n_pairs=100_000)
    found = list(score.details["per_factor"].values())
    np.testing.assert_allclose(found, expected, atol=0.015)
    assert score["omes.score"] == pytest.approx(expected.mean(), abs=0.01)
    np.testing.assert_allclose(score.details["encoding_matrix"], np.diag(c), atol=0.015)
    assert omes(GRID, GRID, pooling="max", n_pairs=100_000)["omes.score"] == pytest.approx(
        expected.mean(), abs=0.01
    )


def test_factors_in_one_code_overlap_and_codes_of_one_factor_are_multiple():
    overlapping = GRID[:, 2:] @ [[1.0], [0.5]]
    score = omes(overlapping, GRID[:, 2:])
    assert score["omes.overlap"] < score["omes.multiple_encoding"] - 0.05
    repeated = np.tile(GRID[:, 2:], 4)
    score = omes(repeated, GRID[:, 2:])
    assert score["omes.multiple_encoding"] < score["omes.overlap"] - 0.1
    alone = [omes(repeated, GRID[:, 2:], alpha=alpha)["omes.score"] for alpha in (0, 1)]
    assert alone == [score["omes.multiple_encoding"], score["omes.overlap"]]


@pytest.mark.parametrize("pooling", AUTHORS)
def test_authors_code_has_the_same_numbers(reference, reference_inputs, pooling):
    known, pairs = reference("omes"), reference_inputs("omes")
    moved = [moved_by(*both) for both in zip(pairs["first"], pairs["second"], strict=True)]
    matrix = np.stack(moved, axis=1)
    np.testing.assert_allclose(matrix, known["pairs"]["covs"], atol=6e-5)
    overlap, multiple = factor_scores(np.array(known["pairs"]["covs"]), pooling)
    expected = known["pairs"][AUTHORS[pooling]]
    np.testing.assert_allclose(overlap, expected["1.0"], rtol=1e-9)
    np.testing.assert_allclose(multiple, expected["0.0"], rtol=1e-9)
    np.testing.assert_allclose((overlap + multiple) / 2, expected["0.5"], rtol=1e-9)


@pytest.mark.parametrize("pooling", AUTHORS)
def test_pairs_drawn_at_random_score_as_the_authors_do(reference, reference_inputs, pooling):
    """They divide all rows that differ in one factor into pairs once."""
    given = reference_inputs("omes")
    with pytest.warns(MetricWarning, match="Few samples"):
        score = omes(given["codes"], given["factors"], pooling=pooling)
    expected = reference("omes")["grid"][AUTHORS[pooling]]["0.5"]
    found = list(score.details["per_factor"].values())
    np.testing.assert_allclose(found, list(expected.values()), atol=0.05)


@pytest.mark.filterwarnings("ignore::keras_devae.metrics.FewSamplesWarning")
@pytest.mark.filterwarnings("ignore:There is no active latent dimension")
def test_what_nobody_wishes_for_is_finite():
    rng = np.random.default_rng(0)
    codes = GRID + 0.1 * rng.normal(size=GRID.shape)
    few = {"n_pairs": 500}
    plain = omes(codes, GRID, **few)
    with pytest.warns(MetricWarning, match="omes is 0"):
        assert omes(np.full((360, 3), 0.1), GRID, **few).numbers == dict.fromkeys(plain.numbers, 0)
    padded = np.column_stack([codes, np.full(360, 2.5), 1e-3 * codes[:, 0]])
    with pytest.warns(MetricWarning, match="1 of 6 codes are constant"):
        assert omes(padded, GRID, **few).numbers == plain.numbers
    with pytest.warns(MetricWarning, match="single value"):
        held = omes(codes, np.column_stack([GRID, np.ones(360)]), **few)
    assert held["omes.score"] == plain["omes.score"]
    for scale in (1e300, 1e290):
        assert omes(codes * scale, GRID, **few).numbers == pytest.approx(plain.numbers, abs=1e-6)
    assert np.isfinite(list(omes(codes[:, :1], GRID[:, :1], **few).numbers.values())).all()
    # Pure noise is moved by every factor.
    noise = omes(rng.normal(size=(360, 4)), GRID, n_pairs=5000)
    assert noise["omes.overlap"] < 0.35


@pytest.mark.filterwarnings("ignore::keras_devae.metrics.FewSamplesWarning")
def test_factors_without_pairs_and_of_two_values_are_named():
    diagonal = np.column_stack([np.repeat(np.arange(10), 3), np.repeat(np.arange(10), 3)])
    with pytest.warns(MetricWarning, match="never differ alone.*: factor_0, factor_1"):
        assert omes(diagonal * 1.0, diagonal)["omes.score"] == 0
    partly = np.array([[0, 0, 1], [1, 0, 1], [2, 0, 1], [3, 1, 2]]).repeat(5, axis=0)
    with pytest.warns(MetricWarning, match="never differ alone.*: factor_1, factor_2"):
        score = omes(partly * 1.0, partly)
    assert list(score.details["per_factor"]) == ["factor_0"]
    binary = np.indices((2, 5)).reshape(2, -1).T
    with pytest.warns(MetricWarning, match="factor of two values is encoded perfectly: factor_0"):
        score = omes(binary * 1.0, binary)
    assert score.details["per_factor"]["factor_0"] == pytest.approx(0, abs=1e-9)


def test_wrong_settings_are_refused():
    for given, message in (
        ({"alpha": 2}, "`alpha` must be"),
        ({"pooling": "mean"}, "'mean'"),
        ({"n_pairs": 1}, "`n_pairs` must be"),
        ({"n_variance": 1}, "`n_variance` must be"),
        ({"threshold": -1}, "`threshold` must be"),
        ({"n_pairs": 10**9}, "must ask for at most"),
    ):
        with pytest.raises(UsageError, match=message):
            omes(GRID, GRID, **given)
