"""What was prepared: verified, removed, damaged."""

import shutil

import numpy as np
import pytest
from data_folder import visible

from keras_devae.data import info, load, prepare, remove, verify
from keras_devae.errors import FailureError, UsageError


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
    work = root / ".shapes3d.keras-devae-partial"
    work.mkdir()
    assert remove("shapes3d", root) == [store, work]
    assert visible(root) == ["3dshapes.h5", "dsprites"] and not work.exists()
    assert remove("shapes3d", root, downloads=True) == [root / "3dshapes.h5"]
    assert remove("shapes3d", root, downloads=True) == []
    assert visible(root) == ["dsprites"]
    (root / "shapes3d").mkdir()
    (root / "shapes3d" / "mine.txt").write_text("keep")
    assert remove("shapes3d", root) == [] and (root / "shapes3d" / "mine.txt").exists()


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
    with pytest.raises(FailureError, match="can no longer be read"):
        dataset.images([0])


def test_leaves_other_folders_alone(shapes3d_h5, root):
    path, _, _ = shapes3d_h5()
    (root / "shapes3d").mkdir(parents=True)
    (root / "shapes3d" / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="left alone"):
        prepare("shapes3d", from_file=path, data_dir=root)
    assert (root / "shapes3d" / "mine.txt").read_text() == "keep"


def test_a_store_with_files_of_somebody_else_is_left_alone(shapes3d_h5, root):
    path, _, _ = shapes3d_h5()
    store = prepare("shapes3d", path, root)
    (store / "notes.txt").write_text("keep")
    for act in (
        lambda: remove("shapes3d", root),
        lambda: prepare("shapes3d", path, root, force=True),
    ):
        with pytest.raises(UsageError, match=r"is not removed: it holds what .*\(notes\.txt\)"):
            act()
    assert {file.name for file in store.iterdir()} == {
        *("images.npy", "factors.npy", "store.json", "notes.txt"),
    }


def test_what_looks_unfinished_is_left_alone(shapes3d_h5, root):
    names = [".shapes3d.partial", ".shapes3d.old", ".3dshapes.h5.part", ".shapes3d.bak"]
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "mine.txt").touch()
    prepare("shapes3d", shapes3d_h5()[0], root)
    remove("shapes3d", root, downloads=True)
    assert all((root / name / "mine.txt").is_file() for name in names)


def test_remove_takes_what_killed_processes_left(shapes3d_h5, root):
    prepare("shapes3d", shapes3d_h5()[0], root)
    old = root / ".shapes3d.keras-devae-old"
    old.mkdir()
    assert remove("shapes3d", root) == [root / "shapes3d", old]
    assert visible(root) == [] and not old.exists()


def test_verify_finds_a_truncated_file_whose_hash_is_not_known(dsprites_npz, root):
    root.mkdir(parents=True)
    path, _, _ = dsprites_npz(root / "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz")
    assert list(verify("dsprites", root).values()) == ["not the published file"]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FailureError, match="truncated"):
        verify("dsprites", root)


@pytest.mark.parametrize("record", ["[]", "{}", '{"format_version": 2}', "{", "null"])
def test_a_damaged_record_is_no_store(shapes3d_h5, root, record):
    path, images, _ = shapes3d_h5()
    store = prepare("shapes3d", path, root)
    (store / "store.json").write_text(record)
    assert not info("shapes3d", root)["prepared"]
    prepare("shapes3d", path, root)
    np.testing.assert_array_equal(load("shapes3d", data_dir=root).images([3]), images[[3]])


@pytest.mark.parametrize("content", [b"", b"x", b"\x93NUMPY\x01\x00v\x00{'descr': ((("])
@pytest.mark.parametrize("name", ["images.npy", "factors.npy"])
def test_says_that_an_array_of_a_store_is_damaged(shapes3d_h5, root, name, content):
    store = prepare("shapes3d", shapes3d_h5()[0], root)
    (store / name).write_bytes(content)
    with pytest.raises(FailureError, match=r"The prepared data in .* is damaged"):
        load("shapes3d", data_dir=root)
