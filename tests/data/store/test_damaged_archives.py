"""Archives of arrays that are damaged or hostile: one reader says so, whoever asks."""

import io
import os
import zipfile

import numpy as np
import pytest

from keras_devae.data import from_npz
from keras_devae.errors import FailureError, UsageError
from keras_devae.evaluation.array_files import read_codes_file
from keras_devae.files import archives
from keras_devae.files.archives import read_arrays

CODES = np.random.default_rng(0).normal(size=(50, 3))


def member(array=CODES, header=None, end=b""):
    """Returns the bytes of an array, with another header where one is given."""
    stream = io.BytesIO()
    if header is None:
        np.lib.format.write_array(stream, array)
    else:
        text = header.encode() + b"\n"
        stream.write(
            b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + array.tobytes()
        )
    return stream.getvalue() + end


def header(shape, dtype="<f8"):
    return f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}}}"


def archive(content, compression=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as made:
        for name in ("codes", "images"):
            made.writestr(f"{name}.npy", content)
    return stream.getvalue()


def changed(content, places, value):
    """Sets a byte behind each of some signatures."""
    content = bytearray(content)
    for signature, offset in places:
        start = -1
        while (start := content.find(signature, start + 1)) >= 0:
            content[start + offset] = value
    return bytes(content)


def flipped(content):
    content = bytearray(content)
    for place in (len(content) // 4, 3 * len(content) // 4):
        content[place] ^= 1
    return bytes(content)


WHOLE = archive(member())
#: Damage -> content of the file, and the error.
DAMAGES = {
    "empty": (b"", UsageError),
    "text": (b"codes", UsageError),
    "a .npy file": (member(), UsageError),
    "cut": (WHOLE[:-100], FailureError),
    "half": (WHOLE[: len(WHOLE) // 2], FailureError),
    "flipped": (flipped(WHOLE), FailureError),
    "flipped, deflated": (flipped(archive(member(), zipfile.ZIP_DEFLATED)), FailureError),
    "flipped, lzma": (flipped(archive(member(), zipfile.ZIP_LZMA)), FailureError),
    "encrypted": (
        changed(changed(WHOLE, [(b"PK\x03\x04", 6)], 1), [(b"PK\x01\x02", 8)], 1),
        UsageError,
    ),
    "of an unknown compression": (
        changed(changed(WHOLE, [(b"PK\x03\x04", 8)], 77), [(b"PK\x01\x02", 10)], 77),
        FailureError,
    ),
    "members that are no arrays": (archive(b"hello"), FailureError),
    "empty members": (archive(b""), FailureError),
    "a wrong magic": (archive(b"\x93NUMPX" + member()[6:]), FailureError),
    "an unknown version": (archive(b"\x93NUMPY\x09\x09" + member()[8:]), FailureError),
    "a header that is no Python": (archive(member(header="{{{")), FailureError),
    "a nested header": (archive(member(header="(" * 3000)), FailureError),
    "a header of code": (archive(member(header="__import__('os').system('x')")), FailureError),
    "a huge shape": (archive(member(header=header((2**62, 3)))), FailureError),
    "an impossible shape": (archive(member(header=header((10**30,)))), FailureError),
    "a negative shape": (archive(member(header=header((-1, 3)))), FailureError),
    "a shape of fractions": (archive(member(header=header((1.5, 3)))), FailureError),
    "too few bytes": (archive(member()[:-8]), FailureError),
    "too many bytes": (archive(member(end=b"x")), FailureError),
    "Python objects": (archive(member(np.array([None, {}]))), UsageError),
}


@pytest.mark.parametrize("what", DAMAGES)
@pytest.mark.parametrize(("reader", "name"), [(read_codes_file, "codes"), (from_npz, "images")])
def test_damaged_archives_are_refused_alike(what, reader, name, tmp_path):
    content, error = DAMAGES[what]
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(error) as raised:
        reader(path)
    assert str(path) in str(raised.value) and type(raised.value) is error
    with pytest.raises(error):
        read_arrays(path, [name])


def test_objects_are_not_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    np.savez(tmp_path / "x.npz", codes=np.array([Trap()], object))
    with pytest.raises(UsageError, match="unpickling runs code"):
        read_codes_file(tmp_path / "x.npz")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("put", [os.mkfifo, os.mkdir, lambda path: path.symlink_to(path.name)])
def test_what_is_no_file_is_refused_at_once(put, tmp_path):
    put(tmp_path / "x.npz")
    with pytest.raises(FailureError, match="cannot be read"):
        read_codes_file(tmp_path / "x.npz")


def test_what_does_not_fit_into_memory_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "available_memory", lambda: 1)
    np.savez_compressed(tmp_path / "bomb.npz", codes=np.zeros((200, 1000)))
    with pytest.raises(UsageError, match=r"unpacks to 0\.0 GB.* Save fewer rows"):
        read_codes_file(tmp_path / "bomb.npz")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_whole_archives_are_read_as_numpy_reads_them(save, order, tmp_path):
    names, factors = np.array(["a", "b"]), np.arange(100).reshape(50, 2)
    save(tmp_path / "x.npz", codes=np.asarray(CODES, order=order), factors=factors, names=names)
    found = read_arrays(tmp_path / "x.npz", ("codes", "factors", "names", "missing"))
    with np.load(tmp_path / "x.npz") as stored:
        assert set(found) == set(stored.files)
        for name, array in found.items():
            assert array.dtype == stored[name].dtype
            np.testing.assert_array_equal(array, stored[name])


@pytest.mark.parametrize("number", [np.nan, np.inf, 1.5, "x", [1, 2]])
def test_numbers_of_training_rows_are_whole(number, tmp_path):
    np.savez(tmp_path / "x.npz", codes=CODES, n_train=np.array(number))
    with pytest.raises(UsageError, match="`n_train`"):
        read_codes_file(tmp_path / "x.npz")
