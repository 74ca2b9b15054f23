import errno
import os
import subprocess
import sys

import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.files import DiskFullError, archive_damage, check_writable, leftovers, replacing


@pytest.mark.parametrize("path", ["/", f"{__file__}/file", "."])
def test_what_cannot_be_written_is_refused(path):
    with pytest.raises(UsageError, match="Cannot write to"):
        check_writable(path)


def test_a_folder_that_is_missing_can_be_made(tmp_path):
    check_writable(tmp_path / "one" / "two" / "file.json")
    assert not (tmp_path / "one").exists()


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, durable):
    path = tmp_path / "file.txt"
    path.write_text("before")
    with pytest.raises(KeyError), replacing(path, durable) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert path.read_text() == "before" and os.listdir(tmp_path) == ["file.txt"]
    with replacing(path, durable) as temporary:
        temporary.write_text("after")
    assert path.read_text() == "after" and os.listdir(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_leaves_what_was_there(number, tmp_path):
    file = tmp_path / "file.txt"
    file.write_text("before")
    said = r"no room to write \S*file\.txt"
    with pytest.raises(DiskFullError, match=said), replacing(file) as temporary:
        temporary.write_text("half")
        raise OSError(number, "full")
    assert file.read_text() == "before" and list(tmp_path.iterdir()) == [file]


def test_a_full_disk_in_the_words_of_hdf5_or_behind_another_error(tmp_path):
    said = "Can't write data (errno = 28, error message = 'No space left on device', buf = 0x5)"
    with pytest.raises(DiskFullError), replacing(tmp_path / "a"):
        raise OSError(said)
    with pytest.raises(DiskFullError), replacing(tmp_path / "a"):
        try:
            raise OSError(errno.ENOSPC, "full")
        finally:
            raise ValueError("Can't close the ZIP file")


def test_other_errors_pass(tmp_path):
    with pytest.raises(PermissionError), replacing(tmp_path / "a"):
        raise PermissionError(errno.EACCES, "no")


def test_a_device_without_room(tmp_path):
    """Linux has one for the purpose."""
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with pytest.raises(DiskFullError), replacing(tmp_path / "a"), open("/dev/full", "w") as stream:
        stream.write("x")
        stream.flush()


def test_leftovers_are_those_of_processes_that_are_gone(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = tmp_path / f".step-00000010.{gone.pid}.keras"
    for file in (left, tmp_path / f".own.{os.getpid()}.json", tmp_path / ".lock"):
        file.write_text("")
    assert leftovers(tmp_path) == [left]
    assert leftovers(tmp_path / "missing") == []


def test_every_byte_of_an_archive_is_looked_at(tmp_path):
    file = tmp_path / "a.npz"
    np.savez(file, numbers=np.arange(100))
    assert archive_damage(file) is None
    content = file.read_bytes()
    changed = bytearray(content)
    changed[len(content) // 2] ^= 1
    for damaged in (bytes(changed), content[:-30], content[:50], b"", bytes(500)):
        file.write_bytes(damaged)
        assert archive_damage(file)
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 0xFF
        file.write_bytes(changed)
        archive_damage(file)


def test_a_file_that_cannot_be_read_is_not_called_damaged(tmp_path):
    for missing in (tmp_path / "missing", tmp_path):
        with pytest.raises(OSError, match=r"missing|folder"):
            archive_damage(missing)
