"""Fetching a file over HTTP, under its final name only when it is whole."""

from collections.abc import Callable
from pathlib import Path

from keras_devae.data.store import Progress, staging_folder
from keras_devae.errors import FailureError

_TIMEOUT_SECONDS = 30
_CHUNK_BYTES = 2**20


def download(
    url: str,
    destination: Path,
    check: Callable[[Path], object],
    progress: Progress | None = None,
) -> None:
    """Downloads a file.

    Args:
        url: Address, `http` or `https`.
        destination: File to make or to replace; its folder is created.
        check: Called with the downloaded file before it gets its name; raises if it is not right.
        progress: Called with the bytes done, all bytes (0 where the server does not say), and
            what is being done.

    Raises:
        FailureError: If the server cannot be reached or refuses. Nothing is left behind.
    """
    # Imported where it is needed: it takes a fifth of a second.
    import pooch

    with staging_folder(destination.parent) as staging:
        part = staging / destination.name
        bar = progress and _ProgressBar(progress, f"Downloading {destination.name}")
        fetch = pooch.HTTPDownloader(
            progressbar=bar or False, chunk_size=_CHUNK_BYTES, timeout=_TIMEOUT_SECONDS
        )
        try:
            fetch(url, str(part), None)
        # Every error of the HTTP library is an OSError; a malformed address is a ValueError.
        except (OSError, ValueError) as error:
            raise FailureError(f"{url} could not be downloaded: {error}.") from None
        check(part)
        part.replace(destination)


class _ProgressBar:
    """The progress bar that pooch expects, passed on as calls of a function."""

    def __init__(self, progress: Progress, what: str):
        self.total = 0
        self._progress = progress
        self._what = what
        self._done = 0

    def update(self, num_bytes: int) -> None:
        # pooch counts the last chunk as a whole one, and everything once more at the end.
        done = self._done + num_bytes
        self._done = min(done, self.total) if self.total else done
        self._progress(self._done, self.total, self._what)

    def reset(self) -> None:
        """Nothing to do: `update` never goes beyond the total."""

    def close(self) -> None:
        """Nothing to do."""
