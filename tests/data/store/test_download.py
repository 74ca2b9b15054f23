import dataclasses
import json

import numpy as np
import pytest
from data_folder import unfinished, visible

from keras_devae.data import info, load, prepare
from keras_devae.data.builtin import catalogue
from keras_devae.data.builtin.declaration import PublishedFile
from keras_devae.errors import FailureError


def test_downloads_once_and_after_a_failure(shapes3d_h5, root, server):
    path, images, _ = shapes3d_h5()
    server.answers = [(404, b"gone"), (200, path.read_bytes())]
    with pytest.raises(FailureError) as error:
        prepare("shapes3d", data_dir=root, url=server.url)
    for words in ("404", server.url, str(root / "3dshapes.h5"), "by hand"):
        assert words in str(error.value)
    assert visible(root) == unfinished(root) == []
    calls = []
    store = prepare(
        "shapes3d", data_dir=root, url=server.url, progress=lambda *call: calls.append(call)
    )
    assert (path.stat().st_size, path.stat().st_size, "Downloading 3dshapes.h5") in calls
    assert visible(root) == ["3dshapes.h5", "shapes3d"] and unfinished(root) == []
    np.testing.assert_array_equal(np.load(store / "images.npy"), images)
    server.answers = [(500, b"")]
    assert prepare("shapes3d", data_dir=root, url=server.url) == store
    assert len(server.requests) == 2


def test_force_downloads_and_converts_again(dsprites_npz, root, server, monkeypatch):
    monkeypatch.setenv("KERAS_DEVAE_DSPRITES_URL", server.url)
    path, images, _ = dsprites_npz()
    server.answers = [(200, path.read_bytes())]
    prepare("dsprites", data_dir=root)
    path, _, _ = dsprites_npz(imgs=1 - images)
    server.answers = [(200, path.read_bytes())]
    prepare("dsprites", data_dir=root, force=True)
    changed = load("dsprites", data_dir=root).images([0])[0, ..., 0]
    np.testing.assert_array_equal(changed, 255 * (1 - images[0]))
    assert visible(root) == ["dsprites", path.name] and unfinished(root) == []


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_refuses_a_broken_download(shapes3d_h5, root, server, kept):
    content = shapes3d_h5()[0].read_bytes()
    server.answers = [(200, content[: int(kept * len(content))])]
    with pytest.raises(FailureError, match="truncated"):
        prepare("shapes3d", data_dir=root, url=server.url)
    assert visible(root) == unfinished(root) == []


def test_load_official_fetches_what_is_missing(shapes3d_h5, root, server, monkeypatch):
    path, images, _ = shapes3d_h5()
    monkeypatch.setenv("KERAS_DEVAE_SHAPES3D_URL", server.url)
    server.answers = [(200, path.read_bytes())]
    assert load("shapes3d", data_dir=root).provenance["source"] == "rendered"
    assert server.requests == []
    dataset = load("shapes3d", source="official", data_dir=root)
    np.testing.assert_array_equal(dataset.images([7]), images[[7]])
    assert len(server.requests) == 1 and info("shapes3d", root)["prepared"]


def test_load_official_says_what_is_missing_without_network(tmp_path):
    with pytest.raises(FailureError) as error:
        load("shapes3d", source="official", data_dir=tmp_path)
    for words in (
        str(tmp_path / "shapes3d"),
        str(tmp_path / "3dshapes.h5"),
        "https://storage.googleapis.com/3d-shapes/3dshapes.h5",
    ):
        assert words in str(error.value)


@pytest.mark.parametrize("status", [404, 500, 503])
def test_says_that_a_server_refuses(status, root, server):
    server.answers = [(status, b"no")]
    with pytest.raises(FailureError, match=rf"{status}.*get 3dshapes\.h5 from https"):
        prepare("shapes3d", data_dir=root, url=server.url)
    assert visible(root) == unfinished(root) == []


def test_a_download_that_breaks_off_goes_on(shapes3d_h5, root, server):
    path, images, _ = shapes3d_h5()
    content = path.read_bytes()
    server.answers, server.etag, server.cut_after = [(200, content)], '"first"', 200_000
    with pytest.raises(FailureError, match=r"196,608 bytes have arrived and are kept"):
        prepare("shapes3d", data_dir=root, url=server.url)
    assert visible(root) == []
    store = prepare("shapes3d", data_dir=root, url=server.url)
    assert server.requests[1]["Range"] == "bytes=196608-"
    np.testing.assert_array_equal(np.load(store / "images.npy"), images)
    assert (root / "3dshapes.h5").read_bytes() == content and unfinished(root) == []


def test_a_download_starts_again_where_the_file_has_changed(shapes3d_h5, root, server):
    path, images, _ = shapes3d_h5()
    server.answers, server.etag, server.cut_after = [(200, bytes(300_000))], '"first"', 100_000
    with pytest.raises(FailureError, match="kept"):
        prepare("shapes3d", data_dir=root, url=server.url)
    server.answers, server.etag = [(200, path.read_bytes())], '"second"'
    store = prepare("shapes3d", data_dir=root, url=server.url)
    np.testing.assert_array_equal(np.load(store / "images.npy"), images)


def test_a_download_that_was_whole_but_not_in_place_is_used(shapes3d_h5, root, server):
    path, images, _ = shapes3d_h5()
    content = path.read_bytes()
    root.mkdir(parents=True)
    (root / ".3dshapes.h5.keras-devae-part").write_bytes(content)
    record = {"url": server.url, "validator": '"first"'}
    (root / ".3dshapes.h5.keras-devae-part.json").write_text(json.dumps(record))
    server.answers, server.etag = [(200, content)], '"first"'
    store = prepare("shapes3d", data_dir=root, url=server.url)
    np.testing.assert_array_equal(np.load(store / "images.npy"), images)


def test_a_download_without_a_mark_of_its_content_starts_again(shapes3d_h5, root, server):
    path, images, _ = shapes3d_h5()
    server.answers, server.cut_after = [(200, path.read_bytes())], 100_000
    with pytest.raises(FailureError, match="arrived"):
        prepare("shapes3d", data_dir=root, url=server.url)
    store = prepare("shapes3d", data_dir=root, url=server.url)
    assert "Range" not in server.requests[1]
    np.testing.assert_array_equal(np.load(store / "images.npy"), images)


@pytest.mark.parametrize("fact", ["sha256", "md5", "num_bytes"])
def test_refuses_a_download_that_is_not_the_published_file(
    shapes3d_h5, root, server, monkeypatch, fact
):
    path, images, _ = shapes3d_h5()
    monkeypatch.delenv("KERAS_DEVAE_SHAPES3D_URL")
    known = catalogue.builtin_set("shapes3d")
    facts = {
        "sha256": {"sha256": "0" * 64},
        "md5": {"md5": "0" * 32},
        "num_bytes": {"num_bytes": 9},
    }
    for wrong, message in ((facts[fact], "and not the published|were expected"), ({}, None)):
        file = PublishedFile("3dshapes.h5", server.url, **wrong)
        changed = dataclasses.replace(known, files=(file,))
        monkeypatch.setitem(catalogue.BUILTIN_SETS, "shapes3d", changed)
        server.answers = [(200, path.read_bytes())]
        if message:
            with pytest.raises(FailureError, match=message):
                prepare("shapes3d", data_dir=root)
            assert visible(root) == unfinished(root) == []
        else:
            store = prepare("shapes3d", data_dir=root)
            np.testing.assert_array_equal(np.load(store / "images.npy"), images)
