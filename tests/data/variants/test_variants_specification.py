import json
import os

import numpy as np
import pytest
from PIL import Image

from keras_devae.data import from_arrays, variants
from keras_devae.data.variants import VARIANTS, apply, canonical, check
from keras_devae.errors import UsageError


@pytest.fixture
def dataset():
    factors = np.indices((3, 6, 5)).reshape(3, -1).T
    pixels = np.random.default_rng(0).integers(0, 2, (90, 8, 8), dtype=np.uint8) * 255
    return from_arrays(pixels, factors, ["shape", "scale", "angle"])


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "my, pictures; seed=1"
    path.mkdir()
    Image.new("RGB", (20, 20), "teal").save(path / "one.png")
    return path


def meaning(text, folder):
    """What a text should mean, as a call."""
    return {
        "colour": lambda d: variants.colour(d),
        "colour:seed=3": lambda d: variants.colour(d, seed=3),
        "noise": lambda d: variants.noise(d),
        "noise:seed=12": lambda d: variants.noise(d, seed=12),
        "background:FOLDER": lambda d: variants.background(d, folder),
        "background:FOLDER,seed=3": lambda d: variants.background(d, folder, seed=3),
        "subset:10": lambda d: variants.subset(d, 10),
        "subset:10,seed=3": lambda d: variants.subset(d, 10, seed=3),
        "hidden:angle": lambda d: variants.hidden(d, ["angle"]),
        "hidden:angle, shape": lambda d: variants.hidden(d, ["angle", "shape"]),
        "correlated:shape,scale,0.2": lambda d: variants.correlated(d, [("shape", "scale", 0.2)]),
        "correlated:shape,scale,2e-1;scale,angle,1,length=50,seed=3": lambda d: variants.correlated(
            d, [("shape", "scale", 0.2), ("scale", "angle", 1)], seed=3, length=50
        ),
        "held-out:shape=2,scale=4+5": lambda d: variants.held_out(
            d, [{"shape": 2, "scale": [4, 5]}]
        ),
        "held-out:shape=2;shape=0,scale=4": lambda d: variants.held_out(
            d, [{"shape": 2}, {"shape": 0, "scale": 4}]
        ),
        "held-out:shape=0+2,scale=1..3+5": lambda d: variants.held_out(
            d, [{"shape": [0, 2], "scale": [1, 2, 3, 5]}]
        ),
        "held-out-only:shape=2,scale=4+5": lambda d: variants.held_out(
            d, [{"shape": 2, "scale": [4, 5]}], complement=True
        ),
    }[text]


TEXTS = [
    "colour",
    "colour:seed=3",
    "noise",
    "noise:seed=12",
    "background:FOLDER",
    "background:FOLDER,seed=3",
    "subset:10",
    "subset:10,seed=3",
    "hidden:angle",
    "hidden:angle, shape",
    "correlated:shape,scale,0.2",
    "correlated:shape,scale,2e-1;scale,angle,1,length=50,seed=3",
    "held-out:shape=2,scale=4+5",
    "held-out:shape=2;shape=0,scale=4",
    "held-out:shape=0+2,scale=1..3+5",
    "held-out-only:shape=2,scale=4+5",
]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_mean_calls(text, dataset, folder):
    written = text.replace("FOLDER", str(folder))
    check([written])
    made, expected = apply(dataset, [written]), meaning(text, folder)(dataset)
    assert made.provenance == expected.provenance and made.description == expected.description
    rows = np.arange(len(expected))
    np.testing.assert_array_equal(made.images(rows), expected.images(rows))
    np.testing.assert_array_equal(made.factors(rows), expected.factors(rows))
    assert json.loads(json.dumps(made.provenance)) == made.provenance


def test_every_variant_is_tried():
    assert {text.partition(":")[0] for text in TEXTS} == set(VARIANTS)


def test_usages_in_errors_are_right():
    check([kind.usage for kind in VARIANTS.values()])


def test_applies_in_order(dataset):
    made = apply(dataset, ["subset:20", "colour", "hidden:angle"])
    assert [entry["name"] for entry in made.provenance["variants"]] == [
        "subset",
        "colour",
        "hidden",
    ]
    assert made.factor_names == ("shape", "scale") and made.image_shape == (8, 8, 3)
    first = apply(dataset, ["held-out-only:shape=2", "subset:20"])
    assert len(first) == 20 and set(first.factors(np.arange(20))[:, 0]) == {2}
    with pytest.raises(UsageError, match="Unknown factor 'angle'"):
        apply(dataset, ["hidden:angle", "held-out:angle=2"])


def test_applies_none(dataset):
    assert apply(dataset, []) is dataset and canonical([]) == ()
    check(())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("color", "Unknown variant 'color'.*Did you mean 'colour'"),
        ("held_out:shape=2", "Did you mean 'held-out'"),
        ("", "Unknown variant ''"),
        ("colour:red", "takes no arguments.*colour:seed=3"),
        ("colour:seed=x", "takes no arguments"),
        ("colour:seed=-1", "takes no arguments"),
        ("noise:seed=1,seed=2", "takes no arguments"),
        (f"noise:seed={2**64}", "below"),
        ("background", "needs a folder"),
        ("background:,seed=1", "needs a folder"),
        ("subset", "needs a number"),
        ("subset:many", "needs a number"),
        ("subset:1.5", "needs a number"),
        ("subset:0", "count"),
        ("subset:10,length=3", "needs a number"),
        ("hidden", "needs names"),
        ("hidden:a,,b", "needs names"),
        ("correlated", "two factors and a sigma"),
        ("correlated:a,b", "two factors and a sigma"),
        ("correlated:a,b,c", "two factors and a sigma"),
        ("correlated:a,b,0.2;", "two factors and a sigma"),
        ("correlated:a,b,c,0.2", "two factors and a sigma"),
        ("correlated:a,b,0", "sigma"),
        ("correlated:a,b,inf", "sigma"),
        ("correlated:a,a,0.2", "two different"),
        ("correlated:a,b,0.2,length=0", "length"),
        ("held-out", "needs factors"),
        ("held-out:shape", "needs factors"),
        ("held-out:shape=", "needs factors"),
        ("held-out:=2", "needs factors"),
        ("held-out:shape=2+", "needs factors"),
        ("held-out:shape=2,shape=1", "each once"),
        ("held-out-only:shape=2;", "needs factors"),
        ("held-out:shape=2..1", "goes upwards.*2\\.\\.1"),
        ("held-out:shape=0..99999999999", "at most 10,000 values"),
    ],
)
def test_checks_texts_without_a_data_set(text, message, dataset):
    for function in (check, canonical, lambda texts: apply(dataset, texts)):
        with pytest.raises(UsageError, match=message):
            function(["noise", text])


def test_refuses_a_single_text(dataset):
    for function in (check, canonical, lambda text: apply(dataset, text)):
        with pytest.raises(UsageError, match="must be a list of texts"):
            function("noise")


def test_a_factor_may_be_called_seed():
    dataset = from_arrays(np.zeros((6, 2, 2), np.uint8), np.arange(6)[:, np.newaxis] % 3, ["seed"])
    assert len(apply(dataset, ["held-out:seed=2"])) == 4


def test_canonical_folders_are_absolute(dataset, folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    texts = ("subset:10,seed=3", f"background:{folder.name},seed=2", "noise")
    absolute = canonical(texts)
    assert absolute == ("subset:10,seed=3", f"background:{folder},seed=2", "noise")
    assert canonical(list(absolute)) == absolute
    expected = apply(dataset, texts).images([0, 5])
    monkeypatch.chdir(os.sep)
    np.testing.assert_array_equal(apply(dataset, absolute).images([0, 5]), expected)


def test_canonical_knows_the_home_folder(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    assert canonical(["background:~/x"]) == (f"background:{folder.parent}/x",)
