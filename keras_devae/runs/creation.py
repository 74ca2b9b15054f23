"""Creates the folder of a run."""

import os
from pathlib import Path

from keras_devae.errors import UsageError
from keras_devae.runs.folder import RunDirectory
from keras_devae.runs.layout import unused_path


def created(path: Path, overwrite: bool, wanted: str | os.PathLike[str] | None) -> RunDirectory:
    """Creates a run's folder, or the next free one after `wanted` if it was taken meanwhile."""
    while True:
        try:
            return RunDirectory.create(path, overwrite)
        except UsageError:
            free = path if wanted is None else unused_path(wanted)
            if free == path:
                raise
            path = free
