"""What follows from the declaration of a built-in data set."""

import dataclasses

import numpy as np
import pytest

from keras_devae.data import info, load, names, outline, prepare, verify
from keras_devae.data.builtin import catalogue
from keras_devae.data.builtin.declaration import BuiltinSet
from keras_devae.data.builtin.rendered import Renderer
from keras_devae.data.factor_grid import FactorGrid
from keras_devae.errors import UsageError


class GreyRenderer(Renderer):
    name = "greys"
    version = 3
    channels = 2
    grid = FactorGrid(("grey", "shade"), (4, 5))

    def render(self, factors):
        greys = np.array(10 * factors[:, 0] + factors[:, 1], np.uint8)
        return np.broadcast_to(greys[:, None, None, None], (len(factors), *self.image_shape))


@pytest.fixture
def drawn_only(monkeypatch):
    """A set of the catalogue that was never published."""
    declaration = BuiltinSet(
        name="greys",
        title="Greys",
        grid=GreyRenderer.grid,
        licence="CC0-1.0",
        citation="Nobody",
        homepage="https://example.org",
        renderer=GreyRenderer,
    )
    monkeypatch.setitem(catalogue.BUILTIN_SETS, "greys", declaration)


def test_a_set_without_files_is_drawn_under_every_source_but_the_official_one(drawn_only):
    assert names()[-1] == "greys"
    for source in ("auto", "rendered"):
        data = load("greys", source=source, image_size=32)
        assert data.description == "greys: built-in renderer, version 3, 20 images of 32x32x2"
        assert data.images([7])[0, 0, 0].tolist() == [12, 12]
    assert outline("greys").image_shape == (64, 64, 2)


def test_a_set_without_files_is_described(drawn_only):
    facts = info("greys")
    assert facts["drawn"] and not facts["files"] and not facts["prepared"]
    assert facts["image_shape"] == (64, 64, 2) and facts["factors"] == {"grey": 4, "shade": 5}


@pytest.mark.parametrize(
    "call",
    [
        lambda folder: load("greys", source="official"),
        lambda folder: load("greys", path=folder),
        lambda folder: outline("greys", source="official"),
        lambda folder: prepare("greys", data_dir=folder),
        lambda folder: verify("greys", data_dir=folder),
    ],
)
def test_files_of_a_set_without_files_are_refused(drawn_only, call, tmp_path):
    with pytest.raises(UsageError, match="Greys has no published files: it is always drawn"):
        call(tmp_path)


@pytest.mark.parametrize("name", names())
def test_declarations_agree_with_their_renderers_and_readers(name):
    declaration = catalogue.builtin_set(name)
    assert declaration.name == name
    assert declaration.reader.factor_names == declaration.grid.names
    assert declaration.files and all(file.addresses for file in declaration.files)
    if declaration.renderer is not None:
        renderer = declaration.renderer(32)
        assert (renderer.name, renderer.grid) == (name, declaration.grid)
        assert renderer.image_shape == declaration.image_shape(32)


@pytest.mark.parametrize(
    ("hashes", "best"),
    [
        ({}, None),
        ({"md5": "a"}, ("md5", "a")),
        ({"sha256": "b"}, ("sha256", "b")),
        ({"md5": "a", "sha256": "b"}, ("sha256", "b")),
    ],
)
def test_the_best_hash_of_a_file_counts(hashes, best):
    file = catalogue.builtin_set("dsprites").files[0]
    known = dataclasses.replace(file, **{"md5": None, "sha256": None, **hashes})
    assert known.published_hash == best
