"""Training of a run: from its configuration to a trained model in the run's folder."""

import dataclasses
import logging
import zipfile

import keras

from keras_devae.backend import compiles_with_xla, has_accelerator
from keras_devae.callbacks import ProgressReport
from keras_devae.errors import FailureError, UsageError
from keras_devae.experiments.environment import describe_environment
from keras_devae.experiments.interruption import Interruption
from keras_devae.experiments.recorder import RunRecorder, save_model
from keras_devae.experiments.tracking import tracking_callbacks
from keras_devae.models import MODELS
from keras_devae.models.images import check_images
from keras_devae.pipeline import Batches

logger = logging.getLogger("keras_devae")

#: What Keras raises for a file that is truncated, overwritten or of another kind.
_DAMAGED = (OSError, ValueError, KeyError, zipfile.BadZipFile)


def completed_config(config):
    """Fills in what depends on the backend and the device.

    Args:
        config: A `RunConfig`, resolved for its data set.

    Returns:
        A `RunConfig` without open choices.

    Raises:
        UsageError: If the backend cannot run several steps at a time.
    """
    backend = keras.backend.backend()
    if backend == "torch" and config.steps_per_execution > 1:
        raise UsageError(
            f"On PyTorch `steps_per_execution` must be 1. Received: {config.steps_per_execution}."
        )
    return dataclasses.replace(
        config,
        backend=backend,
        mixed_precision=config.mixed_precision or ("float16" if has_accelerator() else "off"),
        jit_compile=_compiles(config) if config.jit_compile is None else config.jit_compile,
    )


def _compiles(config):
    """Tells whether XLA suits the backend, the device and the model."""
    out_of_reach = MODELS[config.model].calls_host and keras.backend.backend() == "tensorflow"
    return compiles_with_xla() and not out_of_reach


def build_model(config, dataset):
    """Builds and compiles the model of a run, and checks that the images fit it.

    Args:
        config: A completed `RunConfig`.
        dataset: Its data set.

    Returns:
        The model, ready for `fit`.

    Raises:
        UsageError: If the networks do not take such images.
    """
    keras.utils.set_random_seed(config.seed)
    policy = "float32" if config.mixed_precision == "off" else f"mixed_{config.mixed_precision}"
    keras.config.set_dtype_policy(policy)
    model = MODELS[config.model].for_images(
        dataset.image_shape,
        latent_dim=config.latent_dim,
        network=config.network,
        likelihood=config.likelihood,
        seed=config.seed,
        **config.model_options,
    )
    some = dataset.images(range(min(len(dataset), config.batch_size)))
    check_images(some, model.image_shape, model.likelihood.bounded)
    model.compile(
        optimizer=keras.optimizers.Adam(config.learning_rate),
        steps_per_execution=config.steps_per_execution,
        jit_compile=config.jit_compile,
    )
    return model


def train(model, config, run, dataset, progress=True):
    """Trains a new run, and leaves history, checkpoints and model in its folder.

    Args:
        model: The model, from `build_model`.
        config: A completed `RunConfig`.
        run: The `RunDirectory`, empty.
        dataset: The data set.
        progress: Whether to show progress; default true.

    Returns:
        The trained model.

    Raises:
        FailureError: If a loss becomes NaN or infinite.
    """
    run.write_record(config, dataset.provenance, describe_environment())
    return _fit(model, config, run, dataset, 0, progress)


def resume(config, run, dataset, progress=True):
    """Goes on with an interrupted run from its newest good checkpoint.

    Args:
        config: The run's `RunConfig`.
        run: The `RunDirectory`.
        dataset: The data set.
        progress: Whether to show progress; default true.

    Returns:
        The trained model.

    Raises:
        FailureError: If no checkpoint can be read, or a loss becomes NaN or infinite.
    """
    model, step = _load_newest_checkpoint(run)
    if model is None:
        return train(build_model(config, dataset), config, run, dataset, progress)
    return _fit(model, config, run, dataset, step, progress)


def load_trained(run):
    """Loads the model of a run: the finished one, or else its newest checkpoint.

    Args:
        run: The `RunDirectory`.

    Returns:
        The model.

    Raises:
        UsageError: If there is none yet.
        FailureError: If the file is damaged.
    """
    path = run.trained_model_file()
    try:
        return keras.models.load_model(path)
    except _DAMAGED as error:
        raise FailureError(f"{path} cannot be loaded: {error}") from None


def _load_newest_checkpoint(run):
    steps = run.checkpoint_steps()
    for step in steps:
        try:
            return keras.models.load_model(run.checkpoint_file(step)), step
        except _DAMAGED as error:
            logger.warning("Skipping the damaged checkpoint of step %d: %s", step, error)
    if steps:
        raise FailureError(f"None of the checkpoints in {run.checkpoints} can be read.")
    return None, 0


def _fit(model, config, run, dataset, start_step, progress):
    history = [row for row in run.read_history() if row["step"] <= start_step]
    interruption = Interruption()
    recorder = RunRecorder(run, start_step, config.steps, history, interruption)
    report = ProgressReport(config.steps, start_step)
    callbacks = [*tracking_callbacks(config, run, dataset, start_step), recorder]
    callbacks += [report] if progress else []
    batches = Batches(
        dataset,
        config.batch_size,
        config.checkpoint_every,
        config.seed,
        start_step,
        resident=config.resident,
    )
    remaining = -(-(config.steps - start_step) // config.checkpoint_every)
    if remaining > 0:
        try:
            with interruption:
                model.fit(batches, epochs=remaining, verbose=0, callbacks=callbacks)
        finally:
            report.progress.stop()
    save_model(model, run.model_file)
    return model
