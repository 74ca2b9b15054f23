"""Getting a published data set onto this machine, once."""

import os
from collections.abc import Sequence
from pathlib import Path

from keras_devae.data.download import download
from keras_devae.data.official import OfficialSet, data_directory, file_facts, official_set
from keras_devae.data.store import Progress, has_store, store_facts, write_store
from keras_devae.errors import FailureError, UsageError


def prepare(
    name: str,
    from_file: str | Path | None = None,
    data_dir: str | Path | None = None,
    url: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Downloads a published data set, unless its file is here, and converts it for fast reading.

    The published file lands in `<data_dir>/<file name>` and its conversion in `<data_dir>/<name>/`:
    5.9 GB for 3D Shapes, 380 MB for dSprites. Both are written under temporary names and renamed
    when complete, so that an interrupted call leaves nothing behind that looks finished. A second
    call finds the conversion, does nothing and touches no network.

    Args:
        name: `"dsprites"` or `"shapes3d"`.
        from_file: The published file, or a folder with it, if it was obtained in another way. A
            part of the set in the same format is accepted as well. Default: `<data_dir>/<file
            name>`, which is downloaded if it is missing.
        data_dir: Where to put it. Default: the environment variable `KERAS_DEVAE_DATA`, else
            `keras_devae` in the user's cache folder.
        url: Where to download from. Default: the environment variable `KERAS_DEVAE_DSPRITES_URL`
            or `KERAS_DEVAE_SHAPES3D_URL`, else the address of its authors.
        force: Whether to download and convert again what is already here. Default: `False`.
        progress: Called as `progress(done, total, what)` with bytes while downloading and images
            while converting; `total` is 0 where a server does not say.

    Returns:
        The folder with the conversion.

    Raises:
        UsageError: If the name is unknown, `from_file` does not exist, or another file has been
            prepared already and `force` is not set.
        FailureError: If the download fails, or the file is truncated, damaged or in another
            format.
    """
    official = official_set(name)
    root = data_directory(data_dir)
    store = root / name
    source = None if from_file is None else find_file(official, from_file)
    if has_store(store) and not force:
        if source is not None:
            _check_same_file(official, source, store)
        return store
    if source is None:
        source = root / official.file_name
        if force or not source.exists():
            fetch(official, source, url, progress, looked_for_at=[store, source])
    write_store(official, source, store, progress)
    return store


def find_file(official: OfficialSet, path: str | Path) -> Path:
    """Returns the published file at a path: the file itself or one in that folder.

    Raises:
        UsageError: If it is not there; names every path tried and where the file comes from.
    """
    path = Path(path).expanduser()
    tried = [path, path / official.file_name, path / official.name / official.file_name]
    for candidate in tried:
        if candidate.is_file():
            return candidate
    raise UsageError(
        f"{official.title} is not at {_listed(tried)}. Its file is {official.file_name}, "
        f"published at {official.url}."
    )


def fetch(
    official: OfficialSet,
    destination: Path,
    url: str | None,
    progress: Progress | None,
    looked_for_at: Sequence[Path],
) -> None:
    """Downloads the published file, checks it, and gives it its name.

    Args:
        official: Which published set.
        destination: File to make or to replace.
        url: See `prepare`.
        progress: See `prepare`.
        looked_for_at: Paths to name if the download fails.

    Raises:
        FailureError: If that does not succeed; says how to do it by hand.
    """
    url = url or os.environ.get(official.url_variable) or official.url
    try:
        download(url, destination, lambda path: _check_download(official, path, url), progress)
    except FailureError as error:
        raise FailureError(
            f"{official.title} is not at {_listed(looked_for_at)}, and {str(error).rstrip('.')}. "
            f"To do it by hand, get {official.file_name} from {official.url} and prepare it from "
            f"that file, or put it at {destination}."
        ) from None


def _check_download(official: OfficialSet, path: Path, url: str) -> None:
    num_bytes = path.stat().st_size
    if url == official.url and official.num_bytes not in (None, num_bytes):
        raise FailureError(
            f"{url} gave {num_bytes:,} bytes where {official.num_bytes:,} were expected."
        )
    try:
        official.file_format(path)
        file_facts(official, path)
    except FailureError as error:
        raise FailureError(str(error).replace(str(path), f"what {url} gave")) from None


def _check_same_file(official: OfficialSet, source: Path, store: Path) -> None:
    prepared = store_facts(store)
    if file_facts(official, source).sha256 != prepared.sha256:
        raise UsageError(
            f"{store} was prepared from another file ({prepared.file}, {prepared.bytes:,} bytes) "
            f"than {source}. Replace it with force=True (--force-download)."
        )


def _listed(paths: Sequence[Path]) -> str:
    *others, last = map(str, paths)
    return f"{', '.join(others)} or {last}" if others else last
