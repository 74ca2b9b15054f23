"""Trains a run: builds its model and writes history, checkpoints and model to its folder."""

import contextlib
import logging
import math
import shutil
from collections.abc import Callable, Iterator, Sequence

import keras

from keras_devae.backend import replicas
from keras_devae.callbacks import ProgressReport
from keras_devae.data import Dataset
from keras_devae.errors import FailureError, ran_out_of_memory
from keras_devae.files import DiskFullError, archive_damage, replacing
from keras_devae.losses import GaussianLikelihood
from keras_devae.models import MODELS, VAE
from keras_devae.models.averaged_weights import take_averages
from keras_devae.models.fitting import Fit, Parts
from keras_devae.models.images import check_images
from keras_devae.models.options import JACOBIAN_OPTIONS
from keras_devae.models.saving import UnreadableModelError
from keras_devae.process.interruption import Interruption
from keras_devae.runs.checkpoints import save_model
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.distribution import is_one_of_several
from keras_devae.runs.environment import describe_environment
from keras_devae.runs.extension import history_until
from keras_devae.runs.folder import RunDirectory
from keras_devae.runs.initial_weights import check_unchanged, record_of, take_weights
from keras_devae.runs.live_curves import loggers_of, measurement_loggers
from keras_devae.runs.optimization import build_optimizer, fit_to_length
from keras_devae.runs.plateau import PlateauRate
from keras_devae.runs.recorder import OneTraining, RunRecorder
from keras_devae.runs.stopping import watch_of
from keras_devae.runs.tracking import scores_at, tracking_callbacks
from keras_devae.runs.trained_model import load_run_model, load_trained
from keras_devae.runs.validation import ValidationLosses, record_of_images

logger = logging.getLogger("keras_devae")


@contextlib.contextmanager
def failures_explained(run: RunDirectory, what: Callable[[], str]) -> Iterator[None]:
    """Turns out-of-memory and disk-full errors into a `FailureError` that says how to resume.

    Its message begins with the result of `what()`, e.g. `"Training stopped at step 3"`.
    """
    try:
        yield
    except DiskFullError as error:
        raise FailureError(f"{what()}. {error} {run.how_to_resume()}") from error
    except FailureError:
        raise
    except Exception as error:
        if not ran_out_of_memory(error):
            raise
        raise FailureError(
            f"{what()}: out of memory ({type(error).__name__}). Free memory that other programs "
            "use, or begin a new run with a smaller --batch-size or with --no-resident. "
            f"{run.how_to_resume()}"
        ) from error


def build_model(config: RunConfig, dataset: Dataset) -> VAE:
    """Builds and compiles the model of a completed configuration, and checks that images fit it.

    Raises:
        UsageError: If the networks cannot take such images, or no weight of `init_from` fits.
        FailureError: If the memory is too small.
    """
    keras.utils.set_random_seed(config.training.seed)
    try:
        with (
            _dtype_policy(config.compute.mixed_precision),
            replicas.scope(config.compute.distribute),
        ):
            model = _compiled_model(config, dataset)
            if config.training.init_from is not None:
                take_weights(model, config.training.init_from)
            return model
    except Exception as error:
        if not ran_out_of_memory(error):
            raise
        raise FailureError(
            "The memory of this machine is too small for the model. Choose a smaller --latent-dim "
            "or fewer --network-units."
        ) from error


def _compiled_model(config, dataset):
    chosen, compute = config.model, config.compute
    optional = {name: getattr(chosen, name) for name in ("network_units", "decoder")}
    optional["likelihood"] = _likelihood(chosen)
    if chosen.jacobian_penalty:
        optional |= {name: getattr(chosen, name) for name in JACOBIAN_OPTIONS}
    model = MODELS[chosen.name].for_images(
        dataset.image_shape,
        latent_dim=chosen.latent_dim,
        network=chosen.network,
        seed=config.training.seed,
        **{name: value for name, value in optional.items() if value is not None},
        **chosen.options,
    )
    some = dataset.images(range(min(len(dataset), config.training.batch_size)))
    check_images(some, model.image_shape, model.likelihood.bounded)
    model.compile(
        optimizer=build_optimizer(config.training),
        steps_per_execution=compute.steps_per_execution,
        jit_compile="auto" if compute.jit_compile is None else compute.jit_compile,
    )
    return model


def _likelihood(chosen):
    if chosen.likelihood_sigma is None:
        return chosen.likelihood
    return GaussianLikelihood(sigma=chosen.likelihood_sigma)


@contextlib.contextmanager
def _dtype_policy(precision):
    """Sets the dtype policy of a precision inside a `with` block, and restores it afterwards."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32" if precision == "off" else f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def train_in_parts(
    model: VAE,
    config: RunConfig,
    run: RunDirectory,
    dataset: Dataset,
    progress: bool | Sequence[str] = True,
    held_out: Dataset | None = None,
) -> Parts[VAE]:
    """Trains the model of a new run, and writes history, checkpoints and model to its folder.

    Yields each part of training to the caller, who carries it out; returns the model.

    Losses on the images `held_out`, if any, are part of the history.

    Raises:
        ClaimedError: If another process is training the run.
        FailureError: If a loss becomes NaN or infinite, or memory or disk space runs out.
    """
    run.claim()
    began_with = {"init_from": record_of(config)} if config.training.init_from else {}
    began_with |= record_of_images(config, held_out)
    run.write_record(config, dataset.provenance, describe_environment(), **began_with)
    run.record_time("begun")
    return (yield from _fit(model, config, run, dataset, 0, progress, held_out))


def resume_in_parts(
    config: RunConfig,
    run: RunDirectory,
    dataset: Dataset,
    progress: bool | Sequence[str] = True,
    held_out: Dataset | None = None,
) -> Parts[VAE]:
    """Resumes a run from its newest good checkpoint, unless it is trained; returns the model.

    Yields as `train_in_parts` does.

    Raises:
        FailureError: If no checkpoint can be read; otherwise as for `train_in_parts`.
    """
    run.claim()
    run.remove_leftovers()
    if run.is_trained():
        return load_trained(run)
    with replicas.scope(config.compute.distribute):
        model, step = _load_newest_checkpoint(run, config)
    if model is None:
        check_unchanged(config, run)
        new = build_model(config, dataset)
        return (yield from train_in_parts(new, config, run, dataset, progress, held_out))
    fit_to_length(model, config)
    return (yield from _fit(model, config, run, dataset, step, progress, held_out))


def _load_newest_checkpoint(run, config):
    steps = run.checkpoint_steps()
    if steps and steps[0] > config.training.steps:
        raise FailureError(
            f"{run.checkpoint_file(steps[0])} belongs to a step after the run's last, "
            f"{config.training.steps}. Move it away, or have it renamed with: "
            f"{run.repair_command()}"
        )
    for number, step in enumerate(steps):
        file = run.checkpoint_file(step)
        try:
            model = load_run_model(file, config)
        except UnreadableModelError as error:
            if archive_damage(file) is None:
                raise FailureError(
                    f"A checkpoint is intact, but cannot be used: {error}"
                ) from error
            logger.warning("Skipping the damaged checkpoint of step %d: %s", step, error)
            continue
        for damaged in steps[:number]:
            run.set_aside(run.checkpoint_file(damaged))
        return model, step
    if steps:
        raise FailureError(f"None of the checkpoints in {run.checkpoints} can be read.")
    return None, 0


def _fit(model, config, run, dataset, start_step, progress, held_out):
    training, distribute = config.training, config.compute.distribute
    continued_from = run.read_record().get("continued_from", 0)
    interruption, watch = Interruption(), watch_of(config, continued_from)
    plateau = training.learning_rate_schedule == "plateau"
    history = history_until(run, config, start_step)
    has_stopped = watch is not None and watch.stops(watch.seen(run, history, start_step))
    measured = measurement_loggers(config, run)
    tracked = tracking_callbacks(config, run, dataset, start_step, held_out, measured)
    recorder = RunRecorder(
        run,
        start_step,
        training.steps,
        history,
        training.checkpoint_every,
        interruption,
        training.keep,
        # Several processes would all have to be interrupted at the same step.
        postpones=not is_one_of_several(config),
        validate=_validation(config, held_out),
        scores_at=None if held_out is None else lambda step: scores_at(tracked, step),
        watch=watch,
        rate=PlateauRate(training, watch, run) if plateau else None,
        loggers=loggers_of(config, run),
    )
    show = () if isinstance(progress, bool) else progress
    report = ProgressReport(training.steps, start_step, show=show)
    callbacks = [*tracked, recorder, *([report] if progress else [])]
    stopped = failures_explained(run, lambda: f"Training stopped after step {recorder.step}")
    with stopped, interruption:
        if start_step < training.steps and not has_stopped:
            with replicas.scope(distribute), _closing(recorder, report):
                yield from _fit_in_parts(model, config, dataset, start_step, callbacks)
        interruption.postponed = False
        run.record_time("trained")
        ended = _end(watch, run, recorder)
        if watch is not None:
            run.record_end(ended)
        _keep_model(run, config, ended["model_step"])
        interruption.check()
    # Everything after training runs on one device, and with the weights that are kept.
    is_same = distribute is None and ended["model_step"] == recorder.step
    return model if is_same and training.ema_momentum is None else load_trained(run)


def _keep_model(run, config, step):
    """Writes the model of a step, whose weights are their averages if the run keeps any."""
    file = run.checkpoint_file(step)
    if config.training.ema_momentum is None:
        with replacing(run.model_file, durable=True) as temporary:
            shutil.copyfile(file, temporary)
        return
    model = load_run_model(file, config)
    take_averages(model)
    save_model(model, run.model_file)


def _validation(config, held_out):
    """Returns the function that validates, or `None`."""
    if held_out is None:
        return None
    distribute, batch_size = config.compute.distribute, config.training.batch_size
    with replicas.scope(distribute) as devices:
        images, seed = config.evaluation.images, config.training.seed
        return ValidationLosses(held_out, images, batch_size, seed, devices)


def _end(watch, run, recorder):
    """Returns where training ended, and which step's weights the run keeps."""
    if watch is None:
        return {"step": recorder.step, "model_step": recorder.step}
    seen = watch.seen(run, recorder.history, recorder.step)
    chosen = watch.keeps_best and seen.best_step is not None
    return {
        "step": recorder.step,
        "model_step": seen.best_step if chosen else recorder.step,
        "watched": watch.name,
        "best_step": seen.best_step,
        "best_value": seen.best_value,
        "stopped_early": recorder.step < recorder.total_steps,
    }


def _fit_in_parts(model, config, dataset, start_step, callbacks):
    """Trains to the end, starting with the rest of an interrupted epoch."""
    training, every = config.training, config.training.checkpoint_every
    rest = -start_step % every
    whole = training.steps - start_step - rest
    parts = [(rest, 1)] if rest else []
    parts += [(every, math.ceil(whole / every))] if whole > 0 else []
    guard = OneTraining(start_step, callbacks)
    for steps, epochs in parts:
        guard.is_last = (steps, epochs) == parts[-1]
        batches = model.training_batches(
            dataset,
            batch_size=training.batch_size,
            steps=steps,
            seed=training.seed,
            start_step=start_step,
            resident=config.compute.resident,
        )
        yield Fit(model, batches, epochs, guard)
        if model.stop_training:
            break
        start_step += steps * epochs


@contextlib.contextmanager
def _closing(recorder, report):
    """Stops the progress bar and finishes writing checkpoints; raises the first error.

    If training was interrupted, the last step is saved.
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
