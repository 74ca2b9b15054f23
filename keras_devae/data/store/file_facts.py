"""What identifies the files that official images were read from."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

from keras_devae.data.builtin.official import OfficialSet, PublishedFile
from keras_devae.data.dataset import Progress
from keras_devae.errors import FailureError

_BLOCK = 2**24


@dataclasses.dataclass(frozen=True)
class FileFacts:
    """What identifies the file, or the files, that official images were read from.

    Attributes:
        file: Name; of several files, their names with commas.
        bytes: Size, of all together.
        sha256: SHA-256; of several files, that of the lines that `sha256sum` prints for them.
        matches_published: Whether each has the published hash; `None` where that is not known.
    """

    file: str
    bytes: int
    sha256: str
    matches_published: bool | None


def file_facts(
    official: OfficialSet, paths: Sequence[Path], progress: Progress | None = None
) -> FileFacts:
    """Hashes files and compares them with the published ones.

    A file of another size is taken for another file of the same format (a part of the set, say)
    and only marked as such.

    Args:
        official: Which published set.
        paths: Its files, in the order of `official.files`.
        progress: Called with the bytes done, all bytes, and what is being done.

    Raises:
        FailureError: If the size is that of the published file but the content is not.
    """
    digests = [
        checked_hash(file, path, progress) for file, path in zip(official.files, paths, strict=True)
    ]
    sha256, matches = zip(*digests, strict=True)
    names = [path.name for path in paths]
    if len(paths) > 1:
        lines = "".join(f"{one}  {name}\n" for one, name in zip(sha256, names, strict=True))
        sha256 = (hashlib.sha256(lines.encode()).hexdigest(),)
    return FileFacts(
        file=", ".join(names),
        bytes=sum(path.stat().st_size for path in paths),
        sha256=sha256[0],
        matches_published=None if None in matches else all(matches),
    )


def file_hashes(
    path: Path, algorithms: Sequence[str], progress: Progress | None = None
) -> tuple[str, ...]:
    """Returns the hashes of a file in hexadecimal digits, reading it once.

    Args:
        path: The file.
        algorithms: Names as `hashlib` knows them.
        progress: Called with the bytes done, all bytes, and what is being done.

    Raises:
        FailureError: If the file cannot be read.
    """
    try:
        return _file_hashes(path, algorithms, progress)
    except OSError as error:
        raise FailureError(f"{path} cannot be read: {error}.") from None


def hash_title(algorithm: str) -> str:
    """Returns how a sentence names `"sha256"` or `"md5"`."""
    return {"sha256": "SHA-256", "md5": "MD5"}[algorithm]


def _file_hashes(
    path: Path, algorithms: Sequence[str], progress: Progress | None
) -> tuple[str, ...]:
    hashes = [hashlib.new(name, usedforsecurity=False) for name in algorithms]
    done, total = 0, path.stat().st_size
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            for one in hashes:
                one.update(block)
            done += len(block)
            if progress is not None:
                progress(done, total, f"Checking {path.name}")
    return tuple(one.hexdigest() for one in hashes)


def checked_hash(
    file: PublishedFile, path: Path, progress: Progress | None = None
) -> tuple[str, bool | None]:
    """Returns the SHA-256 of one file, and whether it is the published one; see `file_facts`."""
    if file.algorithm is None:
        return file_hashes(path, ("sha256",), progress)[0], None
    sha256, best = file_hashes(path, ("sha256", file.algorithm), progress)
    published = getattr(file, file.algorithm)
    if best != published and path.stat().st_size == file.num_bytes:
        raise FailureError(
            f"{path} is damaged: its {hash_title(file.algorithm)} is {best} instead of "
            f"{published}. Download it again."
        )
    # Another hash tells nothing of a file that its authors have replaced.
    return sha256, True if best == published else None if file.was_replaced else False
