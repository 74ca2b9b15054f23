"""What happens once when a run is created: its network is found, and its folder made."""

import os
from pathlib import Path

from keras_devae.backend import start_backend
from keras_devae.errors import UsageError
from keras_devae.models.network_names import is_function_name
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.folder import RunDirectory
from keras_devae.runs.layout import unused_path


def check_own_network(config: RunConfig, backend: str | None) -> None:
    """Imports the user's function that builds the networks, if any, before images are read.

    Raises:
        UsageError: If there is no such function, or it needs an argument that it is not given.
    """
    if not is_function_name(config.model.network):
        return
    # Its module imports Keras.
    start_backend(backend, deterministic=config.compute.deterministic)
    from keras_devae.models.network_pairs import check_network_function

    check_network_function(config.model.network)


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
