"""Prepares published data sets on this machine, and describes, verifies and removes them."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_devae.checks import expanded_path, path_of
from keras_devae.data.builtin.catalogue import builtin_set
from keras_devae.data.builtin.declaration import BuiltinSet, PublishedFile, enumeration
from keras_devae.data.dataset import Progress
from keras_devae.data.image_sizes import ImageSize, checked_size
from keras_devae.data.store.conversion import locked, remove_store, write_store
from keras_devae.data.store.download import discard, partial_download
from keras_devae.data.store.identity import checked_hash, file_hashes, identify
from keras_devae.data.store.published_files import find_files, local_files
from keras_devae.data.store.reading import has_store, recorded_identity, store_record
from keras_devae.errors import FailureError, UsageError

DATA_DIR_VARIABLE = "KERAS_DEVAE_DATA"


def data_directory(data_dir: str | Path | None = None) -> Path:
    """Returns the folder that holds prepared and downloaded data.

    It is `data_dir`, else `KERAS_DEVAE_DATA`, else `keras_devae` in the user's cache folder.
    """
    if data_dir is not None:
        return path_of("data_dir", data_dir)
    # A variable that is set to nothing counts as unset.
    if chosen := os.environ.get(DATA_DIR_VARIABLE):
        return expanded_path(DATA_DIR_VARIABLE, chosen)
    import platformdirs

    return Path(platformdirs.user_cache_dir("keras_devae"))


def info(name: str, data_dir: str | Path | None = None) -> dict[str, Any]:
    """Describes a built-in data set; see `keras_devae.data.info`."""
    declaration = builtin_set(name)
    root = data_directory(data_dir)
    return {
        "name": name,
        "title": declaration.title,
        "factors": dict(zip(declaration.grid.names, declaration.grid.sizes, strict=True)),
        "images": len(declaration.grid),
        "image_shape": declaration.image_shape(declaration.image_sizes[0]),
        "image_sizes": declaration.image_sizes,
        "drawn": declaration.renderer is not None,
        "licence": declaration.licence,
        "citation": declaration.citation,
        "homepage": declaration.homepage,
        "files": [dataclasses.asdict(file) for file in declaration.files],
        "prepared": {
            str(store): dataclasses.asdict(recorded_identity(store_record(store)))
            for store in _stores(declaration, root)
        },
        "path": str(declaration.store(root)),
    }


def prepare(
    name: str,
    from_file: str | Path | None = None,
    data_dir: str | Path | None = None,
    url: str | None = None,
    force: bool = False,
    image_size: ImageSize | str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Downloads a published data set, unless its files are here, and converts it for fast reading.

    The published files are stored in `<data_dir>/` and their conversion in `<data_dir>/<name>/`:
    380 MB for dSprites, 5.9 GB for 3D Shapes, 220 MB for Cars3D, 200 MB for SmallNORB, 12.7 GB for
    each MPI3D set. Both are written under hidden names and renamed when complete, so an interrupted
    call leaves nothing that looks finished, and the next one resumes it. If two processes prepare
    the same set, one waits for the other. A second call finds the conversion, does
    nothing and uses no network.

    Args:
        name: One of `names()`.
        from_file: The published file, or the folder of the published files, if obtained another
            way. A part of the set in the same format is accepted as well. Default: the files in
            `<data_dir>`; missing ones are downloaded.
        data_dir: Where to put it. Default: the environment variable `KERAS_DEVAE_DATA`, else
            `keras_devae` in the user's cache folder.
        url: Where to download from; for SmallNORB, the folder of its six files. Default: the
            environment variable `KERAS_DEVAE_<NAME>_URL`, else the addresses of its
            authors and mirrors, tried in order.
        force: Whether to download and convert again what is already here. Default: `False`.
        image_size: Height and width in pixels. Default: 64, to which Cars3D and SmallNORB are
            reduced (Lanczos) as in the field's comparisons; 128 and 96 keep them as published.
        progress: Called as `progress(done, total, what)` with bytes while downloading and checking
            and images while converting; `total` is 0 if unknown.

    Returns:
        The folder with the conversion.

    Raises:
        UsageError: If the name is unknown, `from_file` does not exist, the set does not come in
            that size, or another file has been prepared already and `force` is not set.
        FailureError: If the download fails, a file is truncated, damaged or in another format, or
            the disk is full.
    """
    declaration = builtin_set(name)
    size = declaration.check_size(None if image_size is None else checked_size(image_size))
    if from_file is not None and url is not None:
        raise UsageError("Give either `from_file` or `url`. Received both.")
    if url is not None and not (isinstance(url, str) and url.strip()):
        raise UsageError(f"`url` must be an address. Received: {url!r}.")
    root = data_directory(data_dir)
    store = declaration.store(root, size)
    sources = None if from_file is None else find_files(declaration, from_file)
    # Checked again under the lock; the first check spares readers the lock file.
    if has_store(store) and not force and sources is None:
        return store
    with locked(store, progress):
        if has_store(store) and not force:
            if sources is not None:
                _check_same_files(declaration, sources, store)
            return store
        if sources is not None:
            write_store(declaration, sources, store, size, force, progress)
        else:
            files = local_files(declaration, root, store, url, force, progress)
            try:
                write_store(declaration, files, store, size, force, progress)
            except FailureError as error:
                how = "Download it again with force=True"
                raise FailureError(str(error).replace("Download it again", how)) from None
    return store


def verify(
    name: str, data_dir: str | Path | None = None, progress: Progress | None = None
) -> dict[str, str]:
    """Checks all files of a published data set on this machine against their hashes.

    Args:
        name: As for `prepare`.
        data_dir: As for `prepare`.
        progress: As for `prepare`.

    Returns:
        Path of each file checked -> what was found, in words.

    Raises:
        UsageError: If the name is unknown or no file of the set is here.
        FailureError: If a file is damaged.
    """
    declaration = builtin_set(name)
    declaration.check_published()
    root = data_directory(data_dir)
    found = {}
    paths = [root / file.name for file in declaration.files]
    for file, path in zip(declaration.files, paths, strict=True):
        if path.is_file():
            found[str(path)] = _published_state(file, path, progress)
    if len(found) == len(paths) and "as published" not in found.values():
        # Where no hash decides, opening the files at least reveals truncated ones.
        declaration.reader(*paths)
    for store in _stores(declaration, root):
        for file_name, expected in store_record(store)["hashes"].items():
            path = store / file_name
            if not path.is_file() or file_hashes(path, ("sha256",), progress)[0] != expected:
                raise FailureError(
                    f"{path} is damaged: its SHA-256 is not the recorded one. Prepare {name} again "
                    "with force=True."
                )
            found[str(path)] = "as it was prepared"
    if not found:
        raise UsageError(
            f"{declaration.title} is not in {root}, so that there is nothing to verify. Prepare it "
            f"with `keras-devae data prepare {name}`."
        )
    return found


def remove(
    name: str,
    data_dir: str | Path | None = None,
    downloads: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Removes the conversions of a published data set; see `keras_devae.data.remove`."""
    declaration = builtin_set(name)
    root = data_directory(data_dir)
    removed = []
    try:
        for size in declaration.image_sizes:
            store = declaration.store(root, size)
            if root.is_dir():
                with locked(store, progress):
                    removed += remove_store(store)
        for file in declaration.files if downloads else ():
            path = root / file.name
            discard(partial_download(path))
            if path.exists():
                path.unlink()
                removed.append(path)
    except OSError as error:
        raise FailureError(f"{declaration.title} could not be removed: {error}.") from None
    return removed


def _check_same_files(declaration: BuiltinSet, sources: Sequence[Path], store: Path) -> None:
    prepared = recorded_identity(store_record(store))
    if identify(declaration, sources).sha256 != prepared.sha256:
        raise UsageError(
            f"{store} was prepared from another file ({prepared.file}, {prepared.bytes:,} bytes) "
            f"than {enumeration(sources, 'and')}. Replace it with force=True."
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


def _stores(declaration: BuiltinSet, root: Path) -> list[Path]:
    stores = [declaration.store(root, size) for size in declaration.image_sizes]
    return [store for store in stores if has_store(store)]
