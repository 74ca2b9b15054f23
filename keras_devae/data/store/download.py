"""Downloads a file over HTTP, which gets its final name only when it is complete."""

import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from keras_devae.data.dataset import Progress
from keras_devae.errors import FailureError
from keras_devae.files import write_json

_TIMEOUT_SECONDS = 30
#: The most bytes that a broken connection can lose.
_CHUNK_BYTES = 2**16


class UnwritableError(FailureError):
    """The downloaded bytes could not be written; another address would not help."""


def download(
    url: str, destination: Path, check: Callable[[Path], object], progress: Progress | None = None
) -> None:
    """Downloads a file, resuming an interrupted download if the server can.

    Until the file is complete and `check`, called with its path, has passed, it lies beside the
    destination under a hidden name. Raises `UnwritableError` if the file cannot be written,
    and `FailureError` if the server cannot be reached, refuses, breaks off or sends a web page.
    """
    part = partial_download(destination)
    try:
        _fetch(url, part, f"Downloading {destination.name}", progress)
    # Every error of the HTTP library is an OSError; a malformed address is a ValueError.
    except (OSError, ValueError) as error:
        kept = part.stat().st_size if part.exists() else 0
        remains = f"; {kept:,} bytes have arrived and are kept" if kept else ""
        kind = FailureError if _is_of_server(error) else UnwritableError
        raise kind(f"{url} could not be downloaded: {_reason(error)}{remains}.") from None
    try:
        check(part)
    except FailureError:
        discard(part)
        raise
    part.replace(destination)
    _record(part).unlink(missing_ok=True)


def _is_of_server(error: OSError | ValueError) -> bool:
    """Returns whether an error is of the network or the server rather than of the disk."""
    from requests import exceptions

    return isinstance(error, (exceptions.RequestException, ValueError)) or error.errno is None


def _reason(error: Exception) -> str:
    """Returns an HTTP error in words, where the library nests representations of objects."""
    from requests import exceptions

    if isinstance(error, exceptions.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(error, exceptions.Timeout):
        return f"the server did not answer for {_TIMEOUT_SECONDS} seconds"
    if isinstance(error, exceptions.ConnectionError):
        return "the server cannot be reached"
    return str(error).rstrip(".")


def partial_download(destination: Path) -> Path:
    """Returns the hidden path of an incomplete download to `destination`."""
    return destination.with_name(f".{destination.name}.keras-devae-part")


def discard(part: Path) -> None:
    """Removes an incomplete download."""
    part.unlink(missing_ok=True)
    _record(part).unlink(missing_ok=True)


def _record(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _fetch(url: str, part: Path, what: str, progress: Progress | None) -> None:
    # Imported here because it takes a fifth of a second.
    import requests

    headers = {"Accept-Encoding": "identity", **_resuming_headers(url, part)}
    with requests.get(url, stream=True, timeout=_TIMEOUT_SECONDS, headers=headers) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            if response.headers.get("Content-Range") == f"bytes */{part.stat().st_size}":
                return
            discard(part)
        response.raise_for_status()
        if response.headers.get("Content-Type", "").startswith("text/html"):
            # Bytes that came from another address are kept.
            raise OSError("the server sent a web page instead of the file")
        resumes = response.status_code == requests.codes.partial_content
        done = part.stat().st_size if resumes else 0
        total = done + int(response.headers.get("Content-Length", -done))
        write_json(_record(part), {"url": url, "validator": _validator(response.headers)})
        with part.open("ab" if resumes else "wb") as file:
            for chunk in response.iter_content(_CHUNK_BYTES):
                file.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total, what)
        if total and done != total:
            raise OSError(f"{done:,} of {total:,} bytes arrived")


def _validator(headers: Mapping[str, str]) -> str | None:
    """Returns a header that identifies this content, or `None`; weak entity tags do not count."""
    tag = headers.get("ETag", "W/")
    return headers.get("Last-Modified") if tag.startswith("W/") else tag


def _resuming_headers(url: str, part: Path) -> dict[str, str]:
    """Returns the headers that request the rest of a file, if it can be resumed."""
    with contextlib.suppress(OSError, ValueError):
        record = json.loads(_record(part).read_text())
        validator, done = record["validator"], part.stat().st_size
        if record["url"] == url and validator and done:
            return {"Range": f"bytes={done}-", "If-Range": validator}
    return {}
