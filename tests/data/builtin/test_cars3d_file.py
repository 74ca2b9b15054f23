import gzip
import io
import pickle
import tarfile

import numpy as np
import pytest
import scipy.io
from PIL import Image

from keras_devae.data.builtin.cars3d import Cars3DFile
from keras_devae.data.store.reading import resized
from keras_devae.errors import FailureError

LIST = "data/cars/list.txt"
ONE_CAR = ("car_001_mesh",)


@pytest.fixture(scope="module")
def three_cars(miniature, tmp_path_factory):
    return miniature.write_cars3d(tmp_path_factory.mktemp("cars3d"))


@pytest.fixture(scope="module")
def one_car(miniature, tmp_path_factory):
    return miniature.write_cars3d(tmp_path_factory.mktemp("car3d"), ONE_CAR)


def members_of(path):
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def pack(path, members):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def matlab(**arrays):
    file = io.BytesIO()
    scipy.io.savemat(file, arrays)
    return file.getvalue()


def refuses(path, *words):
    with pytest.raises(FailureError) as error:
        list(Cars3DFile(path).chunks())
    message = str(error.value)
    assert message.startswith(str(path)) and message.endswith("Download it again.")
    for word in words:
        assert word in message


def test_reads_every_image_and_factor(three_cars):
    reader = Cars3DFile(three_cars.paths[0])
    assert len(reader) == 288 and reader.stored_shape(128) == reader.image_shape == (128, 128, 3)
    assert reader.grid.names == ("elevation", "azimuth", "object_type")
    assert reader.grid.sizes == (4, 24, 3)
    assert reader.factors.dtype == np.int64
    np.testing.assert_array_equal(reader.factors, three_cars.factors)
    assert sorted(reader.grid.indices(reader.factors)) == list(range(288))
    for chunk in reader.chunks():
        assert chunk.dtype == np.uint8 and chunk.flags.c_contiguous
    np.testing.assert_array_equal(np.concatenate(list(reader.chunks())), three_cars.images)


@pytest.mark.parametrize("start", [1, 95, 96, 100, 192, 287])
def test_starts_at_any_image(three_cars, start):
    chunks = list(Cars3DFile(three_cars.paths[0]).chunks(start))
    np.testing.assert_array_equal(np.concatenate(chunks), three_cars.images[start:])


def test_yields_nothing_from_the_end(three_cars):
    assert list(Cars3DFile(three_cars.paths[0]).chunks(288)) == []


def test_matches_the_axes_of_the_published_arrays(three_cars):
    content = members_of(three_cars.paths[0])["data/cars/car_001_mesh.mat"]
    stored = scipy.io.loadmat(io.BytesIO(content))["im"]
    reader = Cars3DFile(three_cars.paths[0])
    images = np.concatenate(list(reader.chunks()))
    row = np.flatnonzero((reader.factors == [3, 17, 0]).all(axis=1)).item()
    np.testing.assert_array_equal(images[row], stored[:, :, :, 17, 3])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("prefix", ["", "./"])
def test_reads_members_in_any_order(three_cars, tmp_path, seed, prefix):
    members = list(members_of(three_cars.paths[0]).items())
    members = [members[i] for i in np.random.default_rng(seed).permutation(len(members))]
    path = pack(tmp_path / "cars.tar.gz", [(prefix + name, content) for name, content in members])
    reader = Cars3DFile(path)
    images = np.concatenate(list(reader.chunks()))
    # The same images for the same factors, wherever they lie.
    places = reader.grid.indices(three_cars.factors)
    order = np.argsort(reader.grid.indices(reader.factors))
    np.testing.assert_array_equal(images[order][places], three_cars.images)


def test_numbers_cars_by_the_list_and_without_one_by_name(three_cars, tmp_path):
    members = members_of(three_cars.paths[0])
    assert list(members)[-1] == LIST
    del members[LIST]
    path = tmp_path / "cars.tar.gz"
    types = Cars3DFile(pack(path, members.items())).factors[::96, 2]
    assert types.tolist() == [2, 0, 1]
    # Lines as Windows ends them, in an order of its own.
    members[LIST] = b"car_002_mesh\r\ncar_004_mesh\r\ncar_001_mesh\r\n"
    types = Cars3DFile(pack(path, members.items())).factors[::96, 2]
    assert types.tolist() == [1, 2, 0]


def test_refuses_lists_that_do_not_fit(three_cars, tmp_path):
    members = members_of(three_cars.paths[0])
    path = tmp_path / "cars.tar.gz"
    members[LIST] += b"car_009_mesh\n"
    refuses(pack(path, members.items()), "names 'car_009_mesh', of which it has no images")
    members[LIST] = b"car_001_mesh\ncar_002_mesh\n"
    refuses(pack(path, members.items()), "names 'car_004_mesh' 0 times")
    members[LIST] = b"car_001_mesh\ncar_002_mesh\ncar_004_mesh\ncar_001_mesh\n"
    refuses(pack(path, members.items()), "names 'car_001_mesh' 2 times")


def test_refuses_other_archives(one_car, tmp_path):
    members = members_of(one_car.paths[0])
    path, car = tmp_path / "cars.tar.gz", "data/cars/car_001_mesh.mat"
    twice = [*members.items(), (car, members[car])]
    refuses(pack(path, twice), "twice")
    del members[car]
    refuses(pack(path, members.items()), "no member 'data/cars/car_*_mesh.mat'")
    refuses(pack(path, []), str(path))
    resource_fork = [("data/cars/._car_001_mesh.mat", b"no car")]
    refuses(pack(path, resource_fork), "no member")


def test_refuses_other_matlab_files(one_car, tmp_path):
    members = members_of(one_car.paths[0])
    path, car = tmp_path / "cars.tar.gz", "data/cars/car_001_mesh.mat"
    whole = members[car]
    for content, words in (
        (matlab(mask=np.zeros((128, 128), np.uint8)), "no array 'im'"),
        (matlab(im=np.zeros((128, 128, 3, 24), np.uint8)), "(128, 128, 3, 24) and not uint8"),
        (matlab(im=np.zeros((2, 2), np.float64)), "double (2, 2)"),
        (matlab(im=np.array([{}], dtype=object)), "cell"),
        (b"", "not a readable MATLAB file"),
        (b"MATLAB" * 40, "not a readable MATLAB file"),
        (b"\x89HDF\r\n\x1a\n" + bytes(2000), "not a readable MATLAB file"),
        (pickle.dumps({"im": 1}), "not a readable MATLAB file"),
        (whole[:200], "not a readable MATLAB file"),
        (whole[: len(whole) // 2], "not a readable MATLAB file"),
    ):
        members[car] = content
        refuses(pack(path, members.items()), "car_001_mesh.mat", words)


def test_refuses_files_that_are_no_archives(tmp_path):
    path = tmp_path / "cars.tar.gz"
    for content in (b"", b"a few words", b"\x1f\x8b", gzip.compress(b""), gzip.compress(b"words")):
        path.write_bytes(content)
        refuses(path)


def test_says_that_a_file_cannot_be_read(tmp_path):
    for path in (tmp_path, tmp_path / "none.tar.gz"):
        with pytest.raises(FailureError, match=f"^{path} cannot be read: "):
            Cars3DFile(path)


def test_says_at_once_that_it_is_truncated(one_car, tmp_path):
    content = one_car.paths[0].read_bytes()
    path = tmp_path / "cars.tar.gz"
    for length in (*range(20, len(content), len(content) // 12), len(content) - 8, -1):
        path.write_bytes(content[:length])
        with pytest.raises(FailureError) as error:
            Cars3DFile(path)
        bytes_there = f"{path.stat().st_size:,} bytes"
        for words in (str(path), "truncated", bytes_there, "Download it again."):
            assert words in str(error.value)


def test_says_that_an_archive_in_a_whole_stream_is_truncated(one_car, tmp_path):
    content = gzip.decompress(one_car.paths[0].read_bytes())
    path = tmp_path / "cars.tar.gz"
    path.write_bytes(gzip.compress(content[: len(content) // 2]))
    refuses(path)


def test_says_at_once_that_it_is_damaged(one_car, tmp_path):
    content = one_car.paths[0].read_bytes()
    path = tmp_path / "cars.tar.gz"
    rng = np.random.default_rng(0)
    for place in rng.integers(10, len(content), 25):
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with pytest.raises(FailureError, match="Download it again") as error:
            Cars3DFile(path)
        assert str(path) in str(error.value)


def test_says_that_it_was_damaged_since(one_car, tmp_path):
    path = tmp_path / "cars.tar.gz"
    content = bytearray(one_car.paths[0].read_bytes())
    path.write_bytes(content)
    reader = Cars3DFile(path)
    middle = len(content) // 2
    content[middle : middle + 50] = bytes(50)
    path.write_bytes(content)
    with pytest.raises(FailureError, match="Download it again"):
        list(reader.chunks())


def test_resizes_as_pillow_does(three_cars):
    images = three_cars.images[::50]
    smaller = resized(images, 64)
    assert smaller.shape == (6, 64, 64, 3) and smaller.dtype == np.uint8
    for image, small in zip(images, smaller, strict=True):
        expected = Image.fromarray(image).resize((64, 64), Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(small, expected)
    assert resized(images, 128) is images
    assert resized(images[:0], 64).shape == (0, 64, 64, 3)
