"""Getting a published data set onto this machine, once; checking it and removing it."""

import functools
import os
from collections.abc import Sequence
from pathlib import Path

from keras_devae.checks import path_of
from keras_devae.data.builtin.official import (
    OfficialSet,
    PublishedFile,
    data_directory,
    listed,
    official_set,
)
from keras_devae.data.dataset import Progress
from keras_devae.data.store.arrays_on_disk import facts_of, has_store, store_record
from keras_devae.data.store.conversion import locked, remove_store, write_store
from keras_devae.data.store.download import UnwritableError, discard, download, partial_download
from keras_devae.data.store.file_facts import checked_hash, file_facts, file_hashes, hash_title
from keras_devae.errors import FailureError, UsageError


def prepare(
    name: str,
    from_file: str | Path | None = None,
    data_dir: str | Path | None = None,
    url: str | None = None,
    force: bool = False,
    image_size: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Downloads a published data set, unless its files are here, and converts it for fast reading.

    The published files land in `<data_dir>/` and their conversion in `<data_dir>/<name>/`: 380 MB
    for dSprites, 5.9 GB for 3D Shapes, 220 MB for Cars3D, 200 MB for SmallNORB, 12.7 GB for each
    of MPI3D. Both are written under hidden names and renamed when complete, so that an interrupted
    call leaves nothing behind that looks finished, and the next one goes on where it stopped. Of
    two processes that prepare the same set, one waits for the other. A second call finds the
    conversion, does nothing and touches no network.

    Args:
        name: `"dsprites"`, `"shapes3d"`, `"cars3d"`, `"smallnorb"`, `"mpi3d_toy"`,
            `"mpi3d_realistic"` or `"mpi3d_real"`.
        from_file: The published file, or a folder with it or with them, if obtained in another
            way. A part of the set in the same format is accepted as well. Default: what lies in
            `<data_dir>`; what is missing is downloaded.
        data_dir: Where to put it. Default: the environment variable `KERAS_DEVAE_DATA`, else
            `keras_devae` in the user's cache folder.
        url: Where to download from; for SmallNORB, the folder of its six files. Default: the
            environment variable `KERAS_DEVAE_<NAME>_URL`, else the addresses of its
            authors and mirrors, in turn.
        force: Whether to download and convert again what is already here. Default: `False`.
        image_size: Pixels a side. Default: 64, to which Cars3D and SmallNORB are reduced (Lanczos)
            as in the field's comparisons; 128 and 96 keep them as published.
        progress: Called as `progress(done, total, what)` with bytes while downloading and checking
            and images while converting; `total` is 0 where it is not known.

    Returns:
        The folder with the conversion.

    Raises:
        UsageError: If the name is unknown, `from_file` does not exist, the set does not come in
            that size, or another file has been prepared already and `force` is not set.
        FailureError: If the download fails, a file is truncated, damaged or in another format, or
            the disk is full.
    """
    official = official_set(name)
    size = official.check_size(image_size)
    if from_file is not None and url is not None:
        raise UsageError("A file is either here or fetched. Received both `from_file` and `url`.")
    if url is not None and not (isinstance(url, str) and url.strip()):
        raise UsageError(f"`url` must be an address. Received: {url!r}.")
    root = data_directory(data_dir)
    store = official.store(root, size)
    sources = None if from_file is None else find_files(official, from_file)
    # A second look follows under the lock; the first spares those who only read a lock file.
    if has_store(store) and not force and sources is None:
        return store
    with locked(store, progress):
        if has_store(store) and not force:
            if sources is not None:
                _check_same_files(official, sources, store)
            return store
        if sources is not None:
            write_store(official, sources, store, size, force, progress)
        else:
            files = _local_files(official, root, store, url, force, progress)
            try:
                write_store(official, files, store, size, force, progress)
            except FailureError as error:
                how = "Download it again with force=True"
                raise FailureError(str(error).replace("Download it again", how)) from None
    return store


def verify(
    name: str, data_dir: str | Path | None = None, progress: Progress | None = None
) -> dict[str, str]:
    """Reads all that is here of a published data set and compares it with the recorded hashes.

    Args:
        name: As for `prepare`.
        data_dir: As for `prepare`.
        progress: As for `prepare`.

    Returns:
        For each file checked, its path and what was found, in words.

    Raises:
        UsageError: If the name is unknown or nothing is here.
        FailureError: If a file is damaged.
    """
    official = official_set(name)
    root = data_directory(data_dir)
    found = {}
    paths = [root / file.name for file in official.files]
    for file, path in zip(official.files, paths, strict=True):
        if path.is_file():
            found[str(path)] = _published_state(file, path, progress)
    if len(found) == len(paths) and "as published" not in found.values():
        # No hash tells; opening it does, at least for what is truncated.
        official.file_format(*paths)
    for store in _stores(official, root):
        for path, expected in _recorded_hashes(store).items():
            if not path.is_file() or file_hashes(path, ("sha256",), progress)[0] != expected:
                raise FailureError(
                    f"{path} is damaged: its SHA-256 is not the recorded one. Prepare {name} again "
                    "with force=True."
                )
            found[str(path)] = "as it was prepared"
    if not found:
        raise UsageError(
            f"{official.title} is not in {root}, so that there is nothing to verify. Prepare it "
            f"with `keras-devae data prepare {name}`."
        )
    return found


def remove(
    name: str,
    data_dir: str | Path | None = None,
    downloads: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Removes the conversions of a published data set, and what is left of unfinished ones.

    Args:
        name: As for `prepare`.
        data_dir: As for `prepare`.
        downloads: Whether the published files in the data folder go as well. Default: `False`.
        progress: Told when there is another process to wait for.

    Returns:
        What was removed.

    Raises:
        UsageError: If the name is unknown.
        FailureError: If something cannot be removed.
    """
    official = official_set(name)
    root = data_directory(data_dir)
    removed = []
    try:
        for size in official.image_sizes:
            store = official.store(root, size)
            if root.is_dir():
                with locked(store, progress):
                    removed += remove_store(store)
        for file in official.files if downloads else ():
            path = root / file.name
            discard(partial_download(path))
            if path.exists():
                path.unlink()
                removed.append(path)
    except OSError as error:
        raise FailureError(f"{official.title} could not be removed: {error}.") from None
    return removed


def find_files(official: OfficialSet, path: str | Path) -> list[Path]:
    """Returns the published files at a path: the file itself, or those in that folder.

    Raises:
        UsageError: If they are not there; names every path tried and where the files come from.
    """
    path = path_of("from_file", path)
    names = [file.name for file in official.files]
    single = [[path]] if len(names) == 1 else []
    folders = [[folder / name for name in names] for folder in (path, path / official.name)]
    published = [file.url.rpartition("/")[2] for file in official.files]
    if published != names:
        folders.append([path / name for name in published])
    tried = [*single, *folders]
    for candidates in tried:
        if all(candidate.is_file() for candidate in candidates):
            return candidates
    missing = [next(c for c in candidates if not c.is_file()) for candidates in tried]
    what = "Its file is" if len(names) == 1 else "Its files are"
    raise UsageError(
        f"{official.title} is not at {listed(missing, 'or')}. {what} {official.file_names}, "
        f"published at {official.files[0].url if len(names) == 1 else official.homepage}."
    )


def _local_files(
    official: OfficialSet,
    root: Path,
    store: Path,
    url: str | None,
    force: bool,
    progress: Progress | None,
) -> list[Path]:
    """Returns the published files in the data folder, downloading what is missing."""
    paths = [root / file.name for file in official.files]
    for file, path in zip(official.files, paths, strict=True):
        if force:
            discard(partial_download(path))
        if force or not path.exists():
            _fetch(official, file, path, _addresses(official, file, url), store, progress)
    return paths


def _addresses(official: OfficialSet, file: PublishedFile, url: str | None) -> tuple[str, ...]:
    """Returns where a file is fetched from, in the order to try."""
    if url is None:
        url = os.environ.get(official.url_variable)
    if not url:
        return file.addresses
    return (url if len(official.files) == 1 else f"{url.rstrip('/')}/{file.name}",)


def _fetch(
    official: OfficialSet,
    file: PublishedFile,
    destination: Path,
    addresses: Sequence[str],
    store: Path,
    progress: Progress | None,
) -> None:
    """Downloads one published file; the error of a failure says how to do it by hand."""
    reasons = []
    for url in addresses:
        check = functools.partial(_check_download, official, file, url)
        try:
            return download(url, destination, check, progress)
        except UnwritableError as error:
            # Nor could it be written from anywhere else.
            reasons = [str(error).rstrip(".")]
            break
        except FailureError as error:
            reasons.append(str(error).rstrip("."))
    raise FailureError(
        f"{official.title} is not at {store} or {destination}, and {'; '.join(reasons)}. Try "
        f"again, or do it by hand: get {file.name} from {listed(file.addresses, 'or')} and put it "
        f"at {destination}, or prepare it with `keras-devae data prepare {official.name} --from "
        f"{'FILE' if len(official.files) == 1 else 'FOLDER'}`."
    )


def _check_download(official: OfficialSet, file: PublishedFile, url: str, path: Path) -> None:
    """Checks what can be told of one file alone; the conversion looks at all of it."""
    num_bytes = path.stat().st_size
    if url in file.addresses:
        if file.num_bytes not in (None, num_bytes):
            raise FailureError(
                f"{url} gave {num_bytes:,} bytes where {file.num_bytes:,} were expected."
            )
        if file.algorithm is not None and not file.was_replaced:
            (digest,) = file_hashes(path, (file.algorithm,))
            if digest != getattr(file, file.algorithm):
                raise FailureError(
                    f"{url} gave a file whose {hash_title(file.algorithm)} is {digest} and not the "
                    f"published {getattr(file, file.algorithm)}."
                )
    check = official.file_format if len(official.files) == 1 else official.file_format.check_file
    try:
        check(path)
    except FailureError as error:
        raise FailureError(str(error).replace(str(path), f"what {url} gave")) from None


def _check_same_files(official: OfficialSet, sources: Sequence[Path], store: Path) -> None:
    prepared = facts_of(store_record(store))
    if file_facts(official, sources).sha256 != prepared.sha256:
        raise UsageError(
            f"{store} was prepared from another file ({prepared.file}, {prepared.bytes:,} bytes) "
            f"than {listed(sources, 'and')}. Replace it with force=True."
        )


def _published_state(file: PublishedFile, path: Path, progress: Progress | None) -> str:
    match checked_hash(file, path, progress)[1]:
        case True:
            return "as published"
        case None if file.was_replaced:
            return "not the file whose hash is known, which its authors have replaced since"
        case None:
            return "no published hash is known"
    return "not the published file"


def _stores(official: OfficialSet, root: Path) -> list[Path]:
    stores = [official.store(root, size) for size in official.image_sizes]
    return [store for store in stores if has_store(store)]


def _recorded_hashes(store: Path) -> dict[Path, str]:
    return {store / name: digest for name, digest in store_record(store)["hashes"].items()}
