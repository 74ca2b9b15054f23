import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from keras_devae.data import (
    conversion,
    info,
    load,
    official,
    prepare,
    remove,
    shapes3d_file,
    verify,
)
from keras_devae.errors import FailureError, UsageError


@pytest.fixture
def root(tmp_path):
    return tmp_path / "new" / "folder"


def visible(folder):
    """The names that a user sees in a folder; locks and unfinished work are hidden."""
    return sorted(item.name for item in folder.iterdir() if not item.name.startswith("."))


def unfinished(folder):
    return sorted(item.name for item in folder.glob(".*.part*"))


def test_converts_dsprites_to_packed_bits(dsprites_npz, root):
    path, images, classes = dsprites_npz()
    calls = []
    store = prepare(
        "dsprites", from_file=path, data_dir=root, progress=lambda *call: calls.append(call)
    )
    assert store == root / "dsprites" and (48, 48, f"Converting {path.name}") in calls
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
        "image_size": 64,
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


def test_load_official_converts_a_file_put_there_by_hand(shapes3d_h5, root):
    root.mkdir(parents=True)
    _, images, _ = shapes3d_h5(root / "3dshapes.h5")
    dataset = load("shapes3d", source="official", data_dir=root)
    np.testing.assert_array_equal(dataset.images([9, 1]), images[[9, 1]])
    assert info("shapes3d", root)["prepared"]


STOPPED = """
import os, sys
sys.argv[0] = "keras-devae"  # answers without a backend, as the command line does
from keras_devae.data import conversion, prepare, shapes3d_file
conversion.NOTE_EVERY = shapes3d_file._ROWS_AT_ONCE = 1

def stop(done, total, what):
    if what.startswith("Converting") and done >= int(sys.argv[3]):
        {how}

prepare("shapes3d", sys.argv[1], sys.argv[2], progress=stop)
"""


@pytest.mark.parametrize("how", ["os.kill(os.getpid(), 9)", "raise KeyboardInterrupt"])
def test_a_stopped_conversion_goes_on_where_it_was(shapes3d_h5, root, how, monkeypatch):
    monkeypatch.setattr(shapes3d_file, "_ROWS_AT_ONCE", 1)
    path, images, numbers = shapes3d_h5()
    code = [sys.executable, "-c", STOPPED.format(how=how), path, root, "12"]
    stopped = subprocess.run(code, check=False, capture_output=True)
    assert stopped.returncode == (-signal.SIGKILL if "kill" in how else -signal.SIGINT)
    assert visible(root) == [] and not info("shapes3d", root)["prepared"]
    calls = []
    store = prepare("shapes3d", path, root, progress=lambda *call: calls.append(call))
    assert next(call for call in calls if call[2].startswith("Converting"))[0] == 20
    np.testing.assert_array_equal(np.load(store / "images.npy"), images)
    np.testing.assert_array_equal(np.load(store / "factors.npy"), numbers)
    assert visible(root) == ["shapes3d"] and unfinished(root) == []
    assert sorted(item.name for item in store.iterdir()) == [
        "factors.npy",
        "images.npy",
        "store.json",
    ]


def test_unfinished_work_on_another_file_is_not_gone_on_with(shapes3d_h5, root):
    path, images, _ = shapes3d_h5()
    code = STOPPED.format(how="os.kill(os.getpid(), 9)")
    subprocess.run([sys.executable, "-c", code, path, root, "1"], check=False)
    assert unfinished(root) == [".shapes3d.partial"]
    shapes3d_h5(path, images=255 - images)
    store = prepare("shapes3d", path, root)
    np.testing.assert_array_equal(np.load(store / "images.npy"), 255 - images)


def test_a_conversion_killed_before_its_first_note_starts_again(shapes3d_h5, root):
    path, images, _ = shapes3d_h5()
    work = root / ".shapes3d.partial"
    work.mkdir(parents=True)
    (work / "images.npy").write_bytes(b"half a header")
    store = prepare("shapes3d", path, root)
    np.testing.assert_array_equal(np.load(store / "images.npy"), images)


PREPARING = """
import sys
sys.argv[0] = "keras-devae"
from keras_devae.data import load, prepare
said = []
prepare("shapes3d", sys.argv[1], sys.argv[2], progress=lambda *call: said.append(call[2]))
print(any(what.startswith("Converting") for what in said))
print(load("shapes3d", data_dir=sys.argv[2]).images([0, -1]).sum())
"""


def test_two_processes_at_once_convert_once(shapes3d_h5, root):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3000, 64, 64, 3), dtype=np.uint8)
    path, _, _ = shapes3d_h5(images=images, labels=rng.random((3000, 6)))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PREPARING, path, root], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    answers = [process.communicate(timeout=120)[0].split() for process in processes]
    assert sorted(converted for converted, _ in answers) == ["False", "False", "True"]
    assert {int(total) for _, total in answers} == {int(images[[0, -1]].sum(dtype=np.int64))}
    np.testing.assert_array_equal(np.load(root / "shapes3d" / "images.npy"), images)


def test_says_that_it_waits_for_another_process(shapes3d_h5, root):
    path, images, _ = shapes3d_h5()
    said = []
    with ThreadPoolExecutor(1) as pool:
        with conversion.locked(root / "shapes3d"):
            waiting = pool.submit(
                prepare, "shapes3d", path, root, progress=lambda *call: said.append(call[2])
            )
            while not any("Waiting for another process" in what for what in said):
                time.sleep(0.01)
            assert not (root / "shapes3d").exists()
        waiting.result(60)
    np.testing.assert_array_equal(np.load(root / "shapes3d" / "images.npy"), images)


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
    (root / ".3dshapes.h5.part").write_bytes(content)
    record = {"url": server.url, "validator": '"first"'}
    (root / ".3dshapes.h5.part.json").write_text(json.dumps(record))
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
    known = official.official_set("shapes3d")
    facts = {
        "sha256": {"sha256": "0" * 64},
        "md5": {"md5": "0" * 32},
        "num_bytes": {"num_bytes": 9},
    }
    for wrong, message in ((facts[fact], "and not the published|were expected"), ({}, None)):
        file = official.PublishedFile("3dshapes.h5", server.url, **wrong)
        changed = dataclasses.replace(known, files=(file,))
        monkeypatch.setitem(official.OFFICIAL_SETS, "shapes3d", changed)
        server.answers = [(200, path.read_bytes())]
        if message:
            with pytest.raises(FailureError, match=message):
                prepare("shapes3d", data_dir=root)
            assert visible(root) == unfinished(root) == []
        else:
            store = prepare("shapes3d", data_dir=root)
            np.testing.assert_array_equal(np.load(store / "images.npy"), images)


def test_recognises_the_published_file(shapes3d_h5, root, monkeypatch):
    path, _, _ = shapes3d_h5()
    known = official.official_set("shapes3d")
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    file = official.PublishedFile("3dshapes.h5", "http://nowhere", md5=digest)
    changed = dataclasses.replace(known, files=(file,))
    monkeypatch.setitem(official.OFFICIAL_SETS, "shapes3d", changed)
    prepare("shapes3d", path, root)
    dataset = load("shapes3d", data_dir=root)
    assert dataset.provenance["matches_published"] is True
    assert dataset.provenance["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "not the published" not in dataset.description


def test_says_that_the_disk_is_full(shapes3d_h5, root, monkeypatch):
    path, images, _ = shapes3d_h5()
    usage = shutil.disk_usage(path.parent)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
        with pytest.raises(FailureError, match=r"disk is full: 393,216 bytes are needed and 1,000"):
            prepare("shapes3d", path, root)
    assert visible(root) == []
    store = prepare("shapes3d", path, root)
    np.testing.assert_array_equal(np.load(store / "images.npy"), images)


LIMITED = """
import resource, sys
sys.argv[0] = "keras-devae"
from keras_devae.data import conversion, prepare
from keras_devae.errors import FailureError
conversion.NOTE_EVERY = 1
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    prepare("shapes3d", sys.argv[1], sys.argv[2])
except FailureError as error:
    print(error)
"""


def test_a_write_that_fails_leaves_nothing_under_the_name(shapes3d_h5, root):
    path, images, _ = shapes3d_h5()
    code = [sys.executable, "-c", LIMITED, path, root, "200000"]
    said = subprocess.run(code, check=True, capture_output=True, text=True).stdout
    assert (
        "could not be written" in said and "File too large" in said and len(said.split("\n")) == 2
    )
    assert visible(root) == []
    store = prepare("shapes3d", path, root)
    np.testing.assert_array_equal(np.load(store / "images.npy"), images)


@pytest.fixture
def as_nobody(tmp_path):
    """Gives up the rights of the superuser, whom no permission stops, for a while."""

    @contextlib.contextmanager
    def drop():
        for folder in (tmp_path, *tmp_path.parents[:2]):
            folder.chmod(0o755)
        if os.geteuid() == 0:
            os.seteuid(65534)
            try:
                yield
            finally:
                os.seteuid(0)
        else:
            yield

    return drop


def test_says_that_permission_is_denied(shapes3d_h5, root, as_nobody):
    path, images, _ = shapes3d_h5()
    root.mkdir(parents=True)
    root.chmod(0o555)
    with as_nobody(), pytest.raises(UsageError, match=r"Nothing can be written.*Permission denied"):
        prepare("shapes3d", path, root)
    root.chmod(0o777)
    path.chmod(0)
    with as_nobody(), pytest.raises(FailureError, match=r"3dshapes\.h5 cannot be read.*Permission"):
        prepare("shapes3d", path, root)
    assert visible(root) == []
    path.chmod(0o644)
    with as_nobody():
        store = prepare("shapes3d", path, root)
        np.testing.assert_array_equal(np.load(store / "images.npy"), images)


def test_verify_reads_all_that_is_here(shapes3d_h5, root):
    path, _, _ = shapes3d_h5()
    with pytest.raises(UsageError, match="nothing to verify"):
        verify("shapes3d", root)
    store = prepare("shapes3d", path, root)
    shutil.copy(path, root)
    assert verify("shapes3d", root) == {
        str(root / "3dshapes.h5"): "not the published file",
        str(store / "images.npy"): "as it was prepared",
        str(store / "factors.npy"): "as it was prepared",
    }
    content = bytearray((store / "images.npy").read_bytes())
    content[5000] ^= 1
    (store / "images.npy").write_bytes(content)
    with pytest.raises(FailureError, match=r"images\.npy is damaged.*force=True"):
        verify("shapes3d", root)


def test_remove_takes_what_was_prepared_and_nothing_else(shapes3d_h5, dsprites_npz, root):
    path, _, _ = shapes3d_h5()
    store = prepare("shapes3d", path, root)
    prepare("dsprites", dsprites_npz()[0], root)
    shutil.copy(path, root)
    work = root / ".shapes3d.partial"
    work.mkdir()
    assert remove("shapes3d", root) == [store, work]
    assert visible(root) == ["3dshapes.h5", "dsprites"] and not work.exists()
    assert remove("shapes3d", root, downloads=True) == [root / "3dshapes.h5"]
    assert remove("shapes3d", root, downloads=True) == []
    assert visible(root) == ["dsprites"]
    (root / "shapes3d").mkdir()
    (root / "shapes3d" / "mine.txt").write_text("keep")
    assert remove("shapes3d", root) == [] and (root / "shapes3d" / "mine.txt").exists()


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
