"""Training of a run on several devices and in several processes."""

import atexit
import shutil
import tempfile
from pathlib import Path

from keras_devae.backend import replicas
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.folder import RunDirectory


def is_chief(config: RunConfig) -> bool:
    """Tells whether this process, among those that train together, writes the run's files."""
    return config.compute.distribute is None or replicas.process()[0] == 0


def is_one_of_several(config: RunConfig) -> bool:
    """Tells whether other processes train the run together with this one."""
    return config.compute.distribute is not None and replicas.process()[1] > 1


def check_distribution(config: RunConfig) -> None:
    """Checks that this machine's devices can train a run; imports Keras to do so.

    Raises:
        UsageError: If they cannot, or on PyTorch.
    """
    compute = config.compute
    if compute.distribute is None:
        return
    from keras_devae.models import MODELS

    with replicas.scope(compute.distribute) as devices:
        if devices > 1:
            replicas.check_batch_size(config.training.batch_size, devices)
            replicas.check_model(
                MODELS[config.model.name],
                bool(compute.jit_compile),
                compute.mixed_precision == "float16",
                compute.steps_per_execution or 1,
                bool(compute.resident),
            )


def folder_of_worker(path: Path) -> Path:
    """Returns the folder in which a worker writes a run; it is removed when its process ends.

    Workers write too, because reading the devices' state for a checkpoint takes all processes.
    """
    folder = tempfile.mkdtemp(prefix="keras-devae-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder) / path.name


def copy_of_worker(run: RunDirectory) -> RunDirectory:
    """Copies a run for a worker to resume, and claims the copy."""
    path = folder_of_worker(run.path)
    # Meanwhile, the chief removes the half-written files of an earlier process.
    shutil.copytree(run.path, path, ignore=shutil.ignore_patterns(".*"))
    copy = RunDirectory(path)
    copy.claim()
    return copy
