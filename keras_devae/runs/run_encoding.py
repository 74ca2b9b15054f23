"""The codes that a run's folder keeps."""

import contextlib
import logging

from keras_devae.evaluation.encoding import Encoding, encoding_file
from keras_devae.files import DiskFullError
from keras_devae.runs.trained_model import model_hash

logger = logging.getLogger("keras_devae")


@contextlib.contextmanager
def run_encoding(model, run, dataset, progress=None):
    """Opens the codes of a data set by a run's model; what is added to them stays in the folder.

    Where the folder cannot be written, they are computed anew the next time, of which a warning
    tells.

    Args:
        model: The trained model.
        run: The `RunDirectory`.
        dataset: The data set.
        progress: Called with the numbers of images encoded and to encode, or `None`.

    Yields:
        The `keras_devae.evaluation.encoding.Encoding`.
    """
    file = encoding_file(run.codes, model_hash(model, run), dataset.provenance)
    encoding = Encoding(model, dataset, progress)
    encoding.load(file)
    try:
        yield encoding
    finally:
        # What was encoded before a failure or Ctrl-C need not be encoded again.
        _keep(encoding, file)


def _keep(encoding, file):
    try:
        encoding.save(file)
    except (OSError, DiskFullError) as error:
        logger.warning("The codes are not kept. %s", error)
