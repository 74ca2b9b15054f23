import json
import os
import pickle

import numpy as np
import pytest
from PIL import Image

from keras_devae.data import from_folder, load
from keras_devae.data.folders import folder as own_folder
from keras_devae.data.folders import pictures as store
from keras_devae.errors import FailureError


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "my pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(6):
        pixels = rng.integers(0, 256, (20, 24, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def decoded(monkeypatch):
    """The numbers of pictures decoded by each call."""
    counts = []
    decode = store.decode_pictures

    def counted(files, *arguments):
        counts.append(len(files))
        return decode(files, *arguments)

    monkeypatch.setattr(store, "decode_pictures", counted)
    return counts


def test_pictures_are_decoded_once(folder, decoded):
    first, second = (load(f"folder:{folder}") for _ in range(2))
    held = load(f"folder:{folder}", cache=False)
    assert decoded == [6, 6] and first.provenance == second.provenance == held.provenance
    rows = [5, 0, 0, -1]
    for dataset in (first, pickle.loads(pickle.dumps(second))):
        np.testing.assert_array_equal(dataset.images(rows), held.images(rows))


def test_each_form_is_kept(folder, decoded):
    for options in ({"image_size": 16}, {"channels": 1}, {"image_size": "16x16"}, {}, {}):
        load(f"folder:{folder}", **options)
    assert decoded == [6, 6, 6]


def test_a_changed_picture_is_decoded_anew(folder, decoded):
    before = load(f"folder:{folder}")
    Image.new("RGB", (24, 20), (1, 2, 3)).save(folder / "3.png")
    after = load(f"folder:{folder}")
    assert decoded == [6, 6] and before.provenance["sha256"] != after.provenance["sha256"]
    assert (after.images([3]) == (1, 2, 3)).all() and not (before.images([3]) == (1, 2, 3)).all()
    os.utime(folder / "3.png", (1, 1))
    load(f"folder:{folder}")
    assert decoded == [6, 6, 6]


def test_factors_may_change_without_decoding(folder, decoded):
    hashes = []
    for values in ("000111", "010101", "000111"):
        lines = [f"{number}.png,{value}" for number, value in enumerate(values)]
        (folder / "factors.csv").write_text("\n".join(["file,kind", *lines]))
        hashes.append(load(f"folder:{folder}").provenance["sha256"])
    (folder / "factors.csv").unlink()
    hashes.append(load(f"folder:{folder}").provenance["sha256"])
    assert decoded == [6] and hashes[0] == hashes[2] and len(set(hashes)) == 3


def test_damaged_pictures_are_known_at_the_second_start(folder, decoded):
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:60])
    (folder / "photo.heic").write_text("")
    for _ in range(2):
        with pytest.raises(FailureError, match=r"1 of the 6 pictures .* 2\.png"):
            load(f"folder:{folder}")
    for _ in range(2):
        with pytest.warns(UserWarning) as warned:
            dataset = load(f"folder:{folder}", skip_damaged=True)
        texts = [str(each.message) for each in warned]
        assert any("2.png" in text for text in texts) and any(".heic" in text for text in texts)
        pixels = np.asarray(Image.open(folder / "3.png"))
        assert len(dataset) == 5 and dataset.provenance["skipped"] == ["2.png"]
        np.testing.assert_array_equal(dataset.images([2])[0], pixels)
    assert decoded == [6]


def test_flat_pictures_are_warned_of_at_every_start(tmp_path):
    for number in range(3):
        Image.new("L", (16, 16), number).save(tmp_path / f"{number}.png")
    for _ in range(2):
        with pytest.warns(UserWarning, match="fill 3 of the 256 grey levels"):
            load(f"folder:{tmp_path}")


def test_interrupted_decoding_leaves_nothing(folder, tmp_path, decoded):
    def stop(done, total, what):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        from_folder(folder, progress=stop)
    place = store.folder_store(folder, tmp_path / "data")
    assert not list(place.rglob("*.npy"))
    # What a killed process leaves does not count either.
    for entry in (f".{store.size_text((20, 24))}.keras-devae-partial", "1-20x24-3"):
        (place / entry).mkdir()
        (place / entry / "images.npy").write_bytes(b"half")
    assert len(from_folder(folder)) == 6 and len(decoded) == 2


@pytest.mark.parametrize("fault", ["folder", "full"])
def test_pictures_are_held_in_memory_where_nothing_can_be_written(
    folder, tmp_path, monkeypatch, fault
):
    if fault == "folder":
        (tmp_path / "data").write_text("a file")
    else:
        usage = type("Usage", (), {"free": 10})
        monkeypatch.setattr(store.shutil, "disk_usage", lambda path: usage)
    with pytest.warns(UserWarning, match="decoded into memory at every start"):
        dataset = from_folder(folder)
    assert len(dataset) == 6
    assert dataset.provenance == from_folder(folder, cache=False).provenance


def test_damaged_entries_are_made_anew(folder, tmp_path, decoded):
    before = from_folder(folder)
    (images,) = store.folder_store(folder, tmp_path / "data").glob("*/images.npy")
    whole = images.read_bytes()
    images.write_bytes(whole[:100])
    assert from_folder(folder).provenance == before.provenance
    assert decoded == [6, 6] and images.read_bytes() == whole


def test_kept_pictures_are_listed_and_removed(folder, tmp_path):
    root = tmp_path / "data"
    assert store.stored_folders(root) == [] and store.remove_pictures(folder, root) == []
    from_folder(folder)
    from_folder(folder, "16")
    (found,) = store.stored_folders(root)
    assert found["folder"] == str(folder) and sorted(found["entries"]) == [
        "6x16x16x3",
        "6x20x24x3",
    ]
    assert found["bytes"] > 6 * 3 * (16 * 16 + 20 * 24)
    assert store.remove_pictures(folder, root) == [tmp_path / found["path"]]
    assert store.stored_folders(root) == [] and len(list(folder.iterdir())) == 6


def test_headers_are_read_once_a_start(folder, monkeypatch):
    read = own_folder.read_headers
    calls = []
    monkeypatch.setattr(own_folder, "read_headers", lambda f: calls.append(len(f)) or read(f))
    own_folder.headers_of.cache_clear()
    load(f"folder:{folder}")
    load(f"folder:{folder}", image_size=16)
    assert calls == [6]
    own_folder.headers_of.cache_clear()
    assert load(f"folder:{folder}").image_shape == (20, 24, 3) and calls == [6]
    (folder / "0.png").unlink()
    assert load(f"folder:{folder}").image_shape == (20, 24, 3) and calls == [6, 5]
    record = next(store.folder_store(folder, folder.parent / "data").glob("*/pictures.json"))
    assert json.loads(record.read_text())["folder"] == str(folder)
