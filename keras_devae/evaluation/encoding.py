"""The codes of a data set's images, each encoded once and kept in the run's folder."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_devae import metrics
from keras_devae.checks import Array
from keras_devae.errors import FailureError
from keras_devae.evaluation.function_encoder import BATCH, in_whole_batches
from keras_devae.files import is_there, replacing
from keras_devae.files.archives import read_arrays
from keras_devae.metrics.labelled import LabelledCodes
from keras_devae.metrics.row_index import FactorIndex
from keras_devae.metrics.samplers import RowCache
from keras_devae.version import __version__

if TYPE_CHECKING:
    from keras_devae.data import Dataset

logger = logging.getLogger(__name__)

#: Images read and encoded at a time.
CHUNK = 1024
#: Chunks that are read ahead.
AHEAD = 2
#: The names that `encoding_file` makes.
_NAMES = re.compile(r"codes-[0-9a-f]{12}-[0-9a-f]{16}\.npz")
#: What to use as an image's code: the posterior's mean or a sample of it.
REPRESENTATIONS = ("mean", "sample")


class Encoding:
    """The posteriors of a data set's images, each encoded once, when first needed.

    Args:
        model: The model.
        dataset: The data set.
        progress: Called with the numbers of images done and to do, or `None`.

    Attributes:
        model: The model.
        dataset: The data set.
        encoded_count: Images encoded so far, not counting those read from a file.

    Example:
        >>> data = kd.data.load("shapes3d")
        >>> model = kd.DeVAE.for_images((64, 64, 3), latent_dim=10)
        >>> encoding = kd.evaluation.Encoding(model, data)
        >>> encoding.codes(np.arange(4), layer=0).shape
        (4, 10)
    """

    def __init__(
        self, model: Any, dataset: Dataset, progress: Callable[[int, int], None] | None = None
    ):
        self.model = model
        self.dataset = dataset
        self.encoded_count = 0
        self._progress = progress
        self._cache = RowCache(len(dataset))

    def prepare(self, rows: Array) -> None:
        """Encodes the images of rows, numbers of any shape, that are not encoded yet."""
        # Row order, because data sets read neighbours faster.
        chunks = self._cache.missing(rows, CHUNK)
        parts, before = [], self.encoded_count
        for chunk, images in zip(chunks, self._read_ahead(chunks), strict=True):
            parts.append(self._encode(chunk, images))
            self.encoded_count += len(chunk)
            if self._progress is not None:
                self._progress(self.encoded_count - before, sum(map(len, chunks)))
        self._cache.add(parts)

    def posterior(self, rows: Array, layer: int | None) -> tuple[Array, Array]:
        """Returns means and log-variances `(..., latent_dim)`, encoding what is missing.

        `rows` are row numbers of any shape, `layer` is the number of the latent layer, or `None`
        for all K, which come first. Where a posterior is only known by samples, it is their mean
        and log-variance; the samples are not Gaussian.
        """
        self.prepare(rows)
        flat = np.ravel(rows)
        mean = "sampled_means" if self.model.samples_posterior else "means"
        means, log_vars = self.model.layer_posterior(
            self._cache.take(mean, flat), self._cache.take("log_vars", flat), layer
        )
        shape = (*means.shape[:-2], *np.shape(rows), means.shape[-1])
        return means.reshape(shape), log_vars.reshape(shape)

    def codes(self, rows: Array, layer: int, seed: int | None = None) -> Array:
        """Returns the codes `(..., d)` of a layer; a categorical code is one more column.

        `rows` are row numbers of any shape, `layer` is the number of the latent layer. An integer
        `seed` makes it a sample of the posterior, the same for the same rows in the same order;
        `None` (default) is its mean. The category is the most probable one either way.
        """
        codes = self._codes(rows, layer) if seed is None else self._samples(rows, layer, seed)
        if not self.model.num_categories:
            return codes
        categories = self._cache.take("categories", np.asarray(rows))
        return np.concatenate([codes, categories[..., None]], axis=-1)

    def divergences(self, rows: Array) -> Array | None:
        """Returns each image's KL divergence in nats where it is estimated, else `None`.

        It has the shape of `rows`, row numbers.
        """
        if not self.model.samples_posterior:
            return None
        self.prepare(rows)
        return self._cache.take("divergences", np.asarray(rows))

    def _codes(self, rows: Array, layer: int) -> Array:
        """Returns the codes `(..., latent_dim)` of a layer."""
        if not self.model.samples_posterior:
            return self.posterior(rows, layer)[0]
        self.prepare(rows)
        return self._cache.take("means", np.asarray(rows))

    def _samples(self, rows: Array, layer: int, seed: int) -> Array:
        """Returns samples of the posterior `(..., latent_dim)`, see `codes`."""
        place = zlib.crc32(np.asarray(rows, np.int64).tobytes())
        generator = np.random.default_rng([seed, layer, place])
        if not self.model.samples_posterior:
            means, log_vars = self.posterior(rows, layer)
            noise = generator.standard_normal(means.shape)
            return (means + np.exp(0.5 * log_vars) * noise).astype(means.dtype)
        self.prepare(rows)
        flat = np.ravel(rows)
        encoded = {name: self._cache.take(f"encoder_{name}", flat) for name in self._outputs}
        size = len(flat), self.model.latent_dim
        of_base = generator.standard_normal(size).astype(np.float32)
        return self.model.samples_of(encoded, of_base).reshape(*np.shape(rows), -1)

    @property
    def _outputs(self) -> tuple[str, ...]:
        """The encoder's outputs, from which samples of the posterior are drawn."""
        return tuple(self.model.encoder.output)

    @property
    def _names(self) -> set[str]:
        """The names of the arrays that are kept."""
        names = {"rows", "means", "log_vars"}
        if self.model.num_categories:
            names.add("categories")
        if self.model.samples_posterior:
            names |= {"sampled_means", "divergences", *(f"encoder_{n}" for n in self._outputs)}
        return names

    def save(self, file: str | Path) -> None:
        """Saves everything encoded so far, and removes files for other weights in that folder.

        The file is written atomically; name it by `encoding_file`.
        """
        if not self.encoded_count:
            return
        with replacing(file) as temporary, open(temporary, "wb") as stream:
            # NumPy types its own keyword among the arrays.
            np.savez(stream, **self._cache.stored)  # type: ignore[arg-type]
        for other in Path(file).parent.iterdir():
            if _NAMES.fullmatch(other.name) and _weights_in(other) != _weights_in(Path(file)):
                other.unlink(missing_ok=True)

    def load(self, file: str | Path) -> None:
        """Reads a file written by `save`; ignores it if it is missing or damaged."""
        if not is_there(file):
            return
        try:
            part = read_arrays(file, ("categories", *sorted(self._names)))
            self._check(part)
        except (FailureError, ValueError) as error:
            logger.warning("Skipping the damaged %s: %s", file, error)
            return
        self._cache.add([part])

    def _check(self, part: Mapping[str, Array]) -> None:
        """Raises a `ValueError` unless the arrays are what `_encode` returns."""
        lengths = {values.shape[:1] for values in part.values()}
        if set(part) != self._names or len(lengths) != 1 or () in lengths:
            raise ValueError("it does not hold the codes of this model")
        rows, (length,) = part["rows"], lengths.pop()
        means, log_vars = part["means"], part["log_vars"]
        codes = [means, log_vars]
        if means.shape != log_vars.shape or means.shape[-1] != self.model.latent_dim:
            raise ValueError("its codes have another shape than this model's")
        if self.model.samples_posterior:
            codes += [v for n, v in part.items() if n not in ("rows", "categories")]
        if any(array.dtype.kind != "f" or not np.isfinite(array).all() for array in codes):
            raise ValueError("its codes are not finite numbers")
        if "categories" in part and part["categories"].shape != (length,):
            raise ValueError("its categories have another shape than this model's")
        if not np.issubdtype(rows.dtype, np.integer) or rows.min(initial=0) < 0:
            raise ValueError("its rows are not row numbers")
        if rows.max(initial=0) >= len(self.dataset):
            raise ValueError("its rows are beyond the data set")

    def _read_ahead(self, chunks: list[Array]) -> Iterator[Array]:
        """Reads the images of each chunk while those before are being encoded."""
        with ThreadPoolExecutor(1) as reader:
            waiting = [reader.submit(self.dataset.images, rows) for rows in chunks[:AHEAD]]
            for i in range(len(chunks)):
                yield waiting.pop(0).result()
                if i + AHEAD < len(chunks):
                    waiting.append(reader.submit(self.dataset.images, chunks[i + AHEAD]))

    def _encode(self, rows: Array, images: Array) -> dict[str, Array]:
        # All batches have the same size, so that an image's codes do not depend on other images.
        filled = in_whole_batches(images, BATCH)
        if self.model.samples_posterior:
            encoded = self._encode_samples(filled)
        else:
            means, log_vars = self.model.encoder_posterior(filled, BATCH)
            encoded = {"means": means, "log_vars": log_vars}
        if self.model.num_categories:
            encoded["categories"] = self.model.encode_categories(filled, BATCH)
        return {"rows": rows, **{name: values[: len(rows)] for name, values in encoded.items()}}

    def _encode_samples(self, images: Array) -> dict[str, Array]:
        """Encodes whole batches with a model whose posterior is known by samples."""
        outputs = self.model.encoder_outputs(images, BATCH)
        found = self.model.sampled_posterior(outputs)
        return {
            "means": self.model.codes_of(outputs),
            "sampled_means": found["mean"],
            "log_vars": found["log_var"],
            "divergences": found["divergence"],
            **{f"encoder_{name}": values for name, values in outputs.items()},
        }


class LayerSampler(metrics.Sampler):
    """One latent layer of an `Encoding`, for the metrics that choose factors themselves.

    All layers share `labelled` and `index`. `seed` is as in `Encoding.codes`.
    """

    def __init__(
        self,
        encoding: Encoding,
        labelled: LabelledCodes,
        index: FactorIndex,
        layer: int,
        seed: int | None = None,
    ):
        super().__init__(labelled, index)
        self._encoding, self._layer, self._seed = encoding, layer, seed

    def prepare(self, rows: Array) -> None:
        """Encodes the rows that are not encoded yet."""
        self._encoding.prepare(rows)

    def codes_of(self, rows: Array) -> Array:
        """Returns the codes `(..., d)` of row numbers of any shape."""
        return self._encoding.codes(rows, self._layer, self._seed)


def _weights_in(file: Path) -> str:
    """Returns the part of a name of `encoding_file` that all codes of some weights share."""
    return file.stem.rpartition("-")[0]


def encoding_file(folder: str | Path, weights_hash: str, provenance: dict[str, Any]) -> Path:
    """Returns the file for the codes of a model, by the SHA-256 of its file, and a data set.

    The name begins with the weights. Backend and version of the package are part of it too; the
    precision is part of the model's file.
    """
    # Imported only now: figures of tables need no backend, and others choose it first.
    import keras

    made_by = [keras.backend.backend(), __version__]
    key = json.dumps([weights_hash, provenance, made_by], sort_keys=True)
    digest = hashlib.sha256(key.encode()).hexdigest()
    return Path(folder) / f"codes-{weights_hash[:12]}-{digest[:16]}.npz"
