"""The codes that a run's folder keeps."""

import contextlib

from keras_devae.encoding import Encoding, encoding_file
from keras_devae.files import file_hash


@contextlib.contextmanager
def run_encoding(model, run, dataset, progress=None):
    """Opens the codes of a data set by a run's model; what is added to them stays in the folder.

    Args:
        model: The trained model.
        run: The `RunDirectory`.
        dataset: The data set.
        progress: Called with the numbers of images encoded and to encode, or `None`.

    Yields:
        The `keras_devae.encoding.Encoding`.
    """
    file = encoding_file(run.codes, file_hash(run.trained_model_file()), dataset.provenance)
    encoding = Encoding(model, dataset, progress)
    encoding.load(file)
    try:
        yield encoding
    finally:
        # What was encoded before a failure or Ctrl-C need not be encoded again.
        encoding.save(file)
