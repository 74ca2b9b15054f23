"""How folders of pictures are read where the file, or all files together, say how."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from keras_devae.data import from_arrays, from_folder
from keras_devae.data.own.bit_depth import eight_bits, used_bits
from keras_devae.data.own.decoding import decode_picture
from keras_devae.errors import FailureError, UsageError

COUNT = 4


def values_up_to(largest, shape=(COUNT, 8, 8)):
    values = np.random.default_rng(0).integers(0, largest + 1, shape).astype(np.uint16)
    values.flat[0] = largest
    return values


def save_all(folder, pictures, suffix=".png", **options):
    for number, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(folder / f"{number}{suffix}", **options)


def with_chunk(path, kind, content):
    """Puts a chunk of a PNG behind its header."""
    whole = path.read_bytes()
    checksum = zlib.crc32(kind + content)
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
    path.write_bytes(whole[:33] + chunk + whole[33:])


def read(folder):
    return from_folder(folder, 8).images(range(COUNT))[..., 0]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize(("bits", "largest"), [(8, 255), (10, 900), (12, 3840), (14, 16383)])
def test_reads_16_bits_as_the_range_of_all_pictures_says(tmp_path, suffix, bits, largest):
    values = values_up_to(largest)
    values[1] //= 50  # a dark one, which would look like one of fewer bits
    save_all(tmp_path, values, suffix)
    words = rf"{COUNT} pictures with 16 bits hold values up to {largest:,} and are read as {bits} "
    with pytest.warns(UserWarning, match=words):
        images = read(tmp_path)
    np.testing.assert_array_equal(images, values >> (bits - 8))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_reads_whole_16_bits_by_their_upper_8(tmp_path, suffix):
    values = values_up_to(65535)
    save_all(tmp_path, values, suffix)
    np.testing.assert_array_equal(read(tmp_path), values >> 8)


@pytest.mark.parametrize(
    ("bits", "largest", "shift"), [(12, 1000, 4), (10, 1000, 2), (12, 65520, 8)]
)
def test_believes_the_significant_bits_of_a_png(tmp_path, bits, largest, shift):
    # Those that keep to the format spread them over 16 bits, many do not.
    values = values_up_to(largest)
    values[2] = 90  # dark, in a folder that is not
    save_all(tmp_path, values)
    for path in tmp_path.iterdir():
        with_chunk(path, b"sBIT", bytes([bits]))
    np.testing.assert_array_equal(read(tmp_path), np.minimum(values >> shift, 255))


def test_believes_the_largest_value_of_a_tiff(tmp_path):
    values = values_up_to(1000)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[281] = 4095
    save_all(tmp_path, values, ".tif", tiffinfo=tags)
    np.testing.assert_array_equal(read(tmp_path), values >> 4)
    picture = decode_picture(tmp_path / "0.tif")
    np.testing.assert_array_equal(np.asarray(picture)[..., 0], values[0] >> 4)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_spreads_what_a_png_states_to_be_few_bits(bits):
    values = np.arange(2**bits)
    expected = np.rint(values * 255 / (2**bits - 1))
    np.testing.assert_array_equal(eight_bits(values, bits), expected)
    assert used_bits(2**bits - 1, bits) == bits and used_bits(2**bits, bits) == 16


def test_reads_palettes_bits_and_grey_with_alpha(tmp_path):
    half = np.zeros((8, 8), bool)
    half[:4] = True
    palette = Image.fromarray(half.astype(np.uint8), "P")
    palette.putpalette([10, 10, 10, 240, 240, 240])
    palette.save(tmp_path / "a.png", bits=1)
    Image.fromarray(half).save(tmp_path / "b.png")
    grey = np.stack([np.full((8, 8), 200), np.where(half, 255, 0)], -1).astype(np.uint8)
    Image.fromarray(grey, "LA").save(tmp_path / "c.png")
    images = from_folder(tmp_path, 8).images(range(3))[..., 0]
    for image, (on, off) in zip(images, [(240, 10), (255, 0), (200, 255)], strict=True):
        np.testing.assert_array_equal(image, np.where(half, on, off))


def drawn(colour, alpha):
    pixels = np.zeros((COUNT, 8, 8, 4), np.uint8)
    pixels[..., :3] = colour
    for number in range(COUNT):
        pixels[number, number : number + 3, 2:5, 3] = alpha
    return pixels


def test_puts_white_on_transparent_on_black(tmp_path):
    pixels = drawn(255, 255)
    save_all(tmp_path, pixels)
    with pytest.warns(UserWarning, match=f"{COUNT} transparent pictures are put on black"):
        images = read(tmp_path)
    np.testing.assert_array_equal(images, pixels[..., 3])


@pytest.mark.parametrize("colour", [0, 120])
def test_puts_other_colours_on_white(tmp_path, colour):
    pixels = drawn(colour, 255)
    save_all(tmp_path, pixels)
    expected = np.where(pixels[..., 3] == 255, colour, 255)
    np.testing.assert_array_equal(read(tmp_path), expected)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("classes", [2, 5])
def test_warns_of_masks(tmp_path, depth, classes):
    masks = values_up_to(classes - 1).astype(depth)
    save_all(tmp_path, masks)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        np.testing.assert_array_equal(read(tmp_path), masks)
    said = " ".join(str(warning.message) for warning in seen)
    assert f"fill {classes} of the 256 grey levels" in said and "stretch the pictures" in said


def test_warns_of_pictures_that_are_all_equal(tmp_path):
    save_all(tmp_path, np.tile(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4, (COUNT, 1, 1)))
    with pytest.warns(UserWarning, match=f"all equal, {COUNT} times the same picture"):
        from_folder(tmp_path, 8)


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_looks_at_the_range_of_files_of_arrays(tmp_path, kind):
    from keras_devae.data import load

    path, masks = tmp_path / f"x.{kind}", values_up_to(4).astype(np.uint8)
    np.savez(path, images=masks) if kind == "npz" else np.save(path, masks)
    with pytest.warns(UserWarning, match=rf"images of .*x\.{kind} fill 5 of the 256") as seen:
        load(f"{kind}:{path}")
    assert len(seen) == 1


def test_two_more_readings_leave_other_pictures_alone(tmp_path):
    save_all(tmp_path, values_up_to(3840))
    colours = np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "x.png")
    with pytest.warns(UserWarning, match="read as 12 bits"):
        images = from_folder(tmp_path, 8).images([-1])
    np.testing.assert_array_equal(images[0], colours)


# What is left out.


def fill(folder, count=3, suffix=".png"):
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}{suffix}")


def several_pages(path, count=5):
    pages = [Image.new("RGB", (8, 8), (40 * number, 9, 9)) for number in range(count)]
    pages[0].save(path, save_all=True, append_images=pages[1:])


def other_suffixes(folder):
    for number in range(4):
        (folder / f"x{number}.heic").write_bytes(b"heic")
    (folder / "y.CR2").write_bytes(b"raw")
    (folder / "z").write_bytes(b"no suffix")
    return r"6 files with another suffix \(\.heic, \.cr2, none\)"


def hidden(folder):
    (folder / ".x.png").write_bytes((folder / "0.png").read_bytes())
    (folder / "._0.png").write_bytes(b"a fork")
    (folder / ".DS_Store").write_bytes(b"")
    return "1 hidden picture"


def inside(folder):
    for place in ("a/b", "__MACOSX", ".thumbnails"):
        (folder / place).mkdir(parents=True)
        fill(folder / place, 2)
    return r"2 pictures in folders inside \('a/b'\)"


def pages(suffix):
    def add(folder):
        several_pages(folder / f"p{suffix}")
        return rf"4 pages or frames after the first of 1 file \(p\{suffix} has 5\)"

    return add


@pytest.mark.parametrize(
    "add",
    [other_suffixes, hidden, inside, *map(pages, (".tif", ".gif", ".webp", ".png"))],
)
def test_says_in_one_warning_what_is_left_out(tmp_path, add):
    fill(tmp_path)
    words = add(tmp_path)
    read = 4 if (list(tmp_path.glob("p.*"))) else 3
    words = rf"In {tmp_path}, {read} pictures are read and these are left out: {words}\. Save"
    with pytest.warns(UserWarning, match=words) as seen:
        assert len(from_folder(tmp_path, 8)) == read
    assert len(seen) == 1


def test_says_all_of_it_at_once_and_where_nothing_is_left(tmp_path):
    fill(tmp_path)
    words = [add(tmp_path) for add in (other_suffixes, hidden, inside, pages(".gif"))]
    with pytest.warns(UserWarning, match="; ".join(words)) as seen:
        from_folder(tmp_path, 8)
    assert len(seen) == 1
    for path in (*tmp_path.glob("*.png"), *tmp_path.glob("*.gif")):
        path.unlink()
    with pytest.raises(UsageError, match=r"no pictures .*; it holds 6 files with another suffix"):
        from_folder(tmp_path, 8)


def test_says_nothing_of_what_is_no_picture(tmp_path):
    fill(tmp_path)
    fill(tmp_path, 1, ".JPG")
    for name in ("factors.csv", "notes.txt", "README", "Thumbs.db", "labels.json", ".hidden"):
        (tmp_path / name).write_text("file,a\n0.JPG,0\n0.png,0\n1.png,1\n2.png,1\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(from_folder(tmp_path, 8)) == 4


def test_a_file_damaged_behind_its_first_page_is_damaged(tmp_path):
    fill(tmp_path)
    several_pages(tmp_path / "p.tif")
    content = (tmp_path / "p.tif").read_bytes()
    (tmp_path / "p.tif").write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(FailureError, match=r"1 of the 4 pictures .* p\.tif"):
        from_folder(tmp_path, 8)


# The order of factors without names.


def save_named(folder, names):
    rng = np.random.default_rng(0)
    for name in names:
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)


AMBIGUOUS = [
    (["img_1.png", "img_10.png", "img_11.png", "img_2.png"], "img_10.png", "img_2.png"),
    (["9.png", "10.png"], "10.png", "9.png"),
    (["a.png", "B.png"], "B.png", "a.png"),
    (["x2y10.png", "x2y9.png", "x1y1.png"], "x2y10.png", "x2y9.png"),
]


@pytest.mark.parametrize(("names", "one", "other"), AMBIGUOUS)
@pytest.mark.parametrize("place", ["factors.npy", "../labels.npy"])
def test_refuses_factors_in_an_order_that_is_not_clear(tmp_path, names, one, other, place):
    folder = tmp_path / "pictures"
    folder.mkdir()
    save_named(folder, names)
    np.save(folder / place, np.arange(len(names))[:, None])
    chosen = None if place == "factors.npy" else folder / place
    with pytest.raises(UsageError, match=f"belongs to {one!r} .* to {other!r} .*CSV.*`file,"):
        from_folder(folder, 8, chosen)
    lines = [f"{name},{number}" for number, name in enumerate(names)]
    (folder / "by_name.csv").write_text("\n".join(["file,number", *lines]))
    dataset = from_folder(folder, 8, folder / "by_name.csv")
    expected = [names.index(name) for name in sorted(names)]
    assert dataset.factors(range(len(names)))[:, 0].tolist() == expected


@pytest.mark.parametrize(
    "names", [["a1.png", "a2.png", "b10.png"], ["img_01.png", "img_10.png"], ["B.png", "C.png"]]
)
def test_takes_factors_in_the_only_order_of_the_names(tmp_path, names):
    save_named(tmp_path, names)
    np.save(tmp_path / "factors.npy", np.arange(len(names))[:, None])
    assert from_folder(tmp_path, 8).factors([-1]).tolist() == [[len(names) - 1]]


def test_arrays_look_at_their_range_too():
    with pytest.warns(UserWarning, match="fill 5 of the 256"):
        from_arrays(values_up_to(4).astype(np.uint8))
