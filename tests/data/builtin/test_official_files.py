import dataclasses

import numpy as np
import pytest

from keras_devae.data import FactorGrid, load
from keras_devae.data.builtin import catalogue, shapes3d
from keras_devae.data.builtin.shapes3d import Shapes3DFile
from keras_devae.data.store.reading import open_files
from keras_devae.errors import FailureError, UsageError

ROWS = [5, 2, 2, -1, 0, -32]


def test_reads_dsprites_and_never_its_pickle(dsprites_npz, monkeypatch):
    path, images, classes = dsprites_npz()
    read_array = np.lib.format.read_array

    def refuse_pickles(file, allow_pickle=False, **options):
        assert not allow_pickle
        return read_array(file, allow_pickle=False, **options)

    monkeypatch.setattr(np.lib.format, "read_array", refuse_pickles)
    dataset = load("dsprites", path=path)
    np.testing.assert_array_equal(dataset.images(ROWS)[..., 0], 255 * images[ROWS])
    np.testing.assert_array_equal(dataset.factors(ROWS), classes[ROWS])
    assert dataset.grid.sizes == (3, 2, 2, 2, 2) and dataset.image_shape == (64, 64, 1)
    assert dataset.images([]).shape == (0, 64, 64, 1)
    assert dataset.provenance["source"] == "official"
    assert dataset.provenance["file"] == path.name and len(dataset.provenance["sha256"]) == 64


def test_keeps_dsprites_classes_that_are_no_grid(dsprites_npz):
    classes = np.random.default_rng(3).integers(0, 30, (48, 6))
    path, _, _ = dsprites_npz(latents_classes=classes)
    dataset = load("dsprites", path=path)
    assert dataset.grid is None
    np.testing.assert_array_equal(dataset.factors(ROWS), classes[ROWS][:, 1:])


def test_reads_shapes3d_in_any_order(shapes3d_h5):
    path, images, numbers = shapes3d_h5()
    dataset = load("shapes3d", path=path.parent)
    np.testing.assert_array_equal(dataset.images(ROWS), images[ROWS])
    np.testing.assert_array_equal(dataset.factors(ROWS), numbers[ROWS])
    names = ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")
    assert dataset.grid == FactorGrid(names, (2, 2, 2, 2, 1, 2))
    assert dataset.images([]).shape == (0, 64, 64, 3)


def test_reads_large_shapes3d_from_the_file(shapes3d_h5):
    path, images, numbers = shapes3d_h5()
    with pytest.warns(UserWarning, match="prepare it once"):
        dataset = open_files(catalogue.builtin_set("shapes3d"), [path], 64, memory_limit=0)
    rows = np.random.default_rng(0).integers(-32, 32, 70)
    np.testing.assert_array_equal(dataset.images(rows), images[rows])
    np.testing.assert_array_equal(dataset.factors(rows), numbers[rows])
    assert dataset.chunk_rows == 5


def test_shuffled_batches_decode_each_chunk_of_a_file_about_once(shapes3d_h5, monkeypatch):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (300, 64, 64, 3), dtype=np.uint8)
    path, _, _ = shapes3d_h5(images=images, labels=rng.random((300, 6)))
    decoded = []
    decode = Shapes3DFile._decode_chunk
    monkeypatch.setattr(
        Shapes3DFile, "_decode_chunk", lambda *args: decoded.append(args[1]) or decode(*args)
    )
    with pytest.warns(UserWarning, match="prepare it once"):
        dataset = open_files(catalogue.builtin_set("shapes3d"), [path], 64, memory_limit=0)
    batches = dataset.batches(16)
    seen = np.concatenate([batches.indices(step) for step in range(len(batches))])
    for step in range(len(batches)):
        (batch,) = batches[step]
        np.testing.assert_array_equal(batch, images[batches.indices(step)])
    assert sorted(set(decoded)) == list(range(60)) and len(set(seen[:300])) == 300
    assert len(decoded) < 1.5 * 60 and not np.array_equal(seen[:300], np.arange(300))


def test_refuses_to_hold_a_large_set_in_memory(dsprites_npz):
    path, _, _ = dsprites_npz()
    with pytest.raises(UsageError, match="data prepare dsprites --from"):
        open_files(catalogue.builtin_set("dsprites"), [path], 64, memory_limit=100)


def test_refuses_to_read_a_file_whose_chunks_are_too_large_to_keep(shapes3d_h5, monkeypatch):
    monkeypatch.setattr(shapes3d, "_MOST_KEPT_BYTES", 9 * 5 * 64 * 64 * 3 - 1)
    path, _, _ = shapes3d_h5()
    with pytest.raises(UsageError, match="data prepare shapes3d --from"):
        open_files(catalogue.builtin_set("shapes3d"), [path], 64, memory_limit=100)


def test_numbers_labels_that_are_no_grid(shapes3d_h5):
    labels = np.random.default_rng(4).random((32, 6))
    path, _, _ = shapes3d_h5(labels=labels)
    dataset = load("shapes3d", path=path)
    assert dataset.grid is None and dataset.factor_sizes == (32,) * 6
    np.testing.assert_array_equal(dataset.factors(np.arange(32)), labels.argsort(0).argsort(0))


@pytest.mark.parametrize("missing", [50, 3000])
def test_says_that_shapes3d_is_truncated(shapes3d_h5, missing):
    path, _, _ = shapes3d_h5()
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(FailureError) as error:
        load("shapes3d", path=path)
    for words in (str(path), f"{whole - missing:,} bytes", f"{whole:,}", "Download it again"):
        assert words in str(error.value)


@pytest.mark.parametrize("missing", [50, 3000])
def test_says_that_dsprites_is_truncated(dsprites_npz, missing):
    path, _, _ = dsprites_npz()
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(FailureError) as error:
        load("dsprites", path=path)
    for words in (str(path), "truncated", f"{whole - missing:,} bytes", "Download it again"):
        assert words in str(error.value)


def test_says_that_dsprites_is_damaged(dsprites_npz):
    path, _, _ = dsprites_npz()
    content = bytearray(path.read_bytes())
    content[2000:2100] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(FailureError, match="Download it again"):
        load("dsprites", path=path)


def test_refuses_other_dsprites_layouts(dsprites_npz):
    for changed, message in (
        ({"imgs": np.zeros((48, 64, 64))}, "float64"),
        ({"imgs": np.zeros((48, 32, 32), np.uint8)}, r"\(48, 32, 32\)"),
        ({"imgs": np.full((48, 64, 64), 9, np.uint8)}, "other values than 0 and 1"),
        ({"latents_classes": np.zeros((47, 6), int)}, r"\(47, 6\)"),
        ({"latents_classes": None}, "no member 'latents_classes'"),
        ({"latents_values": None}, "no member 'latents_values'"),
        ({"imgs": np.array([{}], dtype=object)}, "object"),
    ):
        path, _, _ = dsprites_npz(**changed)
        with pytest.raises(FailureError, match=message):
            load("dsprites", path=path)


def test_refuses_other_shapes3d_layouts(shapes3d_h5):
    for changed, message in (
        ({"images": None}, "no data set 'images'"),
        ({"labels": None}, "no data set 'labels'"),
        ({"images": np.zeros((32, 64, 64, 3), np.float32)}, "float32"),
        ({"images": np.zeros((32, 64, 64, 1), np.uint8)}, r"\(32, 64, 64, 1\)"),
        ({"labels": np.zeros((31, 6))}, r"\(31, 6\)"),
    ):
        path, _, _ = shapes3d_h5(**changed)
        with pytest.raises(FailureError, match=message):
            load("shapes3d", path=path)
    path.write_text("no HDF5")
    with pytest.raises(FailureError, match="7 bytes are not HDF5"):
        load("shapes3d", path=path)


def test_names_every_path_tried(tmp_path):
    with pytest.raises(UsageError) as error:
        load("shapes3d", path=tmp_path)
    for words in (f"{tmp_path}/3dshapes.h5", f"{tmp_path}/shapes3d/3dshapes.h5", "https://"):
        assert words in str(error.value)


def test_refuses_a_damaged_file_of_the_published_size(shapes3d_h5, monkeypatch):
    path, _, _ = shapes3d_h5()
    known = catalogue.builtin_set("shapes3d")
    file = dataclasses.replace(known.files[0], num_bytes=path.stat().st_size)
    known = dataclasses.replace(known, files=(file,))
    monkeypatch.setitem(catalogue.BUILTIN_SETS, "shapes3d", known)
    with pytest.raises(FailureError, match="SHA-256"):
        load("shapes3d", path=path)


def test_opens_a_published_orientation_grid_without_the_duplicate(dsprites_npz):
    classes = np.insert(np.indices((1, 1, 40, 1, 1)).reshape(5, -1).T, 0, 0, axis=1)
    images = np.random.default_rng(0).integers(0, 2, (40, 64, 64), dtype=np.uint8)
    path, _, _ = dsprites_npz(
        imgs=images, latents_classes=classes, latents_values=classes.astype(float)
    )
    dataset = load("dsprites", path=path, drop_duplicate_orientation=True)
    assert len(dataset) == 39 and dataset.factor_sizes == (1, 1, 39, 1, 1)
    np.testing.assert_array_equal(dataset.images([-1, 3])[..., 0], 255 * images[[38, 3]])
