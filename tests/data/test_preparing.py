import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from keras_devae.data import info, load, prepare
from keras_devae.errors import FailureError, UsageError


@pytest.fixture
def root(tmp_path):
    return tmp_path / "new" / "folder"


def test_converts_dsprites_to_packed_bits(dsprites_npz, root):
    path, images, classes = dsprites_npz()
    calls = []
    store = prepare(
        "dsprites", from_file=path, data_dir=root, progress=lambda *call: calls.append(call)
    )
    assert store == root / "dsprites" and calls[-1] == (48, 48, f"Converting {path.name}")
    packed = np.load(store / "images.npy")
    np.testing.assert_array_equal(packed, np.packbits(images.reshape(48, -1), axis=1))
    np.testing.assert_array_equal(np.load(store / "factors.npy"), classes)
    dataset = load("dsprites", data_dir=root)
    np.testing.assert_array_equal(dataset.images([3, -1, 3])[..., 0], 255 * images[[3, -1, 3]])
    np.testing.assert_array_equal(dataset.factors([-1]), classes[[-1]])
    assert dataset.grid.sizes == (3, 2, 2, 2, 2)


def test_converts_shapes3d(shapes3d_h5, root):
    path, images, numbers = shapes3d_h5()
    store = prepare("shapes3d", from_file=path.parent, data_dir=root)
    np.testing.assert_array_equal(np.load(store / "images.npy"), images)
    dataset = load("shapes3d", source="official", data_dir=root)
    rows = [5, 2, 2, -1, 0]
    np.testing.assert_array_equal(dataset.images(rows), images[rows])
    np.testing.assert_array_equal(dataset.factors(rows), numbers[rows])


def test_records_where_the_images_come_from(shapes3d_h5, root):
    path, _, _ = shapes3d_h5()
    store = prepare("shapes3d", from_file=path, data_dir=root)
    record = json.loads((store / "store.json").read_text())
    dataset = load("shapes3d", data_dir=root)
    assert record["bytes"] == path.stat().st_size and record["matches_published"] is False
    assert dataset.provenance == {
        "source": "official",
        "file": "3dshapes.h5",
        "bytes": record["bytes"],
        "sha256": record["sha256"],
        "matches_published": False,
    }
    assert "3dshapes.h5" in dataset.description and "not the published one" in dataset.description
    assert info("shapes3d", root)["prepared"] and not info("dsprites", root)["prepared"]


def test_downloads_once_and_after_a_failure(shapes3d_h5, root, server):
    path, images, _ = shapes3d_h5()
    server.answers = [(404, b"gone"), (200, path.read_bytes())]
    with pytest.raises(FailureError) as error:
        prepare("shapes3d", data_dir=root, url=server.url)
    for words in ("404", server.url, str(root / "3dshapes.h5"), "by hand"):
        assert words in str(error.value)
    assert list(root.iterdir()) == []
    calls = []
    store = prepare(
        "shapes3d", data_dir=root, url=server.url, progress=lambda *call: calls.append(call)
    )
    assert (path.stat().st_size, path.stat().st_size, "Downloading 3dshapes.h5") in calls
    assert sorted(item.name for item in root.iterdir()) == ["3dshapes.h5", "shapes3d"]
    np.testing.assert_array_equal(np.load(store / "images.npy"), images)
    server.answers = [(500, b"")]
    assert prepare("shapes3d", data_dir=root, url=server.url) == store
    assert server.requests == 2


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
    assert {item.name for item in root.iterdir()} == {path.name, "dsprites"}


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_refuses_a_broken_download(shapes3d_h5, root, server, kept):
    content = shapes3d_h5()[0].read_bytes()
    server.answers = [(200, content[: int(kept * len(content))])]
    with pytest.raises(FailureError, match="truncated"):
        prepare("shapes3d", data_dir=root, url=server.url)
    assert list(root.iterdir()) == []


def test_load_official_fetches_what_is_missing(shapes3d_h5, root, server, monkeypatch):
    path, images, _ = shapes3d_h5()
    monkeypatch.setenv("KERAS_DEVAE_SHAPES3D_URL", server.url)
    server.answers = [(200, path.read_bytes())]
    assert load("shapes3d", data_dir=root).provenance["source"] == "rendered"
    assert server.requests == 0
    dataset = load("shapes3d", source="official", data_dir=root)
    np.testing.assert_array_equal(dataset.images([7]), images[[7]])
    assert server.requests == 1 and info("shapes3d", root)["prepared"]


def test_load_official_says_what_is_missing_without_network(tmp_path):
    with pytest.raises(FailureError) as error:
        load("shapes3d", source="official", data_dir=tmp_path)
    for words in (
        str(tmp_path / "shapes3d"),
        str(tmp_path / "3dshapes.h5"),
        "https://storage.googleapis.com/3d-shapes/3dshapes.h5",
    ):
        assert words in str(error.value)


def test_load_official_converts_a_file_put_there_by_hand(shapes3d_h5, root):
    root.mkdir(parents=True)
    _, images, _ = shapes3d_h5(root / "3dshapes.h5")
    dataset = load("shapes3d", source="official", data_dir=root)
    np.testing.assert_array_equal(dataset.images([9, 1]), images[[9, 1]])
    assert info("shapes3d", root)["prepared"]


def test_interruption_leaves_nothing(shapes3d_h5, root):
    def interrupt(*_):
        raise KeyboardInterrupt

    path, _, _ = shapes3d_h5()
    with pytest.raises(KeyboardInterrupt):
        prepare("shapes3d", from_file=path, data_dir=root, progress=interrupt)
    assert list(root.iterdir()) == []


KILLED = """
import os, signal, sys
sys.argv[0] = "keras-devae"  # answers without a backend, as the command line does
from keras_devae.data import prepare
prepare("shapes3d", sys.argv[1], sys.argv[2],
        progress=lambda *_: os.kill(os.getpid(), signal.SIGKILL))
"""


def test_a_killed_conversion_is_not_taken_for_a_finished_one(shapes3d_h5, root):
    path, images, _ = shapes3d_h5()
    killed = subprocess.run([sys.executable, "-c", KILLED, path, root], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (root / "shapes3d").exists() and not info("shapes3d", root)["prepared"]
    (leftover,) = root.iterdir()
    store = prepare("shapes3d", from_file=path, data_dir=root)
    np.testing.assert_array_equal(np.load(store / "images.npy"), images)
    # What was left is removed once it is too old to be another process at work.
    for item in (leftover, *leftover.rglob("*")):
        os.utime(item, (time.time() - 7200,) * 2)
    prepare("shapes3d", from_file=path, data_dir=root, force=True)
    assert [item.name for item in root.iterdir()] == ["shapes3d"]


def test_failed_conversion_keeps_the_old_store(shapes3d_h5, root):
    path, images, _ = shapes3d_h5()
    store = prepare("shapes3d", from_file=path, data_dir=root)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(FailureError, match="truncated"):
        prepare("shapes3d", from_file=path, data_dir=root, force=True)
    np.testing.assert_array_equal(np.load(store / "images.npy"), images)


def test_says_that_a_store_is_damaged(shapes3d_h5, root):
    path, _, _ = shapes3d_h5()
    images = prepare("shapes3d", from_file=path, data_dir=root) / "images.npy"
    images.write_bytes(images.read_bytes()[:-100])
    with pytest.raises(FailureError, match="force=True"):
        load("shapes3d", data_dir=root)


def test_says_that_a_store_has_gone(shapes3d_h5, root):
    path, _, _ = shapes3d_h5()
    store = prepare("shapes3d", from_file=path, data_dir=root)
    dataset = load("shapes3d", data_dir=root)
    (store / "images.npy").unlink()
    with pytest.raises(FailureError, match="cannot be read any more"):
        dataset.images([0])


def test_another_file_needs_force(shapes3d_h5, root):
    path, images, _ = shapes3d_h5()
    prepare("shapes3d", from_file=path, data_dir=root)
    prepare("shapes3d", from_file=path, data_dir=root)
    shapes3d_h5(path, images=255 - images)
    with pytest.raises(UsageError, match="force=True"):
        prepare("shapes3d", from_file=path, data_dir=root)


def test_leaves_other_folders_alone(shapes3d_h5, root):
    path, _, _ = shapes3d_h5()
    (root / "shapes3d").mkdir(parents=True)
    (root / "shapes3d" / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="left alone"):
        prepare("shapes3d", from_file=path, data_dir=root)
    assert (root / "shapes3d" / "mine.txt").read_text() == "keep"


def test_refuses_wrong_arguments(tmp_path):
    with pytest.raises(UsageError, match="Did you mean 'shapes3d'"):
        prepare("shapes3", data_dir=tmp_path)
    with pytest.raises(UsageError, match=r"3dshapes\.h5"):
        prepare("shapes3d", from_file=tmp_path / "missing.h5", data_dir=tmp_path)
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(UsageError, match="Nothing can be written"):
        prepare("shapes3d", data_dir=blocked / "below")
