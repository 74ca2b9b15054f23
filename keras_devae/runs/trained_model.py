"""The trained model of a run: its file, its codes and its scores."""

import contextlib
import logging
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from keras_devae.data import Dataset
from keras_devae.errors import FailureError, UsageError
from keras_devae.evaluation import evaluate
from keras_devae.evaluation.encoding import Encoding, encoding_file
from keras_devae.files import DiskFullError, file_hash
from keras_devae.files.reading import reason_of
from keras_devae.models import MODELS, VAE
from keras_devae.models.averaged_weights import take_averages
from keras_devae.models.layer_advice import losses_of
from keras_devae.models.network_names import function_of, is_function_name
from keras_devae.models.saving import UnreadableModelError, load_saved
from keras_devae.process.interruption import Interruption
from keras_devae.runs.config.run_config import RunConfig
from keras_devae.runs.folder import RunDirectory

logger = logging.getLogger("keras_devae")

#: Model -> SHA-256 of the file that it was loaded from, which training may have replaced since.
_HASHES: weakref.WeakKeyDictionary[VAE, str] = weakref.WeakKeyDictionary()


def load_trained(run: RunDirectory) -> VAE:
    """Loads the finished model of a run, or else its newest checkpoint, with a warning.

    Its weights are their moving averages, if the run keeps any.

    Raises:
        UsageError: If there is none yet.
        FailureError: If the file is damaged.
    """
    path = run.trained_model_file()
    if not run.is_trained():
        logger.warning("%s is not trained to its end. %s", run.path, run.how_to_resume())
    try:
        digest = file_hash(path)
    except OSError as error:
        raise FailureError(f"{path} cannot be loaded: {reason_of(error)}.") from None
    model = load_run_model(path, run.read_config())
    if getattr(model, "optimizer", None) is not None:
        take_averages(model)
    _HASHES[model] = digest
    return model


def load_run_model(path: Path, config: RunConfig) -> VAE:
    """Loads a compiled model or checkpoint of a run with this configuration, or a preset's model.

    Raises:
        UnreadableModelError: If the file is damaged, or holds the model of another run.
        UsageError: If it needs the module of the run's network, which cannot be imported.
    """
    unknown = None
    if is_function_name(config.model.network):
        try:  # The module registers the layers that it defines.
            function_of(config.model.network)
        except UsageError as error:
            unknown = error
    try:
        model = load_saved(path)
    except UnreadableModelError as error:
        raise (unknown or error) from None
    expected = MODELS[config.model.name]
    if type(model) is not expected or model.latent_dim != config.model.latent_dim:
        raise UnreadableModelError(
            f"{path} belongs to another run: it holds a {type(model).__name__} with "
            f"{model.latent_dim} latent dimensions, and the run a {expected.__name__} with "
            f"{config.model.latent_dim}."
        )
    if path.suffix == ".keras" and getattr(model, "optimizer", None) is None:
        raise UnreadableModelError(f"{path} is damaged: its model is not compiled.")
    return model


def model_hash(model: VAE, run: RunDirectory) -> str:
    """Returns the SHA-256 of the file that a run's model was loaded from or saved to."""
    if model not in _HASHES:
        _HASHES[model] = file_hash(run.trained_model_file())
    return _HASHES[model]


def scored_losses(model: VAE, run: RunDirectory) -> dict[int, float | None]:
    """Returns the reconstruction loss of each latent layer by number, in nats per image.

    Empty if the run's scores are missing, damaged or belong to other weights, as the model can
    still be used then.
    """
    try:
        scores = run.read_metrics()
    except FailureError as error:
        logger.warning("%s", error)
        return {}
    if not scores or scores["settings"].get("model_sha256") != model_hash(model, run):
        return {}
    return losses_of(scores["layers"])


@contextlib.contextmanager
def run_encoding(
    model: VAE,
    run: RunDirectory,
    dataset: Dataset,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Encoding]:
    """Opens the codes of a data set from a run's model, and saves new ones in the run's folder.

    A preset keeps none. If the folder cannot be written, a warning is logged and they are computed
    again next time. `progress` is called with the numbers of images encoded so far and in total.
    """
    file = encoding_file(run.codes, model_hash(model, run), dataset.provenance)
    encoding = Encoding(model, dataset, progress)
    encoding.load(file)
    try:
        yield encoding
    finally:
        # Also after a failure or Ctrl-C, so that they need not be computed again.
        if not run.is_preset:
            _keep(encoding, file)


def _keep(encoding, file):
    """Saves codes in a run's folder, or warns that it cannot be written."""
    try:
        encoding.save(file)
    except (OSError, DiskFullError) as error:
        logger.warning("The codes are not kept. %s", error)


def score_model(
    model: VAE,
    run: RunDirectory,
    dataset: Dataset,
    config: RunConfig,
    progress: Callable[[int, str], None] | None = None,
    encoding_progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Scores a run's model, reusing the codes saved in its folder; see `Run.score`.

    Returns:
        The result of `evaluate`; its settings also hold the hash of the model's file.

    Raises:
        UsageError: If the images differ in shape from the run's.
    """
    if dataset.image_shape != model.image_shape:
        variants = ", ".join(config.data.variants)
        remedy = f" Repeat the variants of the run that change it: {variants}." if variants else ""
        raise UsageError(
            f"The run {run.path} was made with images of shape {model.image_shape}, and these have "
            f"{dataset.image_shape}.{remedy}"
        )
    interruption = Interruption()
    encoded = _interruptible(interruption, encoding_progress)
    with interruption, run_encoding(model, run, dataset, encoded) as encoding:
        scores = evaluate(
            model,
            dataset,
            config.evaluation.metrics,
            config.evaluation.images,
            config.training.seed,
            settings=config.evaluation.metric_preset,
            encoding=encoding,
            progress=_interruptible(interruption, progress),
            **options,
        )
        interruption.check()
    scores["settings"]["model_sha256"] = model_hash(model, run)
    return scores


def _interruptible(interruption, report):
    """Returns a function that checks for an interruption before it reports progress."""

    def check_and_report(*arguments):
        interruption.check()
        if report is not None:
            report(*arguments)

    return check_and_report
