"""The trained model of a run, and which file it is."""

import logging
import weakref

from keras_devae.errors import FailureError
from keras_devae.files import file_hash
from keras_devae.files.reading import reason_of
from keras_devae.models import MODELS
from keras_devae.models.layer_advice import losses_of
from keras_devae.models.saving import UnreadableModelError, load_saved
from keras_devae.runs.faults import how_to_go_on

logger = logging.getLogger(__name__)

#: Model -> SHA-256 of the file that it was loaded from. While a run trains, a newer file may be
#: there by the time that somebody asks.
_HASHES = weakref.WeakKeyDictionary()


def load_trained(run):
    """Loads the model of a run: the finished one, or else its newest checkpoint, and says so then.

    Args:
        run: The `RunDirectory`.

    Returns:
        The model.

    Raises:
        UsageError: If there is none yet.
        FailureError: If the file is damaged.
    """
    path = run.trained_model_file()
    if path != run.model_file:
        logger.warning("%s is not trained to its end. %s", run.path, how_to_go_on(run))
    try:
        digest = file_hash(path)
    except OSError as error:
        raise FailureError(f"{path} cannot be loaded: {reason_of(error)}.") from None
    model = load_run_model(path, run.read_config())
    _HASHES[model] = digest
    return model


def load_run_model(path, config):
    """Loads a model or checkpoint of a run.

    Args:
        path: The file.
        config: The run's `RunConfig`.

    Returns:
        The model, compiled.

    Raises:
        UnreadableModelError: If the file is damaged, or the model is none of that run.
    """
    model = load_saved(path)
    wanted = MODELS[config.model.name]
    if type(model) is not wanted or model.latent_dim != config.model.latent_dim:
        raise UnreadableModelError(
            f"{path} is of another run: it holds a {type(model).__name__} with {model.latent_dim} "
            f"latent dimensions, and the run a {wanted.__name__} with {config.model.latent_dim}."
        )
    if getattr(model, "optimizer", None) is None:
        raise UnreadableModelError(f"{path} is damaged: its model is not compiled.")
    return model


def scored_losses(model, run):
    """Returns the reconstruction loss of each latent layer in a run's scores.

    Args:
        model: From `load_trained`.
        run: The `RunDirectory`.

    Returns:
        Dictionary of the layer's number to nats an image; empty where the scores are missing, of
        other weights, or damaged, which is no hindrance to using the model.
    """
    try:
        scores = run.read_metrics()
    except FailureError as error:
        logger.warning("%s", error)
        return {}
    if not scores or scores["settings"].get("model_sha256") != model_hash(model, run):
        return {}
    return losses_of(scores["layers"])


def model_hash(model, run):
    """Returns the SHA-256 of the file that holds a run's model.

    Args:
        model: From `load_trained`, or the run's model as training left it.
        run: The `RunDirectory`.
    """
    if model not in _HASHES:
        _HASHES[model] = file_hash(run.trained_model_file())
    return _HASHES[model]
