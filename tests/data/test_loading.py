import ast
import json
from pathlib import Path

import numpy as np
import pytest

import keras_devae.data
from keras_devae.data import info, load, names
from keras_devae.errors import UsageError


def test_says_which_source_it_is():
    assert load("dsprites").description == (
        "dsprites: built-in renderer, version 1, 737,280 images of 64x64x1 "
        "(the official file is not prepared here)"
    )
    assert load("shapes3d", source="rendered", image_size=32).description == (
        "shapes3d: built-in renderer, version 1, 480,000 images of 32x32x3"
    )


def test_provenance_can_be_written_as_json():
    provenance = load("dsprites", image_size=128).provenance
    assert json.loads(json.dumps(provenance)) == {
        "source": "rendered",
        "renderer": "dsprites",
        "renderer_version": 1,
        "image_size": 128,
    }


def test_drops_the_duplicate_orientation_and_keeps_the_order():
    full, dropped = load("dsprites"), load("dsprites", drop_duplicate_orientation=True)
    assert len(dropped) == 718_848 and dropped.factor_sizes == (3, 6, 39, 32, 32)
    kept = np.flatnonzero(full.factors(np.arange(len(full)))[:, 2] != 39)
    rows = np.random.default_rng(0).integers(0, len(dropped), 200)
    np.testing.assert_array_equal(dropped.factors(rows), full.factors(kept[rows]))
    np.testing.assert_array_equal(dropped.images(rows), full.images(kept[rows]))
    assert dropped.provenance["drop_duplicate_orientation"] is True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "shape3d"}, "Did you mean 'shapes3d'"),
        ({"name": "fodler:x"}, "folder:PATH"),
        ({"name": "dsprites", "source": "oficial"}, "Did you mean 'official'"),
        ({"name": "dsprites", "image_size": 48}, "32, 64, 128"),
        ({"name": "dsprites", "image_size": 32, "source": "official"}, "64 pixels per side"),
        ({"name": "dsprites", "source": "rendered", "path": "x"}, "path"),
        ({"name": "npz:x", "source": "official"}, "belong to dsprites"),
        ({"name": "shapes3d", "drop_duplicate_orientation": True}, "Only dSprites"),
        ({"name": "cars3d", "image_size": 96}, "64 or 128 pixels per side"),
        ({"name": "dsprites", "factors_file": "x.csv"}, "images of your own"),
        ({"name": "npz:x", "skip_damaged": True}, "folders of pictures"),
        ({"name": "npz:"}, "Name a file behind the colon"),
        ({"name": "dsprites", "variants": "colour"}, "list of texts"),
        ({"name": "dsprites", "variants": (v for v in ["color"])}, "Did you mean 'colour'"),
        ({"name": "dsprites", "variants": ["color"]}, "Did you mean 'colour'"),
    ],
)
def test_refuses_wrong_arguments(arguments, message):
    with pytest.raises(UsageError, match=message):
        load(**arguments)


@pytest.mark.parametrize("name", ["dsprites", "shapes3d"])
def test_info_describes_what_the_renderer_draws(name):
    facts, dataset = info(name), load(name)
    assert facts["factors"] == dict(zip(dataset.factor_names, dataset.factor_sizes, strict=True))
    assert facts["images"] == len(dataset) and facts["image_shape"] == dataset.image_shape
    assert facts["licence"] == "Apache-2.0" and facts["drawn"] and not facts["prepared"]


@pytest.mark.parametrize("name", names())
def test_info_says_who_made_it_and_where_it_is(name):
    facts = info(name, "here")
    assert facts["images"] == np.prod(list(facts["factors"].values()))
    assert facts["licence"] and facts["citation"].endswith((".", "dataset", "shapes"))
    for file in facts["files"]:
        published = {"mpi3d_real.npz": "real.npz"}.get(file["name"], file["name"])
        assert file["url"].endswith(f"/{published}") and file["url"].startswith("http")
        assert len(file["sha256"] or "") == 64 or len(file["md5"] or "") == 32
    assert facts["path"] == str(Path("here") / name) and not facts["prepared"]
    assert json.loads(json.dumps(facts))["name"] == name


def test_published_sizes_of_the_sets():
    assert {name: info(name)["images"] for name in names()} == {
        "dsprites": 737_280,
        "shapes3d": 480_000,
        "cars3d": 17_568,
        "smallnorb": 48_600,
        "mpi3d_toy": 1_036_800,
        "mpi3d_realistic": 1_036_800,
        "mpi3d_real": 1_036_800,
    }
    assert len(info("smallnorb")["files"]) == 6


def test_says_how_to_get_a_set_that_cannot_be_drawn(tmp_path):
    for source in ("auto", "rendered"):
        with pytest.raises(UsageError, match=r"data prepare cars3d.*nips2015-analogy-data"):
            load("cars3d", source=source, data_dir=tmp_path)


def test_variants_may_come_from_a_generator():
    dataset = load("dsprites", variants=(name for name in ["noise"]))
    assert dataset.image_shape == (64, 64, 3)


def test_names_no_backend():
    for file in Path(keras_devae.data.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules = {node.module}
            else:
                continue
            assert not {"keras", "tensorflow", "jax", "torch"} & {m.split(".")[0] for m in modules}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("clocks", "'folder:clocks' or 'npz:clocks.npz'"),
        ("./clocks", "'folder:./clocks' or 'npz:./clocks.npz'"),
        ("clocks.npz", "'npz:clocks.npz'"),
        ("dials.npy", "'npy:dials.npy'"),
        ("dials", "'npy:dials.npy'"),
        ("dsprite", "'dsprites'"),
    ],
)
def test_paths_without_their_kind_are_suggested_with_it(typed, meant, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clocks").mkdir()
    for name in ("clocks.npz", "dials.npy"):
        (tmp_path / name).touch()
    for ask in (load, keras_devae.data.outline, info):
        with pytest.raises(UsageError) as refusal:
            ask(typed)
        assert f"Did you mean {meant}? Known" in str(refusal.value)
    with pytest.raises(UsageError, match=r"data set ' '\. Known"):
        load(" ")
