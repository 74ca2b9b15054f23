"""Where the metrics that choose factors themselves get their codes from."""

import abc
from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np

from keras_devae.errors import UsageError
from keras_devae.metrics.inputs import LabelledCodes, check_codes, check_labelled


class LabelledImages(Protocol):
    """A data set with factors, such as `keras_devae.data.Dataset`."""

    name: str
    factor_names: tuple[str, ...] | None

    def __len__(self) -> int: ...

    def images(self, indices) -> np.ndarray:
        """Returns images `(n, height, width, channels)` by row number."""

    def factors(self, indices) -> np.ndarray:
        """Returns whole-number factors `(n, f)` by row number."""


class FactorIndex:
    """Finds rows of a labelled table that share the value of a factor.

    The table may lack any combinations of factors, and may have some of them several times.

    Args:
        factors: `(n, f)` int64 factors, each of which takes at least two values.
    """

    def __init__(self, factors: np.ndarray):
        self.row_count, self.factor_count = factors.shape
        self._columns = [_IndexedColumn(column) for column in factors.T]

    def draw(self, rng: np.random.Generator, shape) -> np.ndarray:
        """Draws rows uniformly, with repetition."""
        return rng.integers(self.row_count, size=shape)

    def draw_sharing(
        self, rng: np.random.Generator, rows: np.ndarray, factors: np.ndarray, count: int
    ) -> np.ndarray:
        """Draws, for each row, others that share the value of one factor with it.

        Args:
            rng: The source of randomness.
            rows: `(m,)` row numbers.
            factors: `(m,)` numbers of the factor that each of them shares.
            count: Rows to draw for each.

        Returns:
            Int64 array `(m, count)`, with repetition; the rows themselves may be among them.
        """
        drawn = np.empty((len(rows), count), np.int64)
        for factor, column in enumerate(self._columns):
            chosen = np.flatnonzero(factors == factor)
            drawn[chosen] = column.draw_sharing(rng, rows[chosen], count)
        return drawn


class Sampler(abc.ABC):
    """A labelled table whose codes can be asked for by row number.

    Args:
        labelled: Checked factors.
        index: Their `FactorIndex` where it is there already, or `None`.

    Attributes:
        index: The `FactorIndex` of the factors that vary.
        names: Their names.
        settings: What every result records of its data.
    """

    def __init__(self, labelled: LabelledCodes, index: FactorIndex | None = None):
        self.index = index or FactorIndex(labelled.factors)
        self.names = labelled.names
        # How many codes there are is not known before the first of them is asked for.
        self.settings = {k: v for k, v in labelled.settings.items() if k != "code_count"}

    def prepare(self, rows: np.ndarray) -> None:
        """Learns which rows will be asked for, so that they can be made ready in one pass."""
        del rows

    @abc.abstractmethod
    def codes_of(self, rows: np.ndarray) -> np.ndarray:
        """Returns the codes `(..., d)` of row numbers of any shape."""


class CodeTable(Sampler):
    """Codes of a labelled table, complete or not.

    Args:
        codes: `(n, d)` codes.
        factors: `(n, f)` whole-number factors.
        factor_names: A name for each factor; `None` for `factor_0`, `factor_1`, ...

    Raises:
        UsageError: If the arrays are malformed, not finite or of different lengths, or no factor
            varies.
    """

    def __init__(
        self,
        codes: np.ndarray,
        factors: np.ndarray,
        factor_names: Iterable[str] | None = None,
    ):
        labelled = check_labelled(codes, factors, factor_names)
        super().__init__(labelled)
        self._codes = labelled.codes

    def codes_of(self, rows):
        """Returns the codes `(..., d)` of row numbers of any shape."""
        return self._codes[rows]


class EncodedDataset(Sampler):
    """A data set with factors, each image of which is encoded when it is first asked for.

    Args:
        dataset: Data set with factors, e.g. from `keras_devae.data.load`.
        encode: Function of images `(n, height, width, channels)` to codes `(n, d)`, e.g.
            `model.encode`.
        chunk: Images encoded at a time; default 1,024.

    Raises:
        UsageError: If the data set has no factors, or none that varies.
    """

    def __init__(
        self,
        dataset: LabelledImages,
        encode: Callable[[np.ndarray], np.ndarray],
        chunk: int = 1024,
    ):
        super().__init__(label_rows(dataset))
        self._dataset, self._encode, self._chunk = dataset, encode, chunk
        self._places = np.full(len(dataset), -1)
        self._codes = None

    def prepare(self, rows):
        """Encodes the rows that are not yet."""
        new = np.unique(rows)
        new = new[self._places[new] < 0]
        chunks = (new[start : start + self._chunk] for start in range(0, len(new), self._chunk))
        parts = [check_codes(self._encode(self._dataset.images(chunk))) for chunk in chunks]
        if not parts:
            return
        known = 0 if self._codes is None else len(self._codes)
        self._places[new] = np.arange(known, known + len(new))
        self._codes = np.concatenate(parts if self._codes is None else [self._codes, *parts])

    def codes_of(self, rows):
        """Returns the codes `(..., d)` of row numbers of any shape."""
        self.prepare(rows)
        return self._codes[self._places[rows]]


def label_rows(dataset: LabelledImages) -> LabelledCodes:
    """Returns the factors of all rows of a data set, with row numbers in place of codes.

    Args:
        dataset: Data set with factors.

    Raises:
        UsageError: If it has no factors, or none that varies.
    """
    if dataset.factor_names is None:
        raise UsageError(
            f"The data set {dataset.name!r} has no ground-truth factors to choose from."
        )
    rows = np.arange(len(dataset))
    return check_labelled(rows[:, None], dataset.factors(rows), dataset.factor_names, stacklevel=4)


class _IndexedColumn:
    """The rows of a table ordered by one factor."""

    def __init__(self, column):
        _, self._labels, counts = np.unique(column, return_inverse=True, return_counts=True)
        self._order = np.argsort(self._labels, kind="stable")
        self._counts = counts
        self._starts = np.concatenate([[0], np.cumsum(counts)[:-1]])

    def draw_sharing(self, rng, rows, count):
        labels = self._labels[rows][:, None]
        places = rng.integers(self._counts[labels], size=(len(rows), count))
        return self._order[self._starts[labels] + places]
