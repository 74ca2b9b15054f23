"""The start of a run, a new one or one to go on with: all up to the first step.

Keras is imported only after all that can be checked without it has been.
"""

import functools
import logging
from pathlib import Path

from keras_devae.backend import start_backend
from keras_devae.backend.choosing import chosen_backend, preferred_backend, select_backend
from keras_devae.errors import FailureError, UsageError, ran_out_of_memory
from keras_devae.runs.distributed import (
    check_distributed,
    is_worker,
    own_copy,
    own_path,
    without_the_refused,
)
from keras_devae.runs.folder import RunDirectory, check_free, unused_path
from keras_devae.runs.placement import check_places
from keras_devae.runs.tracking import check_tensorboard

logger = logging.getLogger(__name__)


def check_start(path, config, backend=None, overwrite=False):
    """Checks that a new run can start, and touches nothing.

    Args:
        path: Its folder.
        config: Its `RunConfig`.
        backend: Keras backend asked for, or `None`: that of `config`, else what
            `keras_devae.backend.select_backend` takes.
        overwrite: Whether a run that is there already may be replaced; default false.

    Raises:
        UsageError: If the backend is not there, or the folder is taken or cannot be written, or
            what it is to write for TensorBoard cannot be, or the run does not fit the devices that
            it is distributed over.
    """
    select_backend(backend or config.compute.backend)
    check_tensorboard(config)
    if not is_worker(config):
        check_free(path, overwrite)
    if config.compute.distribute is not None:
        start_backend(backend or config.compute.backend, deterministic=config.compute.deterministic)
        check_distributed(config)


def start_new(path, config, dataset, backend=None, overwrite=False, default_name=None):
    """Builds the model of a new run and makes its folder.

    Args:
        path: Its folder.
        config: Its `RunConfig`.
        dataset: Its data set.
        backend: As for `check_start`.
        overwrite: As for `check_start`.
        default_name: Name of the folder that is numbered where another process has taken the path
            meanwhile; or `None` (default) for a path that somebody has asked for.

    Returns:
        The tuple of a function that trains, called with the three that follow; the
        `RunDirectory`; the completed `RunConfig`; and the data set.

    Raises:
        UsageError: If the model and the images do not go together, or the folder is taken.
    """
    config = config.resolved(dataset)
    start_backend(backend or config.compute.backend, deterministic=config.compute.deterministic)

    from keras_devae.runs.choices import completed_config
    from keras_devae.runs.training import build_model, train

    config = completed_config(without_the_refused(config), dataset)
    try:
        model = build_model(config, dataset)
    except Exception as error:
        if not ran_out_of_memory(error):
            raise
        raise FailureError(
            "The memory of this machine is too small for the model. Choose a smaller --latent-dim "
            "or fewer --network-units."
        ) from error
    run = _created(own_path(config, path), overwrite, default_name)
    return functools.partial(train, model), run, config, dataset


def _created(path, overwrite, default_name):
    while True:
        try:
            return RunDirectory.create(path, overwrite)
        except UsageError:
            if default_name is None:
                raise
            free = unused_path(Path(path).parent, default_name)
            if free == Path(path):
                raise
            path = free


def start_again(run, backend=None, progress=None):
    """Takes an interrupted run up, and loads its images once nothing stands against that.

    Args:
        run: The `RunDirectory`.
        backend: Keras backend asked for, or `None`: `KERAS_BACKEND`, else the run's own where it
            is installed.
        progress: See `RunDirectory.load_dataset`.

    Returns:
        As for `start_new`. Another backend than the run's own is warned of, and recorded.

    Raises:
        UsageError: If the backend is not there, or the data set is not.
        ClaimedError: If another process is training the run.
    """
    config = run.read_config()
    check_places(run)
    select_backend(preferred_backend(backend, config.compute.backend))
    if not is_worker(config):
        run.claim()
    try:
        dataset = run.load_dataset(progress=progress)
        start_backend(backend, config.compute.backend, config.compute.deterministic)
        check_distributed(config)
    except BaseException:
        run.release()
        raise
    # A worker claims a copy of its own, which it makes only now.
    run = own_copy(config, run)
    run.claim()
    active = chosen_backend()
    if config.compute.backend not in (None, active):
        logger.warning(
            "The run was begun on %s and goes on with %s: it will not end with the same numbers. "
            "To keep to %s, give --backend %s before the command, or unset KERAS_BACKEND.",
            *(config.compute.backend, active, config.compute.backend, config.compute.backend),
        )
        run.record_backend(active)
        config = config.replace(backend=active)

    from keras_devae.runs.training import resume

    return resume, run, config, dataset
