"""The base classes of all data sets, wherever their pixels come from."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from keras_devae.checks import Array, check_channels_last
from keras_devae.data.factor_grid import FactorGrid, complete_grid, distinct_counts
from keras_devae.data.indexing import row_numbers
from keras_devae.errors import UsageError

if TYPE_CHECKING:
    from keras_devae.input.batches import Batches
    from keras_devae.input.pairs import Pairs

#: Called with the amount done, the total (0 if unknown), and what is being done.
Progress = Callable[[int, int, str], None]
#: Arguments that a derived data set takes from its base.
_INHERITED = (
    *("image_shape", "grid", "factor_names", "factor_sizes", "is_binary", "chunk_rows"),
    *("factor_labels", "continuous_factors", "nominal_factors", "sequences"),
)


class Dataset(abc.ABC):
    """Images addressed by row number, with their factors if these are known.

    A data set always returns uint8 pixels in 0..255, even for binary images (0 and 255), so that
    dividing by 255 is left to the model. Whatever a subclass holds (nothing at all, packed bits, a
    file), the images of a batch are made only when they are requested.

    A subclass implements `_read_images`, and `_read_factors` if it has factors but no grid. All
    arguments except `length` (see `len`), `origin` and `remark` are attributes, too.

    Args:
        name: Short name, as in a run's configuration.
        length: Number of images.
        image_shape: `(height, width, channels)`.
        provenance: Where the pixels come from, as a JSON-serialisable dictionary.
        origin: The same in words, for `description`.
        remark: Text appended to `description`. Default: nothing.
        grid: The `FactorGrid` whose C order the rows follow. Default: `None`, for rows without one.
        factor_names: Names of the factors if there is no grid. Default: the names in `grid`, or
            `None` for images without factors.
        factor_sizes: Number of values of each factor. Default: as for `factor_names`.
        is_binary: Whether every pixel is 0 or 255, so that one bit can hold it. Default: `False`.
        chunk_rows: Number of neighbouring rows that are read about as fast as one; shuffled batches
            keep such rows near each other in time. Default: 1.
        factor_labels: By factor, the text of each of its whole numbers from 0: names of classes,
            or edges of bins. Default: none, for factors whose numbers speak for themselves.
        continuous_factors: Names of the factors that are measured quantities; `factors` returns
            their bins, and `factor_values` what was measured. Default: none.
        nominal_factors: Names of the factors whose values have no order, such as shapes. Default:
            none.
        sequences: int64 `(length,)`, the number of the sequence that each image belongs to.
            Default: `None`, unknown.

    Example:
        >>> class Stripes(kd.data.Dataset):
        ...     '''One white column at each of eight places.'''
        ...
        ...     def __init__(self):
        ...         grid = kd.data.FactorGrid(("column",), (8,))
        ...         super().__init__("stripes", 8, (8, 8, 1), {}, "drawn", grid=grid)
        ...
        ...     def _read_images(self, rows):
        ...         white = 255 * np.eye(8, dtype=np.uint8)[rows]
        ...         return np.broadcast_to(white[:, None, :, None], (len(rows), 8, 8, 1))
        >>> data = Stripes()
        >>> data.description
        'stripes: drawn, 8 images of 8x8x1'
        >>> data.images([2, -1])[:, 0, :, 0]
        array([[  0,   0, 255,   0,   0,   0,   0,   0],
               [  0,   0,   0,   0,   0,   0,   0, 255]], dtype=uint8)
        >>> data.factors([2, -1])
        array([[2],
               [7]])
    """

    def __init__(
        self,
        name: str,
        length: int,
        image_shape: tuple[int, int, int],
        provenance: dict[str, Any],
        origin: str,
        remark: str = "",
        grid: FactorGrid | None = None,
        factor_names: tuple[str, ...] | None = None,
        factor_sizes: tuple[int, ...] | None = None,
        is_binary: bool = False,
        chunk_rows: int = 1,
        factor_labels: Mapping[str, tuple[str, ...]] | None = None,
        continuous_factors: tuple[str, ...] = (),
        nominal_factors: tuple[str, ...] = (),
        sequences: Array | None = None,
    ):
        self.name = name
        height, width, channels = map(int, image_shape)
        self.image_shape = (height, width, channels)
        check_channels_last(self.image_shape)
        self.provenance = provenance
        self.grid = grid
        self.factor_names = factor_names if grid is None else grid.names
        self.factor_sizes = factor_sizes if grid is None else grid.sizes
        self.is_binary = is_binary
        self.chunk_rows = chunk_rows
        names = self.factor_names or ()
        labels = factor_labels or {}
        self.factor_labels = {name: tuple(labels[name]) for name in names if name in labels}
        self.continuous_factors = tuple(name for name in names if name in continuous_factors)
        self.nominal_factors = tuple(name for name in names if name in nominal_factors)
        self.sequences = sequences
        self._length = int(length)
        self._origin = origin
        self._remark = remark

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.description}>"

    @property
    def description(self) -> str:
        """One line naming the source, the number of images and their shape."""
        shape = "x".join(map(str, self.image_shape))
        noun = "image" if len(self) == 1 else "images"
        remark = f" ({self._remark})" if self._remark else ""
        return f"{self.name}: {self._origin}, {len(self):,} {noun} of {shape}{remark}"

    def images(self, indices: ArrayLike) -> Array:
        """Returns images by row number.

        Args:
            indices: Integers of shape `(n,)`, in any order, repeats allowed; negative ones count
                from the end; may be empty.

        Returns:
            uint8 array of shape `(n, height, width, channels)` with values in 0..255.

        Raises:
            UsageError: If an index is out of range or not an integer.
            FailureError: If a file can no longer be read.
        """
        rows = row_numbers(indices, len(self))
        if not len(rows):
            return np.zeros((0, *self.image_shape), np.uint8)
        return self._read_images(rows)

    def factors(self, indices: ArrayLike) -> Array:
        """Returns the factor values of images by row number.

        Args:
            indices: As for `images`.

        Returns:
            int64 array of shape `(n, number of factors)`.

        Raises:
            UsageError: If the data set has no factors, or an index is wrong.
        """
        self._check_has_factors()
        return self._read_factors(row_numbers(indices, len(self)))

    def factor_values(self, indices: ArrayLike) -> Array:
        """Returns the factors of images as measured, by row number.

        Args:
            indices: As for `images`.

        Returns:
            float64 array of shape `(n, number of factors)`: the measured values of continuous
            factors, the numeric values of others, and the numbers of classes.

        Raises:
            UsageError: As for `factors`.
        """
        self._check_has_factors()
        return self._read_factor_values(row_numbers(indices, len(self)))

    def factor_texts(self, index: int) -> dict[str, int | str]:
        """Returns the factors of an image as people read them, by name.

        Args:
            index: Row number, negative ones count from the end.

        Returns:
            By name, the class or level of a factor, the measured value of a continuous one with
            four digits, or its whole number where that speaks for itself.

        Raises:
            UsageError: As for `factors`.
        """
        numbers, values = self.factors([index])[0], self.factor_values([index])[0]
        shown: dict[str, int | str] = {}
        for name, number, value in zip(self.factor_names or (), numbers, values, strict=True):
            labels = self.factor_labels.get(name)
            if name in self.continuous_factors:
                shown[name] = f"{value:.4g}"
            else:
                shown[name] = int(number) if labels is None else labels[number]
        return shown

    def _check_has_factors(self) -> None:
        if self.factor_names is None:
            raise UsageError(
                f"Data set {self.name!r} has no factors, so only what needs nothing but images can "
                "be computed on it."
            )

    def batches(
        self,
        batch_size: int = 64,
        steps: int | None = None,
        seed: int = 0,
        start_step: int = 0,
        shuffle: bool = True,
        resident: bool = False,
        **options: Any,
    ) -> Batches:
        """Returns the images in batches that `keras.Model.fit` accepts.

        Args:
            batch_size: Number of images in a batch. Default: 64.
            steps: Number of batches in an epoch. Default: as many as cover the data set once.
            seed: Seed of the order. Default: 0.
            start_step: First step, for resuming a stopped run. Default: 0.
            shuffle: Whether to put the rows in random order. Default: `True`.
            resident: Whether `fit` keeps the whole data set on the device and picks the images of
                a batch there; see `keras_devae.input.batches.Batches`. Default: `False`.
            **options: `workers` and other options of `keras.utils.PyDataset`.

        Returns:
            A `keras_devae.input.batches.Batches`.
        """
        # Imported here because it needs Keras, which nothing else in this package does.
        from keras_devae.input.batches import Batches

        return Batches(
            self, batch_size, steps, seed, start_step, shuffle=shuffle, resident=resident, **options
        )

    def pairs(self, changed_factors: int | str = 1, **options: Any) -> Pairs:
        """Returns pairs of images that share some factors, in batches that `AdaGVAE.fit` accepts.

        Args:
            changed_factors: Number of factors that differ, drawn at random like their new values;
                `"random"`: one in half of the pairs, in the others 1 to all but one. Default: 1.
            **options: Arguments of `batches`; `batch_size` counts pairs.

        Raises:
            UsageError: If the data set has no factors, or too few that vary.
        """
        from keras_devae.data.partners import batches_of_pairs

        return batches_of_pairs(self, changed_factors, **options)

    @abc.abstractmethod
    def _read_images(self, rows: Array) -> Array:
        """Returns uint8 `(n, h, w, c)` for at least one row number, each in `[0, len(self))`."""

    def _read_factors(self, rows: Array) -> Array:
        """Returns int64 `(n, f)` for row numbers in `[0, len(self))`."""
        assert self.grid is not None
        return self.grid.factors(rows)

    def _read_factor_values(self, rows: Array) -> Array:
        """Returns float64 `(n, f)`; overridden where a factor is continuous."""
        return self._read_factors(rows).astype(np.float64)


class DerivedDataset(Dataset):
    """A data set whose images come from `base`; `changed` holds the arguments that differ from it.

    `remark` says what was done and is appended to the remark of `base`.
    """

    def __init__(self, base: Dataset, provenance: dict[str, Any], remark: str = "", **changed: Any):
        arguments: dict[str, Any] = {name: getattr(base, name) for name in _INHERITED}
        arguments |= {"name": base.name, "length": len(base), "origin": base._origin, **changed}
        remark = "; ".join(filter(None, (base._remark, remark)))
        super().__init__(provenance=provenance, remark=remark, **arguments)
        self._base = base


class VariantDataset(DerivedDataset):
    """A data set made from another one.

    `entry`, a JSON-serialisable dictionary with a `name`, describes what was done; it is appended
    to the list `variants` of the provenance. `remark` says the same in words.
    """

    def __init__(self, base: Dataset, entry: dict[str, Any], remark: str, **changed: Any):
        variants = [*base.provenance.get("variants", []), entry]
        super().__init__(base, {**base.provenance, "variants": variants}, remark, **changed)


class OutlinedDataset(Dataset):
    """A data set as known before its images are read; all of its images are black.

    It has either `factors`, int64 `(n, f)`, with their names, or a grid, or neither; `measured` are
    the values of the factors, float64 `(n, f)`, where some are continuous.
    """

    def __init__(
        self,
        name: str,
        length: int,
        image_shape: tuple[int, int, int],
        factors: Array | None = None,
        factor_names: tuple[str, ...] | None = None,
        grid: FactorGrid | None = None,
        measured: Array | None = None,
        **described: Any,
    ):
        if factors is not None and factor_names is not None:
            grid = complete_grid(factors, factor_names)
        super().__init__(
            name,
            length,
            image_shape,
            provenance={"source": "outline"},
            origin="not read yet",
            grid=grid,
            factor_names=factor_names,
            factor_sizes=None if factors is None else distinct_counts(factors),
            **described,
        )
        self._factors = factors
        self._measured = measured

    def _read_images(self, rows: Array) -> Array:
        return np.zeros((len(rows), *self.image_shape), np.uint8)

    def _read_factors(self, rows: Array) -> Array:
        return super()._read_factors(rows) if self._factors is None else self._factors[rows]

    def _read_factor_values(self, rows: Array) -> Array:
        return super()._read_factor_values(rows) if self._measured is None else self._measured[rows]
