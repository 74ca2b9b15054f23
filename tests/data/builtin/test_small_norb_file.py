import gzip
import zlib

import numpy as np
import pytest
from PIL import Image

from keras_devae.data.builtin import small_norb
from keras_devae.data.builtin.small_norb import SmallNORBFile
from keras_devae.data.store.reading import resized
from keras_devae.errors import FailureError, UsageError

DAT, CAT, INFO, TEST_DAT, TEST_CAT, TEST_INFO = range(6)


@pytest.fixture(scope="module")
def toys(miniature, tmp_path_factory):
    return miniature.write_small_norb(tmp_path_factory.mktemp("small_norb"))


@pytest.fixture
def copies(toys, tmp_path):
    """Paths of copies that a test may change, and their unpacked contents."""
    paths = [tmp_path / path.name for path in toys.paths]
    for path, original in zip(paths, toys.paths, strict=True):
        path.write_bytes(original.read_bytes())
    return paths, [gzip.decompress(path.read_bytes()) for path in paths]


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(small_norb, "_ROWS_AT_ONCE", 7)


def refuses(paths, named, *words):
    with pytest.raises(FailureError) as error:
        list(SmallNORBFile(*paths).chunks())
    message = str(error.value)
    assert message.startswith(str(named)) and message.endswith("Download it again.")
    for word in words:
        assert word in message


def unpacks_to(packed, content):
    try:
        return gzip.decompress(packed) == content
    except (EOFError, OSError, zlib.error):
        return False


def test_reads_every_image_and_factor(toys):
    reader = SmallNORBFile(*toys.paths)
    assert len(reader) == 72 and reader.stored_shape(96) == reader.image_shape == (96, 96, 1)
    names = ("category", "instance", "elevation", "azimuth", "lighting")
    assert reader.grid.names == names and reader.grid.sizes == (2, 2, 2, 3, 3)
    assert reader.factors.dtype == np.int64
    np.testing.assert_array_equal(reader.factors, toys.factors)
    assert sorted(reader.grid.indices(reader.factors)) == list(range(72))
    np.testing.assert_array_equal(np.concatenate(list(reader.chunks())), toys.images)


@pytest.mark.parametrize("start", [0, 1, 6, 7, 20, 35, 36, 37, 44, 71])
def test_starts_at_any_image(toys, small_chunks, start):
    chunks = list(SmallNORBFile(*toys.paths).chunks(start))
    assert all(chunk.dtype == np.uint8 and chunk.flags.c_contiguous for chunk in chunks)
    assert max(map(len, chunks)) <= 7
    np.testing.assert_array_equal(np.concatenate(chunks), toys.images[start:])


def test_yields_nothing_from_the_end(toys):
    assert list(SmallNORBFile(*toys.paths).chunks(72)) == []


def test_takes_the_first_camera(toys, copies):
    _, contents = copies
    pairs = np.frombuffer(contents[DAT][24:], np.uint8).reshape(-1, 2, 96, 96)
    assert (pairs[:, 0] != pairs[:, 1]).any(axis=(1, 2)).all()
    first = next(SmallNORBFile(*toys.paths).chunks())
    np.testing.assert_array_equal(first[..., 0], pairs[:, 0])


def test_takes_toys_that_fill_no_grid(miniature, copies):
    paths, contents = copies
    labels = np.frombuffer(contents[TEST_INFO][20:], "<i4").reshape(-1, 4).copy()
    labels[0] = labels[1]
    paths[TEST_INFO].write_bytes(gzip.compress(miniature.matrix_bytes(labels)))
    reader = SmallNORBFile(*paths)
    assert reader.grid is None and len(reader) == 72
    # Each half by itself is a grid, twice the same one is none.
    assert SmallNORBFile(*paths[:3], *paths[:3]).grid is None


def test_takes_halves_of_different_lengths(miniature, toys, copies):
    paths, contents = copies
    pairs = np.frombuffer(contents[TEST_DAT][24:], np.uint8).reshape(-1, 2, 96, 96)[:5]
    labels = np.frombuffer(contents[TEST_INFO][20:], "<i4").reshape(-1, 4)[:5]
    categories = np.frombuffer(contents[TEST_CAT][20:], "<i4")[:5]
    for path, matrix in zip(paths[3:], (pairs, categories, labels), strict=True):
        path.write_bytes(gzip.compress(miniature.matrix_bytes(matrix)))
    reader = SmallNORBFile(*paths)
    assert reader.grid is None and len(reader) == 41
    np.testing.assert_array_equal(np.concatenate(list(reader.chunks(35))), toys.images[35:41])


def test_refuses_files_in_another_order(copies):
    (dat, cat, info, *testing), _ = copies
    refuses((dat, info, cat, *testing), info, "int32 (36, 4) and not int32 (n,)")
    refuses((dat, cat, cat, *testing), cat, "int32 (36,) and not int32 (n, 4)")
    refuses((cat, dat, info, *testing), cat, "int32 (36,) and not uint8 (n, 2, 96, 96)")
    refuses((dat, dat, info, *testing), dat, "uint8 (36, 2, 96, 96) and not int32 (n,)")


def test_refuses_another_number_of_files(toys):
    for paths in ((), toys.paths[:3], [*toys.paths, toys.paths[0]]):
        with pytest.raises(UsageError, match="six files"):
            SmallNORBFile(*paths)


def test_refuses_other_matrices(miniature, copies):
    paths, contents = copies
    for which, matrix, words in (
        (CAT, np.zeros(35, np.int32), "35 rows"),
        (TEST_INFO, np.zeros((37, 4), np.int32), "37 rows"),
        (DAT, np.zeros((35, 2, 96, 96), np.uint8), "36 rows"),
        (DAT, np.zeros((36, 2, 96, 95), np.uint8), "(36, 2, 96, 95)"),
        (DAT, np.zeros((36, 96, 96), np.uint8), "(36, 96, 96)"),
        (DAT, np.zeros((0, 2, 96, 96), np.uint8), "(0, 2, 96, 96)"),
        (TEST_INFO, np.zeros((36, 4), np.uint8), "uint8 (36, 4)"),
    ):
        paths[which].write_bytes(gzip.compress(miniature.matrix_bytes(matrix)))
        # Where the images are fewer, the labels are what does not fit.
        named = paths[CAT] if words == "36 rows" else paths[which]
        refuses(paths, named, words)
        paths[which].write_bytes(gzip.compress(contents[which]))


@pytest.mark.parametrize(
    ("magic", "kind"),
    [
        (0x1E3D4C51, "float32"),
        (0x1E3D4C52, "packed"),
        (0x1E3D4C53, "float64"),
        (0x1E3D4C54, "int32"),
        (0x1E3D4C56, "int16"),
    ],
)
def test_names_other_kinds_of_values(copies, magic, kind):
    paths, contents = copies
    content = magic.to_bytes(4, "little") + contents[DAT][4:]
    paths[DAT].write_bytes(gzip.compress(content))
    refuses(paths, paths[DAT], f"{kind} (36, 2, 96, 96)")


def test_refuses_files_that_are_no_matrices(copies):
    paths, contents = copies
    for which in range(6):
        for content in (
            b"",
            b"a few words",
            b"\x1f\x8b",
            gzip.compress(b""),
            gzip.compress(b"words"),
            gzip.compress(contents[which][:8]),
            gzip.compress(contents[which][:4] + b"\xff\xff\xff\x7f" + contents[which][8:]),
            contents[which],
        ):
            paths[which].write_bytes(content)
            refuses(paths, paths[which])
        paths[which].write_bytes(gzip.compress(contents[which]))


def test_refuses_matrices_that_are_longer_or_shorter_than_they_say(copies):
    paths, contents = copies
    for which in range(6):
        for content in (contents[which][:-1], contents[which][:30], contents[which] + b"\0"):
            paths[which].write_bytes(gzip.compress(content))
            with pytest.raises(FailureError, match="truncated or damaged") as error:
                SmallNORBFile(*paths)
            assert str(paths[which]) in str(error.value)
        paths[which].write_bytes(gzip.compress(contents[which]))


def test_says_that_a_file_cannot_be_read(toys, tmp_path):
    with pytest.raises(FailureError, match=f"^{tmp_path}/none cannot be read: "):
        SmallNORBFile(*toys.paths[:5], tmp_path / "none")


@pytest.mark.parametrize("which", range(6))
def test_says_at_once_that_a_file_is_truncated(copies, which):
    paths, _ = copies
    content = paths[which].read_bytes()
    for length in (12, 40, *range(60, len(content), len(content) // 8), len(content) - 8, -1):
        paths[which].write_bytes(content[:length])
        with pytest.raises(FailureError) as error:
            SmallNORBFile(*paths)
        bytes_there = f"{paths[which].stat().st_size:,} bytes"
        for words in (str(paths[which]), "truncated", bytes_there, "Download it again."):
            assert words in str(error.value)


@pytest.mark.parametrize("which", range(6))
def test_says_that_a_file_is_damaged(copies, which):
    paths, contents = copies
    content = paths[which].read_bytes()
    rng = np.random.default_rng(which)
    refused = 0
    for place in rng.integers(10, len(content), 100):
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.integers(8)
        paths[which].write_bytes(damaged)
        # A few bits of a compressed stream, such as those that fill its last byte, mean nothing.
        if not unpacks_to(damaged, contents[which]):
            refuses(paths, paths[which])
            refused += 1
    assert refused > 90


def test_says_that_images_were_exchanged_since(miniature, copies):
    paths, _ = copies
    reader = SmallNORBFile(*paths)
    paths[DAT].write_bytes(gzip.compress(miniature.matrix_bytes(np.zeros((5, 2, 96, 96), "u1"))))
    with pytest.raises(FailureError, match="end too early"):
        list(reader.chunks())


def test_resizes_as_pillow_does(toys):
    images = toys.images[::10]
    smaller = resized(images, 64)
    assert smaller.shape == (8, 64, 64, 1) and smaller.dtype == np.uint8
    for image, small in zip(images, smaller, strict=True):
        expected = Image.fromarray(image[..., 0]).resize((64, 64), Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(small[..., 0], expected)
    assert resized(images, 96) is images
