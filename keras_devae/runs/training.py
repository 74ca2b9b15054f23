"""Training of a run: from its configuration to a trained model in the run's folder."""

import contextlib
import logging
import shutil

import keras

from keras_devae.backend import replicas as distribution
from keras_devae.callbacks import ProgressReport
from keras_devae.errors import FailureError
from keras_devae.files import archive_damage, replacing
from keras_devae.input.batches import Batches
from keras_devae.losses import GaussianLikelihood
from keras_devae.models import MODELS
from keras_devae.models.images import check_images
from keras_devae.models.saving import UnreadableModelError
from keras_devae.process.interruption import Interruption
from keras_devae.runs.environment import describe_environment
from keras_devae.runs.faults import explained
from keras_devae.runs.folder import repair_command
from keras_devae.runs.recorder import OneTraining, RunRecorder
from keras_devae.runs.tracking import tracking_callbacks
from keras_devae.runs.trained_model import load_run_model, load_trained

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
    keras.utils.set_random_seed(config.training.seed)
    with (
        _dtype_policy(config.compute.mixed_precision),
        distribution.scope(config.compute.distribute),
    ):
        model = MODELS[config.model.name].for_images(
            dataset.image_shape,
            latent_dim=config.model.latent_dim,
            network=config.model.network,
            likelihood=_likelihood(config),
            seed=config.training.seed,
            **_of_networks(config),
            **config.model.options,
        )
        some = dataset.images(range(min(len(dataset), config.training.batch_size)))
        check_images(some, model.image_shape, model.likelihood.bounded)
        model.compile(
            optimizer=keras.optimizers.Adam(config.training.learning_rate),
            steps_per_execution=config.compute.steps_per_execution,
            jit_compile="auto"
            if config.compute.jit_compile is None
            else config.compute.jit_compile,
        )
    return model


def _likelihood(config):
    if config.model.likelihood_sigma is None:
        return config.model.likelihood
    return GaussianLikelihood(sigma=config.model.likelihood_sigma)


def _of_networks(config):
    return (
        {} if config.model.network_units is None else {"network_units": config.model.network_units}
    )


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
    run.remove_leftovers()
    if run.is_trained():
        return load_trained(run)
    with distribution.scope(config.compute.distribute):
        model, step = _load_newest_checkpoint(run, config)
    if model is None:
        return train(build_model(config, dataset), config, run, dataset, progress)
    return _fit(model, config, run, dataset, step, progress)


def _load_newest_checkpoint(run, config):
    steps = run.checkpoint_steps()
    if steps and steps[0] > config.training.steps:
        raise FailureError(
            f"{run.checkpoint_file(steps[0])} is of a step after the run's last, "
            f"{config.training.steps}. Move it away, or have it renamed with: "
            f"{repair_command(run.path)}"
        )
    for number, step in enumerate(steps):
        file = run.checkpoint_file(step)
        try:
            model = load_run_model(file, config)
        except UnreadableModelError as error:
            if archive_damage(file) is None:
                raise FailureError(f"It is whole, but: {error}") from error
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
    # Of several processes, each would have to be interrupted at the same step.
    alone = config.compute.distribute is None or distribution.process()[1] == 1
    lengths = (config.training.steps, history, config.training.checkpoint_every)
    recorder = RunRecorder(
        run, start_step, *lengths, interruption, config.training.keep, postpones=alone
    )
    report = ProgressReport(config.training.steps, start_step)
    callbacks = [*tracking_callbacks(config, run, dataset, start_step), recorder]
    callbacks += [report] if progress else []
    with explained(run, lambda: f"Training stopped after step {recorder.step}"), interruption:
        if start_step < config.training.steps:
            with distribution.scope(config.compute.distribute), _closing(recorder, report):
                _fit_in_parts(model, config, dataset, start_step, callbacks)
        interruption.postponed = False
        run.record_time("trained")
        _keep_as_trained(run, config.training.steps)
        interruption.check()
    # What follows is for one device.
    return model if config.compute.distribute is None else load_trained(run)


def _fit_in_parts(model, config, dataset, start_step, callbacks):
    """Trains to the end: first what is left of an epoch that was broken off, if there is one."""
    left = -start_step % config.training.checkpoint_every
    whole = config.training.steps - start_step - left
    parts = [(left, 1)] if left else []
    parts += (
        [(config.training.checkpoint_every, -(-whole // config.training.checkpoint_every))]
        if whole > 0
        else []
    )
    training = OneTraining(start_step, callbacks)
    for steps, epochs in parts:
        training.is_last = (steps, epochs) == parts[-1]
        batches = Batches(
            dataset,
            config.training.batch_size,
            steps,
            config.training.seed,
            start_step,
            resident=config.compute.resident,
        )
        model.fit(batches, epochs=epochs, verbose=0, callbacks=[training])
        start_step += steps * epochs


@contextlib.contextmanager
def _closing(recorder, report):
    """Ends what goes on beside training; what went wrong first is what is raised.

    Where training was interrupted, the last step is kept.
    """
    try:
        yield
    except BaseException as reason:
        report.progress.stop()
        try:
            recorder.close()
            if isinstance(reason, KeyboardInterrupt):
                recorder.keep_last_step()
        except Exception as error:
            logger.warning("Nor could the last checkpoint be written. %s", error)
        raise
    report.progress.stop()
    recorder.close()


def _keep_as_trained(run, step):
    """Makes the checkpoint of the last step the run's trained model."""
    with replacing(run.model_file, durable=True) as temporary:
        shutil.copyfile(run.checkpoint_file(step), temporary)
