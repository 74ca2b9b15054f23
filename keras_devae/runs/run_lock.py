"""The claim of one process on a run."""

import logging
import os
from pathlib import Path

from keras_devae.errors import FailureError, UsageError
from keras_devae.files.reading import reason_of

#: Name of the locked file in the run's folder; its presence alone means nothing.
LOCK_NAME = ".lock"
#: How long a claim waits, as another process may hold the lock briefly just to test it.
_PATIENCE_SECONDS = 1

logger = logging.getLogger("keras_devae")


class ClaimedError(UsageError):
    """Another process has claimed the run."""


class RunLock:
    """The claim of a process on a run: a lock on a file in the run's folder.

    The operating system releases it when the process ends, even by `kill -9`.
    """

    def __init__(self, file: str | os.PathLike[str]):
        self._file = Path(file)
        self._lock = None

    def acquire(self, timeout: float = _PATIENCE_SECONDS) -> None:
        """Takes the claim unless this object already has it, waiting up to `timeout` seconds.

        Raises:
            ClaimedError: If another process has it.
            UsageError: If a file of another kind has the lock's name.
            FailureError: If the file cannot be written.
        """
        try:
            self._take(timeout)
        except TimeoutError:
            raise ClaimedError(
                f"Another process is training the run {self._file.parent}. Wait for it to end."
            ) from None
        except ModuleNotFoundError:
            # filelock is not among the few packages that training requires.
            logger.warning(
                "filelock is not installed: make sure that no other process trains %s.",
                self._file.parent,
            )
        except OSError as error:
            raise FailureError(f"{self._file} cannot be locked: {reason_of(error)}.") from None
        except NotImplementedError:
            logger.warning(
                "The file system of %s has no locks: make sure that no other process trains it.",
                self._file.parent,
            )

    def release(self) -> None:
        """Releases the claim, if there is one."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def is_held(self) -> bool:
        """Tells whether this object or another process has the claim."""
        if self._lock is not None:
            return True
        if not (self._file.is_file() and self._is_free_or_ours()):
            return False
        try:
            self._take(0)
        except TimeoutError:
            return True
        except (ModuleNotFoundError, NotImplementedError, OSError):
            # No process can hold it, or the folder is read-only.
            return False
        self.release()
        return False

    def _is_free_or_ours(self):
        # Taking the lock would empty the file, so only an empty file can be one.
        taken = os.path.lexists(self._file)
        return not taken or (self._file.is_file() and not self._file.stat().st_size)

    def _take(self, timeout):
        if self._lock is not None:
            return
        import filelock

        if not self._is_free_or_ours():
            raise UsageError(
                f"{self._file} is not a lock of this package, which is an empty file. Move it away."
            )
        lock = filelock.FileLock(self._file)
        lock.acquire(timeout=timeout)
        self._lock = lock
