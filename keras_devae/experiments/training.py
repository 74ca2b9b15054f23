"""Training of a run: from its configuration to a trained model in the run's folder."""

import contextlib
import logging
import shutil

import keras

from keras_devae import distribution
from keras_devae.callbacks import ProgressReport
from keras_devae.errors import FailureError
from keras_devae.experiments.environment import describe_environment
from keras_devae.experiments.faults import explained
from keras_devae.experiments.recorder import RunRecorder
from keras_devae.experiments.tracking import tracking_callbacks
from keras_devae.experiments.trained_model import UNREADABLE, load_trained
from keras_devae.files import archive_damage, replacing
from keras_devae.interruption import Interruption
from keras_devae.losses import GaussianLikelihood
from keras_devae.models import MODELS
from keras_devae.models.guard import TrainingGuard
from keras_devae.models.images import check_images
from keras_devae.models.saved import load_saved
from keras_devae.pipeline import Batches

logger = logging.getLogger("keras_devae")


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
    with _dtype_policy(config.mixed_precision), distribution.scope(config.distribute):
        model = MODELS[config.model].for_images(
            dataset.image_shape,
            latent_dim=config.latent_dim,
            network=config.network,
            likelihood=_likelihood(config),
            seed=config.seed,
            **_of_networks(config),
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


def _likelihood(config):
    if config.likelihood_sigma is None:
        return config.likelihood
    return GaussianLikelihood(sigma=config.likelihood_sigma)


def _of_networks(config):
    return {} if config.network_units is None else {"network_units": config.network_units}


@contextlib.contextmanager
def _dtype_policy(precision):
    """Builds layers in a given precision inside a `with`, and leaves the process as it was."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if precision == "off" else f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


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
        UsageError: If another process trains the run.
        FailureError: If a loss becomes NaN or infinite, or memory or disk are too small.
    """
    run.claim()
    run.write_record(config, dataset.provenance, describe_environment())
    run.record_time("begun")
    return _fit(model, config, run, dataset, 0, progress)


def resume(config, run, dataset, progress=True):
    """Goes on with an interrupted run from its newest good checkpoint, unless it is trained.

    Args:
        config: The run's `RunConfig`.
        run: The `RunDirectory`.
        dataset: The data set.
        progress: Whether to show progress; default true.

    Returns:
        The trained model.

    Raises:
        UsageError: If another process trains the run.
        FailureError: If no checkpoint can be read, a loss becomes NaN or infinite, or memory or
            disk are too small.
    """
    run.claim()
    for file in run.leftovers():
        file.unlink(missing_ok=True)
    if run.is_trained():
        return load_trained(run)
    with distribution.scope(config.distribute):
        model, step = _load_newest_checkpoint(run)
    if model is None:
        return train(build_model(config, dataset), config, run, dataset, progress)
    return _fit(model, config, run, dataset, step, progress)


def _load_newest_checkpoint(run):
    steps = run.checkpoint_steps()
    for number, step in enumerate(steps):
        file = run.checkpoint_file(step)
        try:
            model = load_saved(file)
        except UNREADABLE as error:
            if archive_damage(file) is None:
                raise FailureError(f"{file} is whole, and cannot be loaded: {error}") from error
            logger.warning("Skipping the damaged checkpoint of step %d: %s", step, error)
            continue
        for damaged in steps[:number]:
            run.set_aside(run.checkpoint_file(damaged))
        return model, step
    if steps:
        raise FailureError(f"None of the checkpoints in {run.checkpoints} can be read.")
    return None, 0


def _fit(model, config, run, dataset, start_step, progress):
    history = [row for row in run.read_history() if row["step"] <= start_step]
    interruption = Interruption()
    recorder = RunRecorder(run, start_step, config.steps, history, interruption, config.keep)
    report = ProgressReport(config.steps, start_step)
    tracking = tracking_callbacks(config, run, dataset, start_step)
    callbacks = [TrainingGuard(start_step), *tracking, recorder]
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
    with explained(run, lambda: f"Training stopped after step {recorder.step}"), interruption:
        if remaining > 0:
            with _closing(recorder, report), distribution.scope(config.distribute):
                model.fit(batches, epochs=remaining, verbose=0, callbacks=callbacks)
        run.record_time("trained")
        _keep_as_trained(run, config.steps)
    # What follows is for one device.
    return model if config.distribute is None else load_trained(run)


@contextlib.contextmanager
def _closing(recorder, report):
    """Ends what goes on beside training; what went wrong first is what is raised."""
    try:
        yield
    except BaseException:
        report.progress.stop()
        try:
            recorder.close()
        except Exception as error:
            logger.warning("Nor could the last checkpoint be written. %s", error)
        raise
    report.progress.stop()
    recorder.close()


def _keep_as_trained(run, step):
    """Makes the checkpoint of the last step the run's trained model."""
    with replacing(run.model_file, durable=True) as temporary:
        shutil.copyfile(run.checkpoint_file(step), temporary)
