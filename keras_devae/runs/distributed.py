"""Runs that are trained on several devices, and by several processes."""

import atexit
import shutil
import tempfile
from pathlib import Path

from keras_devae.backend import replicas as distribution


def check_distributed(config):
    """Checks that a run fits the devices that are here, and imports Keras for that.

    Args:
        config: The `RunConfig`.

    Raises:
        UsageError: If it does not, or on PyTorch.
    """
    if config.compute.distribute is None:
        return
    from keras_devae.models import MODELS

    with distribution.scope(config.compute.distribute) as devices:
        if devices > 1:
            distribution.check_batch_size(config.training.batch_size, devices)
            distribution.check_model(
                MODELS[config.model.name],
                config.compute.jit_compile,
                config.compute.mixed_precision == "float16",
                config.compute.steps_per_execution or 1,
                bool(config.compute.resident),
            )


def without_the_refused(config):
    """Returns a configuration whose open choices are those that several devices allow.

    Args:
        config: A `RunConfig`, checked by `check_distributed`.
    """
    with distribution.scope(config.compute.distribute) as devices:
        if devices == 1 or not distribution.splits_batches():
            return config
    return config.replace(
        jit_compile=bool(config.compute.jit_compile),
        mixed_precision=config.compute.mixed_precision or "off",
        steps_per_execution=config.compute.steps_per_execution or 1,
        resident=bool(config.compute.resident),
    )


def is_worker(config):
    """Tells whether another process, the chief, writes what the run leaves.

    Args:
        config: The `RunConfig`.
    """
    return config.compute.distribute is not None and distribution.process()[0] > 0


def own_path(config, path):
    """Returns where this process writes a run: a worker in a folder that goes when it ends.

    All that reads the devices' state has to happen in every process, writing checkpoints too.

    Args:
        config: The `RunConfig`.
        path: The run's folder.

    Returns:
        The path; another one of the same name for a worker.
    """
    if not is_worker(config):
        return path
    folder = tempfile.mkdtemp(prefix="keras-devae-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder) / Path(path).name


def own_copy(config, run):
    """Returns the run that this process goes on with: a worker with a copy of it.

    Args:
        config: Its `RunConfig`.
        run: The `RunDirectory`.

    Returns:
        A `RunDirectory`.
    """
    path = own_path(config, run.path)
    if path == run.path:
        return run
    # The chief clears what an earlier process left half written, at the same time.
    shutil.copytree(run.path, path, ignore=shutil.ignore_patterns(".*"))
    return type(run)(path)
