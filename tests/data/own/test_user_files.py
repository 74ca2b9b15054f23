import subprocess
import sys
import threading
import warnings
import zipfile

import numpy as np
import pytest
from PIL import Image

from keras_devae.data import from_folder, from_npy, from_npz, load
from keras_devae.data.own.decoding import decode_picture
from keras_devae.data.own.folder_contents import PICTURE_SUFFIXES, picture_files
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
    (tmp_path / "._a.png").write_text("")
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
        (["file,shape", *(f"{n:02}.jpg,{n or 'round'}" for n in range(50))], "Line 2 .*'round'"),
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
    np.savez(tmp_path / "x.npz", images=np.random.default_rng(0).random((3, 8, 8, 3)))
    assert load(f"npz:{tmp_path / 'x.npz'}", image_size=8).factor_names is None
    assert load(f"npz:{tmp_path / 'x.npz'}", image_size=64).image_shape == (64, 64, 3)


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
    with pytest.raises(FailureError, match="is truncated"):
        load(f"npz:{path}")


def test_reads_compressed_and_duplicated_members(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)
    np.savez_compressed(tmp_path / "x.npz", images=images, factors=np.arange(6)[:, None] / 4)
    dataset = from_npz(tmp_path / "x.npz", bins={"factor_0": 2})
    np.testing.assert_array_equal(dataset.images([3])[0, ..., 0], images[3])
    assert dataset.factors(np.arange(6)).T.tolist() == [[0, 0, 0, 1, 1, 1]]
    assert dataset.provenance["factor_bins"]["factor_0"]["max"] == 1.25
    with (
        pytest.warns(UserWarning, match="Duplicate"),
        zipfile.ZipFile(tmp_path / "x.npz", "a") as archive,
    ):
        archive.writestr("images.npy", archive.read("images.npy"))
    assert len(from_npz(tmp_path / "x.npz", bins={"factor_0": 2})) == 6


def test_finds_pictures(folder):
    (folder / "x.PNG").write_text("")
    (folder / ".x.png").write_text("")
    (folder / "inner.png").mkdir()
    (folder / "gone.tif").symlink_to(folder / "nowhere.tif")
    names = [file.name for file in picture_files(folder)]
    assert names == [*(f"{number:02}.jpg" for number in range(50)), "gone.tif", "x.PNG"]
    assert ".webp" in PICTURE_SUFFIXES


def test_says_that_folders_inside_are_not_searched(folder):
    with pytest.raises(UsageError, match=r"some in 'pictures' inside it.*not searched"):
        from_folder(folder.parent, 8)
    for name in ("red", "dark blue"):
        (folder.parent / name).mkdir()
        (folder.parent / name / "0.png").write_text("")
    with pytest.raises(UsageError, match=r"'dark blue', 'pictures', 'red' inside.*factors\.csv"):
        from_folder(folder.parent, 8)


def save_turned(pixels, path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif)


def test_decodes_every_kind_of_picture(tmp_path):
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[0, 0] = (200, 100, 50)
    turned = {3: pixels[::-1, ::-1], 6: np.rot90(pixels, -1), 8: np.rot90(pixels, 1)}
    for orientation, expected in turned.items():
        save_turned(pixels, tmp_path / "a.png", orientation)
        np.testing.assert_array_equal(np.asarray(decode_picture(tmp_path / "a.png")), expected)
    palette = Image.fromarray(pixels).quantize(4)
    palette.save(tmp_path / "b.gif")
    palette.save(tmp_path / "c.png", transparency=int(np.asarray(palette)[0, 0]))
    Image.new("LA", (6, 4), (0, 128)).save(tmp_path / "d.png")
    Image.new("1", (6, 4), 1).save(tmp_path / "e.png")
    Image.new("CMYK", (6, 4), (0, 0, 0, 255)).save(tmp_path / "f.jpg")
    Image.fromarray(np.full((4, 6), 51 * 257, np.uint16)).save(tmp_path / "g.tiff")
    (tmp_path / "h.pgm").write_bytes(b"P5 6 4 65535 " + b"\x33\x44" * 24)
    corners = {}
    for file in picture_files(tmp_path):
        picture = decode_picture(file)
        assert picture.mode == "RGB" and (file.name == "a.png" or picture.size == (6, 4))
        corners[file.stem] = picture.getpixel((0, 0))
    assert corners["b"] == (200, 100, 50) and corners["c"] == (255, 255, 255)
    assert corners["d"] == (127,) * 3 and corners["e"] == (255,) * 3
    assert max(corners["f"]) <= 1 and corners["g"] == corners["h"] == (51,) * 3


def test_refuses_pixels_without_a_known_range(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "a.tif")
    Image.fromarray(np.full((4, 4), 70000, np.int32)).save(tmp_path / "b.tif")
    with pytest.raises(FailureError, match=r"a\.tif cannot be decoded: its pixels are floats"):
        decode_picture(tmp_path / "a.tif")
    with pytest.raises(FailureError, match=r"70000.*beyond 16 bits"):
        decode_picture(tmp_path / "b.tif")


@pytest.mark.parametrize("limit", [1000, 3000])
def test_reports_pictures_beyond_the_limit_of_pillow(tmp_path, monkeypatch, limit):
    # Pillow warns of more pixels than its limit and refuses more than twice as many.
    Image.new("L", (64, 64)).save(tmp_path / "a.png")
    gradient = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    Image.fromarray(gradient).save(tmp_path / "b.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        filters = list(warnings.filters)
        with pytest.raises(FailureError, match=f"more pixels than Pillow's limit of {limit:,}"):
            decode_picture(tmp_path / "a.png")
        with pytest.raises(FailureError, match=r"1 of the 2 .*a\.png.*limit"):
            from_folder(tmp_path, 8)
        assert warnings.filters == filters
    with pytest.warns(UserWarning, match=r"1 of the 2 .*a\.png.*limit") as seen:
        assert len(from_folder(tmp_path, 8, skip_damaged=True)) == 1
    assert len(seen) == 1


def damage(folder, *numbers):
    for number in numbers:
        file = folder / f"{number:02}.jpg"
        file.write_bytes(file.read_bytes()[:300])


def test_leaves_out_damaged_pictures_on_request(folder):
    expected = from_folder(folder, 16).images(np.arange(50))
    damage(folder, 0, 7, 31)
    write_factors(folder, ["file,number", *(f"{n:02}.jpg,{n}" for n in range(49, -1, -1))])
    with pytest.raises(FailureError, match=r"3 of the 50 .*00\.jpg, 07\.jpg.*skip_damaged=True"):
        from_folder(folder, 16)
    with pytest.warns(UserWarning, match=r"left out: 00\.jpg, 07\.jpg, 31\.jpg \(00\.jpg: "):
        dataset = from_folder(folder, 16, skip_damaged=True)
    kept = [number for number in range(50) if number not in (0, 7, 31)]
    assert len(dataset) == 47 and dataset.provenance["skipped"] == ["00.jpg", "07.jpg", "31.jpg"]
    assert dataset.factors(np.arange(47))[:, 0].tolist() == kept
    np.testing.assert_array_equal(dataset.images(np.arange(47)), expected[kept])
    assert "3 damaged left out" in dataset.description


@pytest.mark.parametrize("skip_damaged", [True, False])
def test_refuses_a_folder_of_which_nothing_is_left(folder, skip_damaged):
    damage(folder, *range(50))
    with pytest.raises(FailureError, match=r"50 of the 50 .*none is left: .*04\.jpg \.\.\."):
        from_folder(folder, 16, skip_damaged=skip_damaged)


def test_reports_progress_in_order_and_in_this_thread(folder):
    seen = []
    from_folder(folder, 16, progress=lambda *news: seen.append((*news, threading.get_ident())))
    here = threading.get_ident()
    assert seen == [(done, 50, "Decoding pictures", here) for done in range(1, 51)]


def test_stops_where_progress_raises(folder):
    calls = []

    def stop(done, total, what):
        calls.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        from_folder(folder, 16, progress=stop)
    assert calls == [1]


@pytest.mark.parametrize("shape", [(6, 8, 8), (6, 8, 8, 3)])
def test_maps_npy(tmp_path, shape):
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.save(tmp_path / "x.npy", images)
    dataset = from_npy(str(tmp_path / "x.npy"), image_size=8)
    expected = images.reshape(6, 8, 8, -1)
    np.testing.assert_array_equal(dataset.images([5, 0, 5]), expected[[5, 0, 5]])
    assert type(dataset.images([1])) is np.ndarray and dataset.images([1]).flags.writeable
    assert dataset.name == f"npy:{tmp_path / 'x.npy'}" and dataset.factor_names is None
    provenance = dict(dataset.provenance)
    assert len(provenance.pop("sha256")) == 64
    assert provenance == {"source": "npy", "file": str((tmp_path / "x.npy").resolve())}
    assert from_npy(tmp_path / "x.npy", image_size=64).image_shape[:2] == (64, 64)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((3, 8, 8), np.float32), "float32 in .*astype"),
        (np.zeros((3, 8, 8), np.int64), "int64 in "),
        (np.zeros((3, 8), np.uint8), "shape"),
        (np.zeros((0, 8, 8), np.uint8), "shape"),
        (np.full((3, 8, 8), None), "Python objects"),
    ],
)
def test_refuses_other_npy(tmp_path, images, message):
    np.save(tmp_path / "x.npy", images)
    with pytest.raises(UsageError, match=message):
        from_npy(tmp_path / "x.npy")


def test_names_a_damaged_npy(tmp_path):
    path = tmp_path / "x.npy"
    with pytest.raises(UsageError, match="no file"):
        from_npy(path)
    np.save(path, np.zeros((300, 8, 8), np.uint8))
    whole = path.read_bytes()
    np.savez(tmp_path / "x.npz", images=np.zeros((3, 8, 8), np.uint8))
    for damaged in (whole[:-1], whole[:60], b"", (tmp_path / "x.npz").read_bytes()):
        path.write_bytes(damaged)
        with pytest.raises(FailureError, match=r"x\.npy is not a complete \.npy file"):
            from_npy(path)


def test_warns_of_a_binary_npy(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((3, 8, 8), np.uint8))
    with pytest.warns(UserWarning, match="pixels lie in 0..1 of 0..255|all equal"):
        from_npy(tmp_path / "x.npy")


OPEN_A_LARGE_FILE = """
import sys
import numpy as np
sys.argv[0] = "keras-devae"  # answers without a backend, as the command line does
from keras_devae.data import from_npy

def resident():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

before = resident()
dataset = from_npy(sys.argv[1])
assert len(dataset) == 20_000 and dataset.images([-1]).max() == 1
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("brightest", [1, 255])
def test_does_not_read_a_large_npy_as_a_whole(tmp_path, brightest):
    # A file with a hole in it: 245 MB to whoever reads them.
    images = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, (20_000, 64, 64, 3))
    images[0], images[-1] = brightest, 1
    images.flush()
    command = [sys.executable, "-W", "ignore", "-c", OPEN_A_LARGE_FILE, str(tmp_path / "x.npy")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(run.stdout) < 60


DECODE_LARGE_PICTURES = """
import sys
sys.argv[0] = "keras-devae"  # answers without a backend, as the command line does
from keras_devae.data import from_folder

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

before = peak()
assert len(from_folder(sys.argv[1], 16)) == 60
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_holds_few_decoded_pictures(tmp_path):
    for number in range(60):
        # 6 MB each once it is decoded: Pillow takes 4 bytes a pixel.
        Image.new("RGB", (1500, 1000), (number, 0, 0)).save(tmp_path / f"{number}.png")
    command = [sys.executable, "-c", DECODE_LARGE_PICTURES, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(run.stdout) < 120


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_provenance_tells_other_images_and_factors(tmp_path, kind):
    images = np.random.default_rng(0).integers(0, 256, (9, 8, 8), dtype=np.uint8)
    factors = np.arange(18).reshape(9, 2) % 5
    other = images.copy()
    other[4, 3, 3] ^= 1
    found = []
    for pixels, labels in (
        (images, factors),
        (images, factors),
        (other, factors),
        (images, -factors),
    ):
        np.save(tmp_path / "labels.npy", labels)
        if kind == "npz":
            np.savez(tmp_path / "x.npz", images=pixels, factors=labels)
            found.append(from_npz(tmp_path / "x.npz").provenance["sha256"])
        else:
            np.save(tmp_path / "x.npy", pixels)
            dataset = from_npy(tmp_path / "x.npy", factors_file=tmp_path / "labels.npy")
            found.append(dataset.provenance["sha256"])
    assert found[0] == found[1] and len(set(found)) == 3


@pytest.mark.parametrize("damage", ["{'descr': (((", "{'descr': 3, '", "{'shape': [["])
def test_damaged_headers_are_one_sentence(tmp_path, damage):
    np.save(tmp_path / "x.npy", np.zeros((2, 8, 8), np.uint8))
    content = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(content[:10] + damage.encode() + content[10 + len(damage) :])
    with pytest.raises(FailureError, match=r"x\.npy is not a complete \.npy file"):
        from_npy(tmp_path / "x.npy")
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.write(tmp_path / "x.npy", "images.npy")
    with pytest.raises(FailureError, match=r"x\.npz"):
        from_npz(tmp_path / "x.npz")
