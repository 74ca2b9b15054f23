"""The start of a run, a new one or one to go on with: all up to the first step.

Keras is imported only after all that can be checked without it has been.
"""

import functools

from keras_devae.backend import select_backend, start_backend
from keras_devae.experiments.distributed import (
    check_distributed,
    is_worker,
    own_copy,
    own_path,
    without_the_refused,
)
from keras_devae.experiments.run_directory import RunDirectory, check_free


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
            the run does not fit the devices that it is distributed over.
    """
    select_backend(backend or config.backend)
    if not is_worker(config):
        check_free(path, overwrite)
    if config.distribute is not None:
        start_backend(backend or config.backend, deterministic=config.deterministic)
        check_distributed(config)


def start_new(path, config, dataset, backend=None, overwrite=False):
    """Builds the model of a new run and makes its folder.

    Args:
        path: Its folder.
        config: Its `RunConfig`.
        dataset: Its data set.
        backend: As for `check_start`.
        overwrite: As for `check_start`.

    Returns:
        The tuple of a function that trains, called with the three that follow; the
        `RunDirectory`; the completed `RunConfig`; and the data set.

    Raises:
        UsageError: If the model and the images do not go together.
    """
    config = config.resolved(dataset)
    start_backend(backend or config.backend, deterministic=config.deterministic)

    from keras_devae.experiments.choices import completed_config
    from keras_devae.experiments.training import build_model, train

    config = completed_config(without_the_refused(config), dataset)
    model = build_model(config, dataset)
    run = RunDirectory.create(own_path(config, path), overwrite)
    return functools.partial(train, model), run, config, dataset


def start_again(run, dataset, backend=None):
    """Takes an interrupted run up.

    Args:
        run: The `RunDirectory`.
        dataset: Its data set, see `RunDirectory.load_dataset`.
        backend: Keras backend asked for, or `None`: `KERAS_BACKEND`, else the run's own where it
            is installed.

    Returns:
        As for `start_new`.
    """
    config = run.read_config()
    start_backend(backend, config.backend, config.deterministic)
    check_distributed(config)
    run = own_copy(config, run)
    run.claim()

    from keras_devae.experiments.training import resume

    return resume, run, config, dataset
