import errno
import os
import subprocess
import sys

import numpy as np
import pytest

from keras_devae.errors import UsageError
from keras_devae.files import (
    DiskFullError,
    archive_damage,
    check_folder,
    check_new,
    check_writable,
    leftovers,
    remove_temporary,
    replacing,
)

#: Places that cannot be written, by the root neither.
UNWRITABLE = [
    *("/", ".", f"{__file__}/file", f"{__file__}/folder/file", "/proc/file", "/proc/folder/file"),
    *("/dev/full", "/dev/null", "/dev/full/file", "/sys/file", "", " ", "a\nb", "a\0b", "a" * 256),
    *("a/" * 2050, "a\udc80", "a\tb/c", 3, None, b"a"),
]


@pytest.mark.parametrize("path", UNWRITABLE)
def test_what_cannot_be_written_is_refused(path):
    with pytest.raises(UsageError, match=r"Cannot write to|The file to write") as refused:
        check_writable(path)
    assert "\n" not in str(refused.value) and str(refused.value).endswith(".")


@pytest.mark.parametrize("path", [*UNWRITABLE, os.path.dirname(__file__), __file__])
def test_what_cannot_be_made_anew_is_refused(path):
    with pytest.raises(UsageError, match=r"Cannot write to|The folder to write|exists"):
        check_new(path)


def test_a_link_that_leads_to_itself_is_no_folder(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for check in (check_writable, check_new, check_folder):
        with pytest.raises(UsageError, match=r"^Cannot write to .*loop is not a folder\."):
            check(tmp_path / "loop" / "file")


def test_a_disk_that_is_full_is_found_before_the_work(tmp_path, monkeypatch):
    def full(dir):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    for check in (check_writable, check_new, check_folder):
        with pytest.raises(UsageError, match=r"^Cannot write to .*two: No space left on device\."):
            check(tmp_path / "one" / "two")


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


KILLED = """
import os, signal, sys
from keras_devae.files import replacing

for name in ("config.json", "a" * 250 + ".npz", "ä." + "ö" * 125, "step-1.keras"):
    alone = name.endswith(".keras")
    if os.fork() == 0:
        with replacing(os.path.join(sys.argv[1], name), alone=alone) as temporary:
            temporary.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    os.wait()
"""
#: What others call their files; the second to last lie is one of this package, but for the digits.
NOT_OURS = [
    *(".notes.2024", ".env.12345.local", ".config.4194305.json", ".step-00000010.4194305.keras"),
    *("tmpabc", "config.json~", ".config.json.swp", ".#config.json", ".lock", "a.keras-devae-1"),
    *(".a.keras-devae-4194305.json", ".keras-devae-4194305-0123456789abcdef"),
    *(".a.keras-devae-4194305-0123456789abcdeg.json", "a.keras-devae-4194305-0123456789abcdef"),
]


def test_leftovers_are_what_this_package_left_when_it_was_killed(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=True)
    found = leftovers(tmp_path)
    assert len(found) == 4 and {*found} == {*tmp_path.iterdir()}
    assert [path.is_dir() for path in found].count(True) == 1
    for path in found:
        remove_temporary(path)
        remove_temporary(path)
    assert list(tmp_path.iterdir()) == [] == leftovers(tmp_path / "missing")


def test_no_other_name_is_a_leftover(tmp_path):
    for name in NOT_OURS:
        (tmp_path / name).touch()
    (tmp_path / "target").touch()
    (tmp_path / ".link.keras-devae-4194305-0123456789abcdef").symlink_to("target")
    (tmp_path / f".own.keras-devae-{os.getpid()}-0123456789abcdef.json").touch()
    assert leftovers(tmp_path) == []


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
