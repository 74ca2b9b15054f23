import numpy as np
import pytest
from PIL import Image

from keras_devae.data import load
from keras_devae.errors import FailureError, UsageError


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(50):
        pixels = rng.integers(0, 256, (*rng.integers(20, 90, 2), 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.jpg")
    Image.new("L", (30, 40), 77).save(folder / "25.jpg")
    return folder


def test_resizes_pictures_of_any_size_and_mode(folder):
    dataset = load(f"folder:{folder}", image_size=64)
    assert len(dataset) == 50 and dataset.image_shape == (64, 64, 3)
    assert (abs(dataset.images([25]).astype(int) - 77) <= 1).all()
    assert dataset.factor_names is None
    assert dataset.provenance["source"] == "folder" and dataset.provenance["image_size"] == 64


def test_names_damaged_pictures(folder):
    (folder / "07.jpg").write_bytes((folder / "07.jpg").read_bytes()[:300])
    (folder / "09.jpg").write_text("no picture")
    with pytest.raises(FailureError, match=r"2 of the 50 .*07\.jpg, 09\.jpg.*other 48 are fine"):
        load(f"folder:{folder}", image_size=64)


def test_crops_the_middle_and_follows_the_names(tmp_path):
    pixels = np.zeros((8, 24, 3), np.uint8)
    pixels[:, 8:16] = (10, 20, 30)
    pixels[:, 16:] = 255
    Image.fromarray(pixels).save(tmp_path / "b.png")
    Image.fromarray(pixels[::-1, :8]).save(tmp_path / "a.png")
    (tmp_path / ".hidden.png").write_text("")
    (tmp_path / "notes.txt").write_text("")
    dataset = load(f"folder:{tmp_path}", image_size=8)
    np.testing.assert_array_equal(dataset.images([1])[0], pixels[:, 8:16])
    assert len(dataset) == 2 and not dataset.images([0]).any()


def test_puts_transparency_on_white_and_scales_16_bits(tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "a.png")
    Image.fromarray(np.full((8, 8), 128 * 256, np.uint16)).save(tmp_path / "b.png")
    images = load(f"folder:{tmp_path}", image_size=8).images([0, 1])
    assert (images[0] == 255).all() and (images[1] == 128).all()


@pytest.mark.parametrize(
    ("make", "size", "message"),
    [
        (True, None, "image size"),
        (True, 0, "at least 1"),
        (True, 64, "no pictures"),
        (False, 64, "no folder"),
    ],
)
def test_refuses_folders_it_cannot_use(tmp_path, make, size, message):
    path = tmp_path / "empty"
    if make:
        path.mkdir()
    with pytest.raises(UsageError, match=message):
        load(f"folder:{path}", image_size=size)


def write_factors(folder, lines):
    (folder / "factors.csv").write_text("\n".join(lines) + "\n")


def test_reads_factors_beside_pictures(folder):
    lines = [f"{number:02}.jpg,{number // 5},{number % 5}" for number in range(50)]
    write_factors(folder, ["file,shape,size", *lines[::-1]])
    dataset = load(f"folder:{folder}", image_size=16)
    assert dataset.factor_names == ("shape", "size") and dataset.grid.sizes == (10, 5)
    np.testing.assert_array_equal(dataset.factors([7, -1]), [[1, 2], [9, 4]])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["name,shape"], "first line"),
        (["file,shape", "00.jpg,round"], "Line 2 .* 1 integers"),
        (["file,shape", "00.jpg,1,2"], "Line 2"),
        (["file,shape", "00.jpg,1"], "without a line: .*01.jpg"),
        (["file,shape", *(f"{n:02}.jpg,0" for n in range(51))], "without a picture: .*50.jpg"),
    ],
)
def test_refuses_factors_that_do_not_fit(folder, lines, message):
    write_factors(folder, lines)
    with pytest.raises(UsageError, match=message):
        load(f"folder:{folder}", image_size=16)


@pytest.mark.parametrize("member", ["images", "imgs"])
def test_reads_npz(tmp_path, member):
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)
    factors = np.indices((2, 3)).reshape(2, -1).T
    names = np.array(["colour", "size"])
    pickled = np.array([{}], dtype=object)
    np.savez(
        tmp_path / "x.npz",
        **{member: images},
        factors=factors,
        factor_names=names,
        metadata=pickled,
    )
    dataset = load(f"npz:{tmp_path / 'x.npz'}")
    np.testing.assert_array_equal(dataset.images([5, 0])[..., 0], images[[5, 0]])
    assert dataset.factor_names == ("colour", "size") and dataset.grid.sizes == (2, 3)
    assert dataset.name == f"npz:{tmp_path / 'x.npz'}" and dataset.provenance["source"] == "npz"


def test_reads_npz_without_factors(tmp_path):
    np.savez(tmp_path / "x.npz", images=np.zeros((3, 8, 8, 3)))
    assert load(f"npz:{tmp_path / 'x.npz'}", image_size=8).factor_names is None
    with pytest.raises(UsageError, match="8x8"):
        load(f"npz:{tmp_path / 'x.npz'}", image_size=64)


def test_never_unpickles(tmp_path):
    np.savez(tmp_path / "x.npz", images=np.array([{}, {}], dtype=object))
    with pytest.raises(UsageError, match="Python objects"):
        load(f"npz:{tmp_path / 'x.npz'}")


def test_refuses_npz_it_cannot_use(tmp_path):
    path = tmp_path / "x.npz"
    with pytest.raises(UsageError, match="no file"):
        load(f"npz:{path}")
    np.savez(path, pictures=np.zeros((3, 8, 8)))
    with pytest.raises(UsageError, match="no member 'images'"):
        load(f"npz:{path}")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FailureError, match="not a whole one"):
        load(f"npz:{path}")
