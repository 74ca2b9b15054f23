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
from data_folder import unfinished, visible

from keras_devae.data import info, load, prepare
from keras_devae.data.builtin import catalogue, shapes3d
from keras_devae.data.builtin.declaration import PublishedFile
from keras_devae.data.store import conversion
from keras_devae.errors import FailureError, UsageError


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


def test_load_official_converts_a_file_put_there_by_hand(shapes3d_h5, root):
    root.mkdir(parents=True)
    _, images, _ = shapes3d_h5(root / "3dshapes.h5")
    dataset = load("shapes3d", source="official", data_dir=root)
    np.testing.assert_array_equal(dataset.images([9, 1]), images[[9, 1]])
    assert info("shapes3d", root)["prepared"]


STOPPED = """
import os, sys
from keras_devae.data import prepare
from keras_devae.data.store import conversion
from keras_devae.data.builtin import shapes3d
conversion.NOTE_EVERY = shapes3d._ROWS_AT_ONCE = 1

def stop(done, total, what):
    if what.startswith("Converting") and done >= int(sys.argv[3]):
        {how}

prepare("shapes3d", sys.argv[1], sys.argv[2], progress=stop)
"""


@pytest.mark.parametrize("how", ["os.kill(os.getpid(), 9)", "raise KeyboardInterrupt"])
def test_a_stopped_conversion_goes_on_where_it_was(shapes3d_h5, root, how, monkeypatch):
    monkeypatch.setattr(shapes3d, "_ROWS_AT_ONCE", 1)
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
    assert unfinished(root) == [".shapes3d.keras-devae-partial"]
    shapes3d_h5(path, images=255 - images)
    store = prepare("shapes3d", path, root)
    np.testing.assert_array_equal(np.load(store / "images.npy"), 255 - images)


def test_a_conversion_killed_before_its_first_note_starts_again(shapes3d_h5, root):
    path, images, _ = shapes3d_h5()
    work = root / ".shapes3d.keras-devae-partial"
    work.mkdir(parents=True)
    (work / "images.npy").write_bytes(b"half a header")
    store = prepare("shapes3d", path, root)
    np.testing.assert_array_equal(np.load(store / "images.npy"), images)


PREPARING = """
import sys
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
    answers = [process.communicate(timeout=600)[0].split() for process in processes]
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
        waiting.result(600)
    np.testing.assert_array_equal(np.load(root / "shapes3d" / "images.npy"), images)


def test_recognises_the_published_file(shapes3d_h5, root, monkeypatch):
    path, _, _ = shapes3d_h5()
    known = catalogue.builtin_set("shapes3d")
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    file = PublishedFile("3dshapes.h5", "http://nowhere", md5=digest)
    changed = dataclasses.replace(known, files=(file,))
    monkeypatch.setitem(catalogue.BUILTIN_SETS, "shapes3d", changed)
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
from keras_devae.data import prepare
from keras_devae.data.store import conversion
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
        for folder in (tmp_path, *tmp_path.parents):
            # pytest's own folders are its user's alone; those above them are open.
            if folder.stat().st_mode & 0o005 != 0o005:
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
    with as_nobody(), pytest.raises(UsageError, match=r"Cannot write to.*Permission denied"):
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


def test_failed_conversion_keeps_the_old_store(shapes3d_h5, root):
    path, images, _ = shapes3d_h5()
    store = prepare("shapes3d", from_file=path, data_dir=root)
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(FailureError, match="truncated"):
        prepare("shapes3d", from_file=path, data_dir=root, force=True)
    np.testing.assert_array_equal(np.load(store / "images.npy"), images)


def test_another_file_needs_force(shapes3d_h5, root):
    path, images, _ = shapes3d_h5()
    prepare("shapes3d", from_file=path, data_dir=root)
    prepare("shapes3d", from_file=path, data_dir=root)
    shapes3d_h5(path, images=255 - images)
    with pytest.raises(UsageError, match="force=True"):
        prepare("shapes3d", from_file=path, data_dir=root)


def test_refuses_wrong_arguments(tmp_path):
    with pytest.raises(UsageError, match="Did you mean 'shapes3d'"):
        prepare("shapes3", data_dir=tmp_path)
    with pytest.raises(UsageError, match=r"3dshapes\.h5"):
        prepare("shapes3d", from_file=tmp_path / "missing.h5", data_dir=tmp_path)
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(UsageError, match=r"Cannot write to .* is not a folder"):
        prepare("shapes3d", data_dir=blocked / "below")


def test_force_does_not_go_on_with_unfinished_work(shapes3d_h5, root):
    path, images, _ = shapes3d_h5()
    code = [sys.executable, "-c", STOPPED.format(how="os.kill(os.getpid(), 9)"), path, root, "12"]
    subprocess.run(code, check=False)
    spoilt = root / ".shapes3d.keras-devae-partial" / "images.npy"
    spoilt.write_bytes(bytes(byte ^ 1 for byte in spoilt.read_bytes()[:5000]) + bytes(400_000))
    store = prepare("shapes3d", path, root, force=True)
    np.testing.assert_array_equal(np.load(store / "images.npy"), images)


def test_a_wrong_file_leaves_unfinished_work_alone(shapes3d_h5, root, tmp_path, monkeypatch):
    monkeypatch.setattr(shapes3d, "_ROWS_AT_ONCE", 1)
    path, _, _ = shapes3d_h5()
    code = [sys.executable, "-c", STOPPED.format(how="os.kill(os.getpid(), 9)"), path, root, "12"]
    subprocess.run(code, check=False)
    (tmp_path / "empty.h5").write_bytes(b"")
    with pytest.raises(FailureError, match="not a 3D Shapes file"):
        prepare("shapes3d", tmp_path / "empty.h5", root)
    calls = []
    prepare("shapes3d", path, root, progress=lambda *call: calls.append(call))
    assert next(call for call in calls if call[2].startswith("Converting"))[0] == 20


def test_work_stopped_between_its_end_and_its_name_is_not_lost(shapes3d_h5, root, monkeypatch):
    def stop_halfway(work, folder):
        folder.rename(folder.with_name(".shapes3d.keras-devae-old"))
        raise KeyboardInterrupt

    path, images, _ = shapes3d_h5()
    prepare("shapes3d", path, root)
    with monkeypatch.context() as patch:
        patch.setattr(conversion, "_put_in_place", stop_halfway)
        with pytest.raises(KeyboardInterrupt):
            prepare("shapes3d", path, root, force=True)
    assert visible(root) == []
    said = []
    store = prepare("shapes3d", path, root, progress=lambda *call: said.append(call[2]))
    assert not any(what.startswith("Converting") for what in said)
    np.testing.assert_array_equal(np.load(store / "images.npy"), images)
    assert not (root / ".shapes3d.keras-devae-old").exists()


def test_a_store_of_another_set_is_not_taken(shapes3d_h5, root):
    store = prepare("shapes3d", shapes3d_h5()[0], root)
    with pytest.raises(UsageError, match="Cars3D is not at"):
        load("cars3d", path=store)


def test_nothing_is_fetched_where_that_is_not_wanted(root, server):
    with pytest.raises(UsageError, match=r"not prepared at .*shapes3d.*data prepare shapes3d"):
        load("shapes3d", source="official", data_dir=root, fetch=False)
    assert not root.exists() and server.requests == []
