import warnings

import numpy as np
import pytest

from keras_devae import data
from keras_devae.data import from_arrays
from keras_devae.errors import UsageError


def read(columns, **options):
    names, values = list(columns), list(columns.values())
    pixels = np.random.default_rng(0).integers(0, 256, (len(values[0]), 2, 2), np.uint8)
    rows = [list(row) for row in zip(*values, strict=True)]
    return from_arrays(pixels, np.array(rows, object), names, **options)


def columns_of(dataset, method):
    values = getattr(dataset, method)(np.arange(len(dataset)))
    return dict(zip(dataset.factor_names, values.T.tolist(), strict=True))


def test_each_kind_of_column_keeps_what_it_says():
    dataset = read(
        {
            "colour": ["red", "blue", "red", "green"],
            "size": ["size 10", "size 2", "Size 1", "size 2"],
            "width": [10, 20, 30, 20],
            "scale": [0.5, 1, 1.5, 1],
            "lit": [True, False, False, True],
        }
    )
    assert columns_of(dataset, "factors") == {
        "colour": [2, 0, 2, 1],
        "size": [2, 1, 0, 1],
        "width": [10, 20, 30, 20],
        "scale": [0, 1, 2, 1],
        "lit": [1, 0, 0, 1],
    }
    assert columns_of(dataset, "factor_values")["scale"] == [0.5, 1, 1.5, 1]
    assert columns_of(dataset, "factor_values")["width"] == [10, 20, 30, 20]
    assert dataset.factor_labels == {
        "colour": ("blue", "green", "red"),
        "size": ("Size 1", "size 2", "size 10"),
        "scale": ("0.5", "1", "1.5"),
        "lit": ("False", "True"),
    }
    assert dataset.nominal_factors == ("colour", "size", "lit")
    assert dataset.continuous_factors == ()
    assert dataset.provenance["factor_levels"] == {"scale": [0.5, 1, 1.5]}
    assert dataset.provenance["factor_kinds"]["width"] == "numbers"


@pytest.mark.parametrize(
    ("values", "is_continuous"),
    [
        (np.random.default_rng(0).random(100), True),
        (np.arange(10) / 3, False),
        (np.arange(11) / 3, True),
        (np.tile(np.arange(40) / 3, 3), False),
        (np.tile(np.arange(40) / 3, 3)[:-1], True),
        (np.tile(np.arange(1001) / 3, 12), True),
        (np.arange(1000), False),
        (np.arange(1001), True),
        (np.tile(np.arange(1001), 10), False),
    ],
)
def test_the_documented_rule_tells_levels_from_quantities(values, is_continuous):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        dataset = read({"x": values.tolist()})
    assert (dataset.continuous_factors == ("x",)) == is_continuous == (len(seen) == 1)
    np.testing.assert_array_equal(dataset.factor_values(np.arange(len(values)))[:, 0], values)


def test_kinds_can_be_given():
    columns = {
        "year": [2001, 2002, 2003] * 2,
        "code": ["1a", "2", "3"] * 2,
        "id": [*"abcdef"],
        "x": [1, 2, 4] * 2,
    }
    kinds = {"year": "classes", "code": "classes", "id": "ignore", "x": "continuous"}
    dataset = read(columns, factor_kinds=kinds, bins={"x": 3})
    assert dataset.factor_names == ("year", "code", "x")
    assert dataset.nominal_factors == ("year", "code")
    assert dataset.factor_labels["year"] == ("2001", "2002", "2003")
    assert dataset.factor_labels["x"] == ("[1, 2)", "[2, 3)", "[3, 4]")


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"y": "classes"}, "factor 'y'.*x"),
        ({"x": "colour"}, "kind of a factor.*colour"),
        ({"x": "continuous"}, "'x' consists of words"),
        ("classes", "must map names"),
    ],
)
def test_refuses_other_kinds(kinds, message):
    with pytest.raises(UsageError, match=message):
        read({"x": ["a", "b"]}, factor_kinds=kinds)


def test_leaves_out_words_that_name_the_images():
    names = [f"picture {row}" for row in range(150)]
    with pytest.warns(UserWarning, match="'id' has 150 different words.*'classes'"):
        dataset = read({"id": names, "x": [0, 1, 2] * 50})
    assert dataset.factor_names == ("x",)
    with pytest.warns(UserWarning), pytest.raises(UsageError, match="No factor is left"):
        read({"id": names})


def test_a_column_of_sequences_is_no_factor(tmp_path):
    dataset = read({"video": ["b", "a", "b"], "x": [0, 1, 2]}, sequence_column="video")
    assert dataset.factor_names == ("x",) and dataset.sequences.tolist() == [1, 0, 1]
    assert data.variants.subset(dataset, 2, seed=1).sequences.shape == (2,)
    only = read({"video": [7, 3, 7]}, sequence_column="video")
    assert only.factor_names is None and only.sequences.tolist() == [1, 0, 1]
    with pytest.raises(UsageError, match=r"no column 'clip'.*Known: video, x"):
        read({"video": ["b", "a"], "x": [0, 1]}, sequence_column="clip")
    np.save(tmp_path / "x.npy", np.arange(12, dtype=np.uint8).reshape(3, 2, 2) * 20)
    table = tmp_path / "f.csv"
    table.write_text("video\nb\na\nb\n")
    name = f"npy:{tmp_path / 'x.npy'}"
    assert data.load(name, factors_file=table, sequence_column="video").sequences.tolist() == [
        1,
        0,
        1,
    ]
    assert not data.has_factors(name, table, "video") and data.has_factors(name, table)
