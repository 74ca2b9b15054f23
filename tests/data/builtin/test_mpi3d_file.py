import pickle
import zipfile

import numpy as np
import pytest

from keras_devae.data import FactorGrid
from keras_devae.data.builtin import mpi3d
from keras_devae.data.builtin.mpi3d import MPI3DFile
from keras_devae.errors import FailureError

SIZES = (2, 3, 1, 2, 2, 3, 2)
LENGTH = 144


class SmallMPI3DFile(MPI3DFile):
    grid = FactorGrid(MPI3DFile.factor_names, SIZES)


@pytest.fixture(scope="module", params=[True, False], ids=["deflated", "stored"])
def arms(request, miniature, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mpi3d")
    return miniature.write_mpi3d(folder, SIZES, "mpi3d_real.npz", compressed=request.param)


@pytest.fixture(autouse=True)
def _no_pickles(monkeypatch):
    """Fails each test that unpickles anything."""
    read_array = np.lib.format.read_array

    def refuse_pickles(file, allow_pickle=False, **options):
        assert not allow_pickle
        return read_array(file, allow_pickle=False, **options)

    def refuse(*args, **options):
        raise AssertionError("unpickled")

    monkeypatch.setattr(np.lib.format, "read_array", refuse_pickles)
    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr(pickle, "load", refuse)


def refuses(path, *words):
    with pytest.raises(FailureError) as error:
        list(SmallMPI3DFile(path).chunks())
    message = str(error.value)
    assert message.startswith(str(path)) and "Download it again" in message
    for word in words:
        assert word in message


def test_knows_the_published_grid():
    assert MPI3DFile.grid.sizes == (6, 6, 2, 3, 3, 40, 40) and len(MPI3DFile.grid) == 1_036_800
    objects, axes = ("color", "shape", "size"), ("horizontal_axis", "vertical_axis")
    names = (*(f"object_{name}" for name in objects), "camera_height", "background_color", *axes)
    assert MPI3DFile.factor_names == names


def test_reads_every_image_and_factor(arms):
    reader = SmallMPI3DFile(arms.paths[0])
    assert len(reader) == LENGTH and reader.stored_shape(64) == reader.image_shape == (64, 64, 3)
    assert reader.factors.dtype == np.int64
    np.testing.assert_array_equal(reader.factors, arms.factors)
    np.testing.assert_array_equal(reader.grid.indices(reader.factors), np.arange(LENGTH))
    np.testing.assert_array_equal(np.concatenate(list(reader.chunks())), arms.images)


@pytest.mark.parametrize("start", [0, 1, 19, 20, 33, 140, 143])
def test_starts_at_any_image(arms, monkeypatch, start):
    monkeypatch.setattr(mpi3d, "_ROWS_AT_ONCE", 20)
    chunks = list(SmallMPI3DFile(arms.paths[0]).chunks(start))
    assert all(chunk.dtype == np.uint8 and chunk.flags.c_contiguous for chunk in chunks)
    assert max(map(len, chunks)) <= 20
    np.testing.assert_array_equal(np.concatenate(chunks), arms.images[start:])


def test_yields_nothing_from_the_end(arms):
    assert list(SmallMPI3DFile(arms.paths[0]).chunks(LENGTH)) == []


def test_refuses_a_number_of_rows_whose_order_is_not_known(arms):
    path = arms.paths[0]
    with pytest.raises(FailureError) as error:
        MPI3DFile(path)
    for words in (str(path), "144 images", "1,036,800", "Download it again", "npz:PATH"):
        assert words in str(error.value)


def test_refuses_other_layouts(tmp_path):
    path = tmp_path / "mpi3d_toy.npz"
    images = np.zeros((LENGTH, 64, 64, 3), np.uint8)
    for members, words in (
        ({"imgs": images}, "no member 'images'"),
        ({"images": images.astype(np.float32)}, "float32 (144, 64, 64, 3)"),
        ({"images": images.astype(np.int8)}, "int8 (144, 64, 64, 3)"),
        ({"images": images[..., :1]}, "(144, 64, 64, 1)"),
        ({"images": images[:, :32]}, "(144, 32, 64, 3)"),
        ({"images": images[:-1]}, "143 images"),
        ({"images": np.asfortranarray(images)}, "not uint8"),
        ({"images": np.uint8(3)}, "uint8 ()"),
        ({"images": np.array([{"a": 1}] * LENGTH, dtype=object)}, "object (144,)"),
    ):
        np.savez_compressed(path, **members)
        refuses(path, words)


def test_refuses_members_of_another_length(arms, tmp_path):
    path = tmp_path / "mpi3d_toy.npz"
    with zipfile.ZipFile(arms.paths[0]) as archive:
        content = archive.read("images.npy")
    for other in (content[:-1], content + b"\0", content[:200]):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("images.npy", other)
        refuses(path, "not as long")


def test_refuses_broken_headers(arms, tmp_path):
    path = tmp_path / "mpi3d_toy.npz"
    with zipfile.ZipFile(arms.paths[0]) as archive:
        content = archive.read("images.npy")
    for other in (
        b"",
        b"a few words of text",
        content[:20],
        content.replace(b"{", b"(", 1),
        content.replace(b"'|u1'", b"'|u%'", 1),
        content.replace(b"'shape'", b"'shap3'", 1),
        content.replace(b"(144", b"(-44", 1),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("images.npy", other)
        refuses(path)


def test_refuses_files_that_are_no_archives(tmp_path):
    path = tmp_path / "mpi3d_toy.npz"
    for content in (b"", b"a few words", b"PK\x03\x04", b"PK\x05\x06" + bytes(18)):
        path.write_bytes(content)
        refuses(path)
    np.save(tmp_path / "images.npy", np.zeros(3))
    refuses(tmp_path / "images.npy")


def test_says_that_a_file_cannot_be_read(tmp_path):
    for path in (tmp_path, tmp_path / "none.npz"):
        with pytest.raises(FailureError, match=f"^{path} cannot be read: "):
            MPI3DFile(path)


def test_says_at_once_that_it_is_truncated(arms, tmp_path):
    content = arms.paths[0].read_bytes()
    path = tmp_path / "mpi3d_real.npz"
    for length in (60, *range(100, len(content), len(content) // 12), len(content) - 30, -1):
        path.write_bytes(content[:length])
        with pytest.raises(FailureError) as error:
            SmallMPI3DFile(path)
        bytes_there = f"{path.stat().st_size:,} bytes"
        for words in (str(path), "truncated", bytes_there, "Download it again."):
            assert words in str(error.value)


def test_says_that_it_is_damaged(arms, tmp_path):
    content = arms.paths[0].read_bytes()
    path = tmp_path / "mpi3d_real.npz"
    rng = np.random.default_rng(0)
    # In the images: behind the headers, and before the directory of the archive.
    for place in rng.integers(300, len(content) - 150, 25):
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        refuses(path)


def test_never_reads_damage_around_the_images_as_other_images(arms, tmp_path):
    content = arms.paths[0].read_bytes()
    path = tmp_path / "mpi3d_real.npz"
    for place in (*range(0, 300, 3), *range(len(content) - 120, len(content))):
        damaged = bytearray(content)
        damaged[place] ^= 0x15
        path.write_bytes(damaged)
        # Dates and the like may be anything.
        try:
            images = np.concatenate(list(SmallMPI3DFile(path).chunks()))
        except FailureError as error:
            assert str(path) in str(error)
        else:
            np.testing.assert_array_equal(images, arms.images)


def test_says_that_it_is_encrypted_or_packed_in_an_unknown_way(arms, tmp_path):
    content = arms.paths[0].read_bytes()
    path = tmp_path / "mpi3d_real.npz"
    directory = content.rindex(b"PK\x01\x02")
    for offset, value in ((8, 1), (10, 99)):
        changed = bytearray(content)
        changed[directory + offset] = value
        path.write_bytes(changed)
        refuses(path)
