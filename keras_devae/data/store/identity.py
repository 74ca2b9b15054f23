"""The names, sizes and hashes of the files from which official images were read."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

from keras_devae.data.builtin.declaration import BuiltinSet, PublishedFile
from keras_devae.data.dataset import Progress
from keras_devae.errors import FailureError

_BLOCK = 2**24
HASH_TITLES = {"sha256": "SHA-256", "md5": "MD5"}


@dataclasses.dataclass(frozen=True)
class FileIdentity:
    """Identifies the file, or the files, from which official images were read.

    For several files, `file` lists their names, separated by commas, `bytes` is their total size,
    and `sha256` is the hash of the lines that `sha256sum` prints. `matches_published` says whether
    each has the published hash, `None` if unknown. The store's record has the same fields.
    """

    file: str
    bytes: int
    sha256: str
    matches_published: bool | None


def identify(
    declaration: BuiltinSet, paths: Sequence[Path], progress: Progress | None = None
) -> FileIdentity:
    """Hashes files, in the order of the declaration, and compares them with the published ones.

    A file of another size may be a different one of the same format (part of the set, say) and is
    only marked as such; one of the published size with other content raises `FailureError`.
    """
    digests = [
        checked_hash(file, path, progress)
        for file, path in zip(declaration.files, paths, strict=True)
    ]
    sha256, matches = zip(*digests, strict=True)
    names = [path.name for path in paths]
    if len(paths) > 1:
        lines = "".join(f"{one}  {name}\n" for one, name in zip(sha256, names, strict=True))
        sha256 = (hashlib.sha256(lines.encode()).hexdigest(),)
    return FileIdentity(
        file=", ".join(names),
        bytes=sum(path.stat().st_size for path in paths),
        sha256=sha256[0],
        matches_published=None if None in matches else all(matches),
    )


def checked_hash(
    file: PublishedFile, path: Path, progress: Progress | None = None
) -> tuple[str, bool | None]:
    """Returns the SHA-256 of one file, and whether it is the published one; see `identify`."""
    if file.published_hash is None:
        return file_hashes(path, ("sha256",), progress)[0], None
    algorithm, published = file.published_hash
    sha256, digest = file_hashes(path, ("sha256", algorithm), progress)
    if digest != published and path.stat().st_size == file.num_bytes:
        raise FailureError(
            f"{path} is damaged: its {HASH_TITLES[algorithm]} is {digest} instead of {published}. "
            "Download it again."
        )
    # Another hash says nothing about a file that its authors have replaced.
    return sha256, True if digest == published else None if file.was_replaced else False


def file_hashes(
    path: Path, algorithms: Sequence[str], progress: Progress | None = None
) -> tuple[str, ...]:
    """Returns a file's hashes in hexadecimal digits by `hashlib` name, reading it once."""
    hashes = [hashlib.new(name, usedforsecurity=False) for name in algorithms]
    try:
        done, total = 0, path.stat().st_size
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                for one in hashes:
                    one.update(block)
                done += len(block)
                if progress is not None:
                    progress(done, total, f"Checking {path.name}")
    except OSError as error:
        raise FailureError(f"{path} cannot be read: {error}.") from None
    return tuple(one.hexdigest() for one in hashes)
