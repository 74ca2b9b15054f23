import itertools

import numpy as np
import pytest
from scipy import stats

from keras_devae.data import FactorGrid, from_arrays, load, variants
from keras_devae.data.variants import colour, correlated, held_out, hidden, select_factors, subset
from keras_devae.errors import UsageError

SIZES = (3, 4, 5)
NAMES = ("shape", "scale", "angle")
HELD_OUT = "held-out-only"


def numbered(sizes=SIZES, names=NAMES, order=None):
    """Images that show their row number, of a grid unless rows are chosen or put in an order."""
    factors = np.array(list(itertools.product(*map(range, sizes))))
    numbers = np.arange(len(factors))
    if order is not None:
        factors, numbers = factors[order], numbers[order]
    pixels = np.stack([numbers // 256, numbers % 256], axis=-1).astype(np.uint8)
    pixels = np.concatenate([pixels, np.full_like(pixels, 255)], axis=-1)
    return from_arrays(pixels.reshape(-1, 2, 2), factors, list(names))


def shown_rows(dataset):
    pixels = dataset.images(np.arange(len(dataset)))[..., 0].reshape(-1, 4).astype(int)
    return 256 * pixels[:, 0] + pixels[:, 1]


@pytest.fixture
def shapes3d():
    return load("shapes3d", source="rendered", image_size=32)


def joint(dataset, first, second):
    columns = [dataset.factor_names.index(name) for name in (first, second)]
    values = dataset.factors(np.arange(len(dataset)))[:, columns]
    counts = np.zeros([dataset.factor_sizes[column] for column in columns])
    np.add.at(counts, tuple(values.T), 1)
    return counts / len(values)


def density(first, second, sigma):
    """The formula of the paper in closed form, on factors in [0, 1]."""
    a, b = np.meshgrid(np.linspace(0, 1, first), np.linspace(0, 1, second), indexing="ij")
    weights = np.exp(-((a - b) ** 2) / (2 * sigma**2))
    return weights / weights.sum()


@pytest.mark.parametrize("sigma", [0.05, 0.2, 0.4, 0.7])
@pytest.mark.parametrize("second", ["wall_hue", "scale", "orientation"])
def test_correlated_factors_follow_the_density(shapes3d, second, sigma):
    dataset = correlated(shapes3d, [("floor_hue", second, sigma)], seed=3)
    assert len(dataset) == 480_000 and dataset.grid is None
    size = shapes3d.factor_sizes[shapes3d.factor_names.index(second)]
    expected = density(10, size, sigma)
    # Independent draws would be as far away as this, and systematic ones are nearer.
    error = np.sqrt(expected * (1 - expected) / 480_000)
    assert (np.abs(joint(dataset, "floor_hue", second) - expected) < 3 * error + 1e-5).all()


@pytest.mark.parametrize("sizes", [(3, 4, 5), (10, 10, 2)])
def test_draws_of_images_pass_the_chi_square_test_of_the_density(sizes):
    """A batch of independent draws from the variant is a sample of the paper's distribution."""
    dataset = correlated(numbered(sizes), [("shape", "scale", 0.2)], length=100_000)
    rows = np.random.default_rng(0).integers(len(dataset), size=5000)
    shape, scale, _ = dataset.factors(rows).T
    observed = np.zeros(sizes[:2])
    np.add.at(observed, (shape, scale), 1)
    expected = 5000 * density(*sizes[:2], 0.2)
    common = expected > 5
    counts = np.append(observed[common], observed[~common].sum())
    hoped = np.append(expected[common], expected[~common].sum())
    assert stats.chisquare(counts, hoped).pvalue > 1e-3
    # The test can fail: another sigma is told apart.
    other = 5000 * density(*sizes[:2], 0.25)
    hoped = np.append(other[common], other[~common].sum())
    assert stats.chisquare(counts, hoped).pvalue < 1e-6


def test_other_factors_stay_uniform_and_independent(shapes3d):
    dataset = correlated(shapes3d, [("floor_hue", "wall_hue", 0.2)])
    for first, second in itertools.combinations(shapes3d.factor_names, 2):
        if (first, second) == ("floor_hue", "wall_hue"):
            continue
        table = joint(dataset, first, second)
        independent = table.sum(axis=1, keepdims=True) * table.sum(axis=0)
        assert np.abs(table / independent - 1).max() < 0.1
        if first not in ("floor_hue", "wall_hue"):
            assert np.abs(table * table.size - 1).max() < 0.1


def test_several_pairs_multiply(shapes3d):
    pairs = [("floor_hue", "wall_hue", 0.2), ("wall_hue", "object_hue", 0.4)]
    dataset = correlated(shapes3d, pairs, length=200_000)
    product = density(10, 10, 0.2)[:, :, None] * density(10, 10, 0.4)
    product /= product.sum()
    assert np.abs(joint(dataset, "floor_hue", "wall_hue") - product.sum(axis=2)).max() < 1e-3
    assert np.abs(joint(dataset, "floor_hue", "object_hue") - product.sum(axis=1)).max() < 1e-3
    assert len(dataset) == 200_000


def test_a_large_sigma_draws_each_row_once(shapes3d):
    dataset = correlated(shapes3d, [("floor_hue", "wall_hue", 1e6)])
    np.testing.assert_array_equal(dataset._rows, np.arange(480_000))


@pytest.mark.parametrize("sigma", [1e-3, 5e-324])
def test_a_tiny_sigma_leaves_the_diagonal(sigma):
    dataset = correlated(numbered(), [("shape", "angle", sigma)])
    values = dataset.factors(np.arange(len(dataset)))
    # Only 0, 1/2 and 1 are values of both.
    assert {tuple(pair) for pair in values[:, [0, 2]].tolist()} == {(0, 0), (1, 2), (2, 4)}


@pytest.mark.parametrize("length", [1, 7, 60, 1000])
@pytest.mark.parametrize("seed", range(5))
def test_rows_are_drawn_the_whole_number_of_times(seed, length):
    base = numbered()
    dataset = correlated(base, [("scale", "angle", 0.3)], seed=seed, length=length)
    _, scale, angle = base.factors(np.arange(60)).T
    weights = np.exp(-((scale / 3 - angle / 4) ** 2) / (2 * 0.3**2))
    expected = length * weights / weights.sum()
    rows = shown_rows(dataset)
    counts = np.bincount(rows, minlength=60)
    assert len(rows) == length and (np.diff(rows) >= 0).all()
    assert (counts >= np.floor(expected - 1e-9)).all() and (counts <= np.ceil(expected)).all()
    np.testing.assert_array_equal(
        dataset.factors(np.arange(length)), base.factors(np.arange(60))[rows]
    )


def test_draws_are_unbiased_over_seeds():
    base = numbered()
    total = np.zeros(60)
    for seed in range(2000):
        total += np.bincount(correlated(base, [("scale", "angle", 0.3)], seed, 7)._rows, None, 60)
    _, scale, angle = base.factors(np.arange(60)).T
    weights = np.exp(-((scale / 3 - angle / 4) ** 2) / (2 * 0.3**2))
    expected = 14_000 * weights / weights.sum()
    assert (np.abs(total - expected) < 4.5 * np.sqrt(expected)).all()


def test_draws_do_not_keep_step_with_the_grid():
    # One and a half draws for each row: the last factor must not come twice at every other value.
    base = numbered((10, 10, 32), ("a", "b", "c"))
    dataset = correlated(base, [("a", "b", 1e6)], length=4800)
    counts = np.bincount(dataset.factors(np.arange(4800))[:, 2], minlength=32)
    assert counts.max() < 1.25 * counts.min()
    half = correlated(base, [("a", "b", 1e6)], length=100).factors(np.arange(100))
    assert len(set(half[:, 2])) > 25


def test_correlates_factors_that_are_no_grid():
    base = numbered(order=np.r_[0:60, 5:20])
    shifted = from_arrays(
        base.images(np.arange(75)), 10 * base.factors(np.arange(75)) - 7, list(NAMES)
    )
    pairs = [("scale", "angle", 0.3)]
    first, second = correlated(base, pairs), correlated(shifted, pairs)
    np.testing.assert_array_equal(shown_rows(first), shown_rows(second))


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "must be a list and not empty"),
        ("shape", "must be a list"),
        ([("shape", "scale")], "factor, other factor, sigma"),
        (["abc"], "factor, other factor, sigma"),
        ([("shape", "shape", 0.2)], "two different factors"),
        ([("shpe", "scale", 0.2)], "Did you mean 'shape'"),
        ([("shape", "scale", 0)], "sigma"),
        ([("shape", "scale", -1)], "sigma"),
        ([("shape", "scale", float("nan"))], "sigma"),
        ([("shape", "scale", float("inf"))], "sigma"),
        ([("shape", "scale", "0.2")], "sigma"),
    ],
)
def test_refuses_pairs(pairs, message):
    with pytest.raises(UsageError, match=message):
        correlated(numbered(), pairs)


@pytest.mark.parametrize("arguments", [{"length": 0}, {"length": 1.5}, {"seed": -1}])
def test_refuses_lengths_and_seeds(arguments):
    with pytest.raises(UsageError, match=next(iter(arguments))):
        correlated(numbered(), [("shape", "scale", 0.2)], **arguments)


@pytest.mark.parametrize(
    "combinations",
    [
        [{"shape": 2}],
        [{"shape": 2, "scale": [1, 3]}],
        [{"shape": [0, 2], "angle": 4}, {"scale": 0}],
        ({"shape": np.int64(1), "scale": np.array([1, 2]), "angle": (0, 1)},),
    ],
)
@pytest.mark.parametrize("order", [None, np.random.default_rng(0).permutation(60)[:50]])
def test_held_out_rows_are_left_out(combinations, order):
    base = numbered(order=order)

    def matches(values):
        return any(
            all(values[NAMES.index(name)] in np.atleast_1d(v) for name, v in each.items())
            for each in combinations
        )

    matching = np.array([matches(values) for values in base.factors(np.arange(len(base)))])
    rows = shown_rows(base)
    kept, left_out = held_out(base, combinations), held_out(base, combinations, complement=True)
    np.testing.assert_array_equal(shown_rows(kept), rows[~matching])
    np.testing.assert_array_equal(shown_rows(left_out), rows[matching])
    assert kept.grid is None and kept.factor_names == NAMES and kept.factor_sizes == SIZES


@pytest.mark.parametrize(
    "text", ["shape=1,scale=2,angle=3", "shape=1,angle=2..4", "angle=2..4", "shape=0;scale=1..2"]
)
def test_no_combination_is_on_both_sides(text):
    """Every row of a whole grid: what is held out never trains, and all of it is in the test."""
    seen, unseen = (variants.apply(numbered(), [f"{n}:{text}"]) for n in ("held-out", HELD_OUT))
    of = [{tuple(row) for row in d.factors(np.arange(len(d))).tolist()} for d in (seen, unseen)]
    assert not of[0] & of[1] and of[0] | of[1] == set(itertools.product(*map(range, SIZES)))
    shown = [set(shown_rows(d).tolist()) for d in (seen, unseen)]
    assert not shown[0] & shown[1] and shown[0] | shown[1] == set(range(60))


def test_held_out_says_what():
    dataset = held_out(numbered(), [{"shape": 2, "scale": [1, 3]}])
    assert dataset.provenance["variants"] == [
        {"name": "held-out", "combinations": [{"shape": [2], "scale": [1, 3]}]}
    ]
    assert "without shape=2 and scale=1+3" in dataset.description
    dataset = held_out(numbered(), [{"angle": [1, 2, 3]}, {"scale": [0, 1], "angle": 4}])
    assert "without angle=1..3 or scale=0+1 and angle=4" in dataset.description


@pytest.mark.parametrize(
    ("combinations", "message"),
    [
        ([], "must be a list and not empty"),
        ({"shape": 2}, "put it in a list"),
        ([{}], "not empty"),
        (["shape"], "must be a dictionary"),
        ([{"shpe": 2}], "Did you mean 'shape'"),
        ([{"shape": 3}], "values from 0 to 2"),
        ([{"shape": 0.5}], "must be integers"),
        ([{"shape": []}], "one value or a list"),
        ([{"shape": [0, 1, 2]}], "60 of 60"),
    ],
)
def test_refuses_combinations(combinations, message):
    with pytest.raises(UsageError, match=message):
        held_out(numbered(), combinations)


def test_refuses_combinations_that_match_nothing():
    base = from_arrays(np.full((10, 2, 2), 9, np.uint8), np.eye(10, 2, dtype=int))
    with pytest.raises(UsageError, match="0 of 10"):
        held_out(base, [{"factor_0": 1, "factor_1": 1}])


def test_subset_is_fixed_distinct_and_uniform():
    base = numbered()
    rows = shown_rows(subset(base, 20, seed=4))
    assert len(set(rows)) == 20 and (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, shown_rows(subset(base, 20, seed=4)))
    assert set(rows) != set(shown_rows(subset(base, 20, seed=5)))
    counts = np.bincount(
        np.concatenate([subset(base, 20, seed=seed)._rows for seed in range(600)]), minlength=60
    )
    # Without replacement the counts vary less than chisquare expects, by 40 of 59.
    assert 0.01 < stats.chi2.sf(((counts - 200) ** 2 / 200).sum() * 59 / 40, 59) < 0.999


def test_subset_of_all_keeps_the_grid():
    base = numbered()
    assert subset(base, 60).grid == base.grid and subset(base, 59).grid is None
    np.testing.assert_array_equal(shown_rows(subset(base, 60)), np.arange(60))


def test_draws_are_frozen():
    base = numbered()
    assert subset(base, 6, seed=1)._rows.tolist() == [10, 14, 22, 32, 51, 53]
    drawn = correlated(base, [("shape", "scale", 0.2)], seed=1, length=8)
    assert drawn._rows.tolist() == [3, 4, 6, 8, 27, 33, 55, 56]


@pytest.mark.parametrize("count", [0, 61, -1, 2.5])
def test_refuses_counts(count):
    with pytest.raises(UsageError, match="count"):
        subset(numbered(), count)


@pytest.mark.parametrize(
    ("factors", "varying", "held"),
    [
        (["shape"], (0,), {1: 2, 2: 2}),
        (["angle", "shape"], (0, 2), {1: 2}),
        (["angle", "shape=0"], (2,), {0: 0, 1: 2}),
        (["scale = 3", "shape", "angle=4"], (0,), {1: 3, 2: 4}),
        (("angle", "scale", "shape"), (0, 1, 2), {}),
    ],
)
def test_selected_factors_enumerate_a_smaller_grid(factors, varying, held):
    base = numbered()
    dataset = select_factors(base, factors)
    assert dataset.grid == FactorGrid([NAMES[i] for i in varying], [SIZES[i] for i in varying])
    assert dataset.factor_names == dataset.grid.names
    everything = base.factors(np.arange(60))
    expected = [
        row for row in range(60) if all(everything[row, i] == value for i, value in held.items())
    ]
    np.testing.assert_array_equal(shown_rows(dataset), expected)
    np.testing.assert_array_equal(
        dataset.factors(np.arange(len(dataset))), everything[expected][:, varying]
    )
    np.testing.assert_array_equal(
        dataset.grid.factors(np.arange(len(dataset))), everything[expected][:, varying]
    )
    assert dataset.provenance["variants"][0]["held"] == {NAMES[i]: v for i, v in held.items()}


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ([], "must be a list and not empty"),
        ("shape", "must be a list"),
        (["shape=1", "scale=1", "angle=1"], "At least one factor must vary"),
        (["shpe"], "Did you mean 'shape'"),
        (["shape", "shape=1"], "named once"),
        (["shape", "scale=4"], "from 0 to 3"),
        (["shape", "scale=-1"], "from 0 to 3"),
        (["shape", "scale="], "from 0 to 3"),
    ],
)
def test_refuses_factors(factors, message):
    with pytest.raises(UsageError, match=message):
        select_factors(numbered(), factors)


def test_held_factors_alone_let_all_others_vary():
    dataset = select_factors(numbered(), ["shape=1"])
    assert dataset.factor_names == NAMES[1:]
    np.testing.assert_array_equal(shown_rows(dataset), range(20, 40))


def test_selects_rows_where_there_is_no_grid():
    base = subset(numbered(), 50, seed=1)
    dataset = select_factors(base, ["scale", "angle", "shape=1"])
    rows = base.factors(np.arange(50))
    np.testing.assert_array_equal(
        dataset.factors(np.arange(len(dataset))), rows[rows[:, 0] == 1][:, 1:]
    )
    with pytest.raises(UsageError, match=r"No image of .* has shape=0, angle=2"):
        select_factors(held_out(numbered(), [{"shape": 0, "angle": 2}]), ["shape=0", "angle=2"])


def test_labels_stand_for_values():
    base = load("dsprites", source="rendered", image_size=32)
    assert base.factor_texts(-1) == {
        "shape": "heart",
        "scale": "1.0",
        "orientation": "360°",
        "position_x": 31,
        "position_y": 31,
    }
    for labelled, numbered_ in (("shape=heart", "shape=2"), ("scale=0.6", "scale=1")):
        texts = [["orientation", each] for each in (labelled, numbered_)]
        first, second = (select_factors(base, each) for each in texts)
        np.testing.assert_array_equal(first._rows, second._rows)
        first, second = (
            variants.apply(base, [f"held-out-only:{each}"]) for each in (labelled, numbered_)
        )
        assert first.provenance == second.provenance
    with pytest.raises(UsageError, match=r"square, ellipse, heart.*'shape=circle'"):
        select_factors(base, ["orientation", "shape=circle"])
    with pytest.raises(UsageError, match=r"square, ellipse, heart.*'circle'"):
        variants.apply(base, ["held-out:shape=circle"])


def test_hidden_factors_vary_unseen():
    base = numbered()
    dataset = hidden(base, ["scale"])
    assert dataset.grid is None and dataset.factor_names == ("shape", "angle")
    assert dataset.factor_sizes == (3, 5)
    np.testing.assert_array_equal(shown_rows(dataset), np.arange(60))
    np.testing.assert_array_equal(
        dataset.factors(np.arange(60)), base.factors(np.arange(60))[:, [0, 2]]
    )
    with pytest.raises(UsageError, match="Unknown factor 'scale'"):
        hidden(dataset, ["scale"])


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ([], "must be a list and not empty"),
        (["shpe"], "Did you mean 'shape'"),
        (list(NAMES), "At least one factor must remain"),
    ],
)
def test_refuses_to_hide(factors, message):
    with pytest.raises(UsageError, match=message):
        hidden(numbered(), factors)


@pytest.mark.parametrize(
    "variant",
    [
        lambda dataset: correlated(dataset, [("a", "b", 0.2)]),
        lambda dataset: held_out(dataset, [{"a": 1}]),
        lambda dataset: hidden(dataset, ["a"]),
    ],
)
def test_needs_factors(variant):
    with pytest.raises(UsageError, match="no factors"):
        variant(from_arrays(np.zeros((4, 2, 2), np.uint8)))


def test_takes_a_subset_without_factors():
    dataset = subset(from_arrays(np.arange(5, dtype=np.uint8)[:, None, None].repeat(2, 1)), 3)
    assert len(dataset) == 3 and dataset.factor_names is None
    with pytest.raises(UsageError, match="has no factors"):
        dataset.factors([0])


def test_keeps_what_the_base_is():
    base = load("dsprites", source="rendered", image_size=32)
    dataset = subset(base, 100)
    assert dataset.is_binary and dataset.name == "dsprites" and dataset.chunk_rows == 1
    assert dataset.image_shape == base.image_shape
    assert dataset.provenance["renderer"] == "dsprites" and "variants" not in base.provenance
    assert "100 images of 32x32x1 (random 100 of 737,280)" in dataset.description
    base.chunk_rows = 73_728
    assert subset(base, 100).chunk_rows == 10


def test_chains_of_all():
    base = numbered((3, 4, 5, 2), ("shape", "scale", "angle", "light"))
    dataset = select_factors(base, ["shape", "scale", "angle"])
    dataset = held_out(dataset, [{"shape": 0}])
    dataset = correlated(dataset, [("scale", "angle", 0.5)], length=100)
    dataset = hidden(subset(dataset, 30, seed=2), ["scale"])
    rows, values = shown_rows(dataset), dataset.factors(np.arange(30))
    np.testing.assert_array_equal(values, base.factors(rows)[:, [0, 2]])
    # The middle of two lights is the second.
    assert (rows % 2 == 1).all() and set(values[:, 0]) == {1, 2}
    coloured = colour(dataset)
    np.testing.assert_array_equal(coloured.factors(np.arange(30)), values)
    assert [entry["name"] for entry in coloured.provenance["variants"]] == [
        "select-factors",
        "held-out",
        "correlated",
        "subset",
        "hidden",
        "colour",
    ]
    assert coloured.factor_names == ("shape", "angle") and coloured.grid is None
    assert coloured.description.count(";") == 6
