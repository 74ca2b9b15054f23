"""The published files of a data set: found on this machine, or downloaded and checked."""

import functools
import os
from collections.abc import Sequence
from pathlib import Path

from keras_devae.checks import path_of
from keras_devae.data.builtin.declaration import BuiltinSet, PublishedFile, enumeration
from keras_devae.data.dataset import Progress
from keras_devae.data.store.download import UnwritableError, discard, download, partial_download
from keras_devae.data.store.identity import HASH_TITLES, file_hashes
from keras_devae.errors import FailureError, UsageError


def find_files(declaration: BuiltinSet, path: str | Path) -> list[Path]:
    """Returns the published files at a path (a file, or a folder with them), or raises an error."""
    given = path_of("from_file", path)
    names = [file.name for file in declaration.files]
    single = [[given]] if len(names) == 1 else []
    folders = [[folder / name for name in names] for folder in (given, given / declaration.name)]
    published = [file.url.rpartition("/")[2] for file in declaration.files]
    if published != names:
        folders.append([given / name for name in published])
    tried = [*single, *folders]
    for candidates in tried:
        if all(candidate.is_file() for candidate in candidates):
            return candidates
    missing = [next(c for c in candidates if not c.is_file()) for candidates in tried]
    what = "Its file is" if len(names) == 1 else "Its files are"
    raise UsageError(
        f"{declaration.title} is not at {enumeration(missing, 'or')}. {what} "
        f"{declaration.file_names}, published at "
        f"{declaration.files[0].url if len(names) == 1 else declaration.homepage}."
    )


def local_files(
    declaration: BuiltinSet,
    root: Path,
    store: Path,
    url: str | None,
    force: bool,
    progress: Progress | None,
) -> list[Path]:
    """Returns the published files in the data folder, downloading what is missing."""
    paths = [root / file.name for file in declaration.files]
    for file, path in zip(declaration.files, paths, strict=True):
        if force:
            discard(partial_download(path))
        if force or not path.exists():
            _fetch(declaration, file, path, _addresses(declaration, file, url), store, progress)
    return paths


def _addresses(declaration: BuiltinSet, file: PublishedFile, url: str | None) -> tuple[str, ...]:
    """Returns where a file is fetched from, in the order to try."""
    if url is None:
        url = os.environ.get(declaration.url_variable)
    if not url:
        return file.addresses
    return (url if len(declaration.files) == 1 else f"{url.rstrip('/')}/{file.name}",)


def _fetch(
    declaration: BuiltinSet,
    file: PublishedFile,
    destination: Path,
    addresses: Sequence[str],
    store: Path,
    progress: Progress | None,
) -> None:
    """Downloads one published file; if that fails, the error says how to do it by hand."""
    reasons = []
    for url in addresses:
        check = functools.partial(_check_download, declaration, file, url)
        try:
            return download(url, destination, check, progress)
        except UnwritableError as error:
            # Another address would not help.
            reasons = [str(error).rstrip(".")]
            break
        except FailureError as error:
            reasons.append(str(error).rstrip("."))
    raise FailureError(
        f"{declaration.title} is not at {store} or {destination}, and {'; '.join(reasons)}. Try "
        f"again, or do it by hand: get {file.name} from {enumeration(file.addresses, 'or')} and "
        f"put it at {destination}, or prepare it with `keras-devae data prepare "
        f"{declaration.name} --from {'FILE' if len(declaration.files) == 1 else 'FOLDER'}`."
    )


def _check_download(declaration: BuiltinSet, file: PublishedFile, url: str, path: Path) -> None:
    """Checks what a single file shows; the conversion reads all of it."""
    num_bytes = path.stat().st_size
    if url in file.addresses:
        if file.num_bytes not in (None, num_bytes):
            raise FailureError(
                f"{url} gave {num_bytes:,} bytes where {file.num_bytes:,} were expected."
            )
        if file.published_hash is not None and not file.was_replaced:
            algorithm, published = file.published_hash
            (digest,) = file_hashes(path, (algorithm,))
            if digest != published:
                raise FailureError(
                    f"{url} gave a file whose {HASH_TITLES[algorithm]} is {digest} and not the "
                    f"published {published}."
                )
    try:
        declaration.reader.check_file(path)
    except FailureError as error:
        raise FailureError(str(error).replace(str(path), f"what {url} gave")) from None
