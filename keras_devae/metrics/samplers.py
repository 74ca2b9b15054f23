"""Sources of codes for the metrics that choose factor values themselves."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np

from keras_devae import checks
from keras_devae.checks import Array
from keras_devae.errors import UsageError
from keras_devae.metrics.arrays import check_codes
from keras_devae.metrics.labelled import LabelledCodes, check_labelled
from keras_devae.metrics.row_index import FactorIndex, factor_index


class LabelledImages(Protocol):
    """A data set with factors, such as `keras_devae.data.Dataset`."""

    name: str
    factor_names: tuple[str, ...] | None

    def __len__(self) -> int: ...

    def images(self, indices: Array) -> Array:
        """Returns images `(n, height, width, channels)` by row number."""

    def factors(self, indices: Array) -> Array:
        """Returns whole-number factors `(n, f)` by row number."""


class Sampler(abc.ABC):
    """A labelled table that returns codes by row number.

    Attributes:
        index: The `FactorIndex` of the factors that vary.
        names: Their names.
        settings: What every result records of its data.

    Example:
        >>> table = kd.metrics.CodeTable([[0.5], [1.5]], [[0], [1]], factor_names=["size"])
        >>> isinstance(table, kd.metrics.Sampler), table.names
        (True, ('size',))
    """

    def __init__(self, labelled: LabelledCodes, index: FactorIndex | None = None):
        self.index = index or factor_index(labelled.factors)
        self.names = labelled.names
        # How many codes there are is not known before the first of them is asked for.
        self.settings = {k: v for k, v in labelled.settings.items() if k != "code_count"}

    def prepare(self, rows: Array) -> None:
        """Learns which rows will be asked for, so that they can be made ready in one pass."""
        del rows

    @abc.abstractmethod
    def codes_of(self, rows: Array) -> Array:
        """Returns the codes `(..., d)` of row numbers of any shape."""

    def columns_of(self, rows: Array, columns: Array) -> Array:
        """Returns some of the codes, code by code, `(len(columns), ...)`."""
        return np.moveaxis(self.codes_of(rows)[..., columns], -1, 0)


class CodeTable(Sampler):
    """Codes of a labelled table, complete or not.

    Args:
        codes: `(n, d)` codes.
        factors: `(n, f)` whole-number factors.
        factor_names: A name for each factor; `None` for `factor_0`, `factor_1`, ...

    Raises:
        UsageError: If the arrays are malformed, not finite or of different lengths, or no factor
            varies.

    Example:
        >>> random = np.random.default_rng(0)
        >>> factors = random.integers(0, 4, (2000, 2))
        >>> table = kd.metrics.CodeTable(factors + random.normal(0, 0.1, (2000, 2)), factors)
        >>> kd.metrics.factor_vae_score(table, n_train=200, n_test=100, seed=0).mean()
        1.0
    """

    def __init__(self, codes: Array, factors: Array, factor_names: Iterable[str] | None = None):
        labelled = check_labelled(codes, factors, factor_names, as_given=True)
        super().__init__(labelled)
        self._codes = labelled.codes
        self._columns: dict[int, Array] = {}

    def codes_of(self, rows: Array) -> Array:
        """Returns the codes `(..., d)` of row numbers of any shape."""
        return self._codes[rows]

    def columns_of(self, rows: Array, columns: Array) -> Array:
        """Returns some of the codes, code by code, `(len(columns), ...)`."""
        for column in columns:
            if column not in self._columns:
                # Drawn from side by side, a column stays in the processor's cache.
                self._columns[column] = np.ascontiguousarray(self._codes[:, column])
        return np.stack([self._columns[column][rows] for column in columns])


class RowCache:
    """Keeps arrays by row number of a table.

    `stored` has, by name, the values of the rows kept, in the order they were added, and their
    numbers as `"rows"`. It is empty at first.
    """

    def __init__(self, row_count: int):
        self.stored: dict[str, Array] = {}
        self._places = np.full(row_count, -1, np.int64)

    def missing(self, rows: Array, chunk: int) -> list[Array]:
        """Returns the rows that are not kept yet, in order and in chunks, for rows of any shape."""
        wanted = np.zeros(len(self._places), bool)
        wanted[np.ravel(rows)] = True
        new = np.flatnonzero(wanted & (self._places < 0))
        return [new[start : start + chunk] for start in range(0, len(new), chunk)]

    def add(self, parts: Iterable[dict[str, Array]]) -> None:
        """Adds arrays of rows that are not kept yet, among them `"rows"`, their numbers."""
        if new := list(parts):
            parts = [self.stored, *new] if self.stored else new
            self.stored = {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}
            self._places[self.stored["rows"]] = np.arange(len(self.stored["rows"]))

    def take(self, name: str, rows: Array) -> Array:
        """Returns the values of rows of any shape, `(*rows.shape, ...)`, that are all kept."""
        return self.stored[name][self._places[rows]]


class EncodedDataset(Sampler):
    """A data set with factors whose images are encoded when first needed.

    Args:
        dataset: Data set with factors, e.g. from `keras_devae.data.load`.
        encode: Function of images `(n, height, width, channels)` to codes `(n, d)`, e.g.
            `model.encode`.
        chunk: Images encoded at a time; default 1,024.

    Raises:
        UsageError: If the data set has no factors, or none that varies; if an argument is of
            another kind; or, when codes are asked for, if there is not one row of them per image.

    Example:
        >>> images = kd.data.load("dsprites", source="rendered", image_size=32)
        >>> table = kd.metrics.EncodedDataset(images, lambda x: x.mean(axis=(2, 3)))
        >>> table.codes_of(np.arange(4)).shape
        (4, 32)
    """

    def __init__(
        self, dataset: LabelledImages, encode: Callable[[Array], Array], chunk: int = 1024
    ):
        if not callable(encode):
            raise UsageError(
                "`encode` must be a function of images that returns codes (n, d), e.g. "
                f"`model.encode`. Received: a value of type {type(encode).__name__}."
            )
        checks.at_least("chunk", chunk, 1)
        super().__init__(label_rows(dataset))
        self._dataset, self._encode, self._chunk = dataset, encode, chunk
        self._cache = RowCache(len(dataset))

    def prepare(self, rows: Array) -> None:
        """Encodes the rows that are not yet encoded."""
        parts = [
            {"rows": new, "codes": self._encoded(new)}
            for new in self._cache.missing(rows, self._chunk)
        ]
        known = [self._cache.stored] if self._cache.stored else []
        widths = sorted({part["codes"].shape[1] for part in [*known, *parts]})
        if len(widths) > 1:
            raise UsageError(
                "`encode` must return the same number of codes for all images. Received: "
                f"{' and '.join(map(str, widths))}."
            )
        self._cache.add(parts)

    def _encoded(self, rows: Array) -> Array:
        codes = check_codes(self._encode(self._dataset.images(rows)), "encode(images)")
        if len(codes) != len(rows):
            raise UsageError(
                f"`encode` must return one row of codes per image. Received: {len(codes)} rows for "
                f"{len(rows)} images."
            )
        return codes

    def codes_of(self, rows: Array) -> Array:
        """Returns the codes `(..., d)` of row numbers of any shape."""
        self.prepare(rows)
        return self._cache.take("codes", rows)


def as_sampler(sampler: Sampler | Array, factors: Array | None) -> Sampler:
    """Makes a `CodeTable` of codes and factors, and leaves a `Sampler` as it is."""
    if isinstance(sampler, Sampler) and factors is None:
        return sampler
    if isinstance(sampler, Sampler) or factors is None:
        raise UsageError(
            "Pass codes and factors, or a `CodeTable` of them, or an `EncodedDataset` of a data "
            f"set and a function that encodes its images. Received: {type(sampler).__name__} and "
            f"{type(factors).__name__}."
        )
    return CodeTable(sampler, factors)


def label_rows(dataset: LabelledImages) -> LabelledCodes:
    """Returns the factors of all rows of a data set, with row numbers in place of codes."""
    if not hasattr(dataset, "factor_names") or not callable(getattr(dataset, "factors", None)):
        raise UsageError(
            "`dataset` must be a data set with factors, e.g. from `keras_devae.data.load`. "
            f"Received: a value of type {type(dataset).__name__}; of arrays make one with "
            "`keras_devae.data.from_arrays`."
        )
    if dataset.factor_names is None:
        raise UsageError(
            f"The data set {dataset.name!r} has no ground-truth factors to choose from."
        )
    rows = np.arange(len(dataset))
    return check_labelled(rows[:, None], dataset.factors(rows), dataset.factor_names)
