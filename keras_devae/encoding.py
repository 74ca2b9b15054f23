"""The codes of a data set's images, each encoded once and kept in the run's folder."""

import hashlib
import json
import logging
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from keras_devae import metrics
from keras_devae.files import replacing

logger = logging.getLogger(__name__)

#: Images read and encoded at a time.
CHUNK = 1024
#: Chunks that are read ahead.
AHEAD = 2


class Encoding:
    """What the encoder says of the images of a data set, computed for each image once.

    Args:
        model: The model.
        dataset: The data set.
        progress: Called with the numbers of images done and to do, or `None`.

    Attributes:
        model: The model.
        dataset: The data set.
        encoded_count: Images encoded so far; those read from a file are not counted.
    """

    def __init__(self, model, dataset, progress=None):
        self.model = model
        self.dataset = dataset
        self.encoded_count = 0
        self._progress = progress
        self._places = np.full(len(dataset), -1, np.int64)
        self._stored = None

    def prepare(self, rows):
        """Encodes the images of the rows that are not encoded yet.

        Args:
            rows: Row numbers of any shape.
        """
        # Row order, because data sets read neighbours faster.
        wanted = np.zeros(len(self._places), bool)
        wanted[np.ravel(rows)] = True
        new = np.flatnonzero(wanted & (self._places < 0))
        chunks = [new[start : start + CHUNK] for start in range(0, len(new), CHUNK)]
        parts = []
        for rows, images in zip(chunks, self._read_ahead(chunks), strict=True):
            parts.append(self._encode(rows, images))
            self.encoded_count += len(rows)
            if self._progress is not None:
                self._progress(sum(len(part["rows"]) for part in parts), len(new))
        if parts:
            self._add(parts)

    def posterior(self, rows, layer):
        """Returns means and log-variances `(..., latent_dim)` of a layer, encoding what is missing.

        Args:
            rows: Row numbers of any shape.
            layer: Number of the latent layer.
        """
        self.prepare(rows)
        places = self._places[np.ravel(rows)]
        means, log_vars = self.model.layer_posterior(
            self._stored["means"][places], self._stored["log_vars"][places], layer
        )
        shape = (*np.shape(rows), means.shape[-1])
        return means.reshape(shape), log_vars.reshape(shape)

    def codes(self, rows, layer):
        """Returns the means `(..., d)` of a layer; a categorical code is one more column."""
        means, _ = self.posterior(rows, layer)
        if not self.model.num_categories:
            return means
        categories = self._stored["categories"][self._places[np.ravel(rows)]]
        return np.concatenate([means, categories.reshape(*np.shape(rows), 1)], axis=-1)

    def save(self, file):
        """Writes all that is encoded in one move, and removes what other weights encoded.

        Args:
            file: The file to write, see `encoding_file`.
        """
        if not self.encoded_count:
            return
        with replacing(file) as temporary, open(temporary, "wb") as stream:
            np.savez(stream, **self._stored)
        for other in Path(file).parent.glob("*.npz"):
            if other != Path(file):
                other.unlink()

    def load(self, file):
        """Reads what `save` wrote. A file that is missing or damaged is passed over.

        Args:
            file: The file, see `encoding_file`.
        """
        try:
            with np.load(file) as stored:
                parts = {name: stored[name] for name in stored.files}
            rows = parts["rows"]
            if any(len(values) != len(rows) for values in parts.values()):
                raise ValueError("columns of different lengths")
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            logger.warning("Passing over the damaged %s: %s", file, error)
            return
        self._add([parts])

    def _read_ahead(self, chunks):
        """Reads the images of each chunk while those before are being encoded."""
        with ThreadPoolExecutor(1) as reader:
            waiting = [reader.submit(self.dataset.images, rows) for rows in chunks[:AHEAD]]
            for i in range(len(chunks)):
                yield waiting.pop(0).result()
                if i + AHEAD < len(chunks):
                    waiting.append(reader.submit(self.dataset.images, chunks[i + AHEAD]))

    def _encode(self, rows, images):
        means, log_vars = self.model.encoder_posterior(images)
        encoded = {"rows": rows, "means": means, "log_vars": log_vars}
        if self.model.num_categories:
            encoded["categories"] = self.model.encode_categories(images)
        return encoded

    def _add(self, parts):
        if self._stored is not None:
            parts = [self._stored, *parts]
        self._stored = {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}
        self._places[self._stored["rows"]] = np.arange(len(self._stored["rows"]))


class LayerSampler(metrics.Sampler):
    """One latent layer of an `Encoding`, as the metrics that choose factors take it.

    Args:
        encoding: The `Encoding`.
        labelled: The factors, from `keras_devae.metrics.label_rows`.
        index: Their `keras_devae.metrics.factor_index`, which all layers share.
        layer: Number of the latent layer.
    """

    def __init__(self, encoding, labelled, index, layer):
        super().__init__(labelled, index)
        self._encoding, self._layer = encoding, layer

    def prepare(self, rows):
        """Encodes the rows that are not yet."""
        self._encoding.prepare(rows)

    def codes_of(self, rows):
        """Returns the codes `(..., d)` of row numbers of any shape."""
        return self._encoding.codes(rows, self._layer)


def encoding_file(folder, weights_hash, provenance):
    """Returns where the codes of a model and a data set are kept.

    Args:
        folder: Folder of such files.
        weights_hash: SHA-256 of the model's file.
        provenance: Provenance of the data set, a dictionary.
    """
    key = json.dumps([weights_hash, provenance], sort_keys=True)
    return Path(folder) / f"codes-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"
