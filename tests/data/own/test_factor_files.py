import json

import numpy as np
import pytest
from PIL import Image

from keras_devae.data import from_folder, from_npy, from_npz
from keras_devae.data.folders.folder import folder_has_factors
from keras_devae.errors import FailureError, UsageError

# Not in the order of the file system or of their making.
NAMES = ("c.png", "a.png", "d.png", "b.png")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for grey, name in enumerate(NAMES):
        Image.new("L", (4, 4), 10 * grey).save(folder / name)
    return folder


@pytest.fixture
def npz(tmp_path):
    np.savez(tmp_path / "x.npz", images=np.zeros((4, 2, 2), np.uint8), factors=np.ones((4, 1), int))
    return tmp_path / "x.npz"


def write(path, *lines, encoding="utf-8"):
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def every_factor(dataset):
    return dataset.factors(np.arange(len(dataset))).tolist()


def test_tells_whether_there_are_factors(folder):
    assert not folder_has_factors(folder)
    np.save(folder / "factors.npy", np.zeros((4, 1), int))
    assert folder_has_factors(folder)
    (folder / "factors.npy").rename(folder / "factors.csv")
    assert folder_has_factors(folder)


def test_reads_npy_in_the_order_of_the_names(folder):
    factors = np.array([[0, 7], [1, 6], [2, 5], [3, 4]], np.float64)
    np.save(folder / "factors.npy", factors)
    dataset = from_folder(folder, 4)
    assert every_factor(dataset) == factors.tolist()
    assert dataset.factor_names == ("factor_0", "factor_1")
    assert dataset.images(np.arange(4))[:, 0, 0, 0].tolist() == [10, 30, 0, 20]
    assert dataset.provenance["factors_file"] == str((folder / "factors.npy").resolve())


def test_refuses_two_files_unless_one_is_chosen(folder):
    np.save(folder / "factors.npy", np.arange(4)[:, None])
    write(folder / "factors.csv", "file,size", "a.png,9", "b.png,8", "c.png,7", "d.png,6")
    with pytest.raises(UsageError, match="both"):
        from_folder(folder, 4)
    dataset = from_folder(folder, 4, factors_file=folder / "factors.csv")
    assert every_factor(dataset) == [[9], [8], [7], [6]]


def test_reads_floats_and_words_of_a_folder(folder, tmp_path):
    file = write(
        tmp_path / "elsewhere.CSV",
        "file, shape ,angle,size",
        'd.png,"ball, red",0.5,1.0',
        "a.png,cube,-1.5,2",
        "",
        "b.png,cube,0.25,1e0",
        "c.png, Älg ,2.5,2",
        encoding="utf-8-sig",
    )
    dataset = from_folder(str(folder), 4, factors_file=str(file), bins={"angle": 2})
    assert dataset.factor_names == ("shape", "angle", "size")
    assert every_factor(dataset) == [[1, 0, 2], [1, 0, 1], [2, 1, 2], [0, 1, 1]]
    assert dataset.provenance["factor_classes"] == {"shape": ["ball, red", "cube", "Älg"]}
    assert dataset.factor_labels["shape"] == ("ball, red", "cube", "Älg")
    assert dataset.provenance["factor_bins"]["angle"] == {"min": -1.5, "max": 2.5, "count": 2}
    assert json.loads(json.dumps(dataset.provenance)) == dataset.provenance


def test_keeps_large_integers_beside_floats(npz, tmp_path):
    rows = (f"{2**53 + 1 + row},{row / 2}" for row in range(4))
    file = write(tmp_path / "f.csv", "key,angle", *rows)
    dataset = from_npz(npz, factors_file=file, bins={"angle": 3})
    assert every_factor(dataset) == [[2**53 + 1 + row, row - (row == 3)] for row in range(4)]


def test_gives_an_npz_and_an_npy_factors_in_order(npz, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((4, 2, 2), np.uint8))
    file = write(tmp_path / "f.csv", "shape,size", "0,0", "0,1", "1,0", "1,1")
    for dataset in (from_npz(npz, factors_file=file), from_npy(tmp_path / "x.npy", None, file)):
        assert dataset.grid.names == ("shape", "size") and dataset.grid.sizes == (2, 2)
    np.save(tmp_path / "f.npy", np.array([[0.5], [1], [2], [3]], np.float32))
    dataset = from_npz(npz, factors_file=tmp_path / "f.npy", bins={"factor_0": 5})
    assert every_factor(dataset) == [[0], [1], [3], [4]]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "first line"),
        (["file"], "first line"),
        (["file,", "a.png,1"], "first line"),
        (["file;size", "a.png;1"], "first line"),
        (["file,size,size"], "distinct name"),
        (["file,file", "a.png,b"], "twice"),
        (["file,size", "a.png,1", "a.png,2"], "Line 3 .*'a.png' that line 2"),
        (["file,size", "a.png"], "Line 2 .*2 values"),
        (["file,size", "a.png,1", "b.png,x", "c.png,2", "d.png,3"], "Line 3 .*'size'.*'x'"),
        (["file,size", "a.png,1", "", "b.png,", "c.png,2", "d.png,3"], "Line 4 .*'size'.*''"),
        (["file,kind", "a.png,x", "b.png,", "c.png,y", "d.png,z"], "Line 3 .*'kind'.*''"),
        (["file,size", "a.png,1_0", "b.png,1", "c.png,2", "d.png,3"], "Line 2 .*'1_0'"),
        (
            ["file,size", "d.png,1", "b.png,nan", "c.png,2", "a.png,3"],
            "'size' must have finite numbers.* nan in line 3 of",
        ),
        (["file,size", f"d.png,{10**400}", "b.png,1", "c.png,2", "a.png,3"], "inf .*line 2 of"),
    ],
)
def test_refuses_lines_that_do_not_fit(folder, lines, message):
    write(folder / "factors.csv", *lines)
    with pytest.raises(UsageError, match=message):
        from_folder(folder, 4)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["file,size", "a.png,1"], "no names"),
        (["size", "1", "2", "3"], "each of the 4 images.*3 lines"),
        (["size", "1", "2", "3", "4", "5"], "5 lines"),
        ([""], "first line"),
    ],
)
def test_refuses_lines_that_do_not_fit_an_npz(npz, lines, message):
    file = write(npz.parent / "f.csv", *lines)
    with pytest.raises(UsageError, match=message):
        from_npz(npz, factors_file=file)


def test_refuses_bins_of_words(folder):
    write(folder / "factors.csv", "file,kind", *(f"{name},{name}" for name in NAMES))
    with pytest.raises(UsageError, match=r"'kind' .*words"):
        from_folder(folder, 4, bins={"kind": 3})


def test_takes_a_word_of_its_own_for_each_image(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((1500, 1, 1), np.uint8))
    file = write(tmp_path / "f.csv", "kind", *(f"word {row:04}" for row in range(1500)[::-1]))
    kinds = {"kind": "classes"}
    dataset = from_npy(tmp_path / "x.npy", factors_file=file, factor_kinds=kinds)
    assert every_factor(dataset) == [[row] for row in range(1500)[::-1]]


def test_refuses_bins_without_a_file(folder, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((4, 2, 2), np.uint8))
    with pytest.raises(UsageError, match="without factors"):
        from_folder(folder, 4, bins={"angle": 3})
    with pytest.raises(UsageError, match="without factors"):
        from_npy(tmp_path / "x.npy", bins={"angle": 3})


def test_refuses_files_it_cannot_read(npz, tmp_path):
    with pytest.raises(UsageError, match=r"no file .*nowhere\.csv"):
        from_npz(npz, factors_file=tmp_path / "nowhere.csv")
    with pytest.raises(UsageError, match=r"\.csv or a \.npy"):
        from_npz(npz, factors_file=npz)
    (tmp_path / "f.csv").write_bytes("größe\n1\n".encode("latin-1"))
    with pytest.raises(FailureError, match=r"f\.csv cannot be read"):
        from_npz(npz, factors_file=tmp_path / "f.csv")


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (np.zeros((3, 1), int), UsageError, r"shape \(4, number of factors\).*\(3, 1\)"),
        (np.zeros(4, int), UsageError, r"\(4,\)"),
        (np.zeros((4, 0), int), UsageError, r"\(4, 0\)"),
        (np.full((4, 1), ""), UsageError, "no number in column"),
        (np.full((4, 1), None), UsageError, "Python objects"),
    ],
)
def test_refuses_arrays_that_do_not_fit(folder, array, error, message):
    np.save(folder / "factors.npy", array)
    with pytest.raises(error, match=message):
        from_folder(folder, 4)


def test_names_a_damaged_npy(folder):
    np.save(folder / "factors.npy", np.zeros((4, 100), int))
    whole = (folder / "factors.npy").read_bytes()
    for damaged in (whole[:1000], whole[:50], b"", b"no array" * 9):
        (folder / "factors.npy").write_bytes(damaged)
        with pytest.raises(FailureError, match=r"factors\.npy is not a complete \.npy file"):
            from_folder(folder, 4)
