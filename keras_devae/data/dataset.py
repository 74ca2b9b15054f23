"""What every data set of the package offers, wherever its pixels come from."""

import abc
import math
from collections.abc import Callable

import numpy as np

from keras_devae.checks import check_channels_last
from keras_devae.data.factor_grid import FactorGrid
from keras_devae.data.indexing import row_numbers
from keras_devae.errors import UsageError

#: Called with what is done, what is to do (0 where that is not known), and what it is.
Progress = Callable[[int, int, str], None]


class Dataset(abc.ABC):
    """Images addressed by row number, with the factors that made them where these are known.

    Pixels are uint8 in 0..255 wherever they leave a data set, binary images included (0 and
    255), so that the one division by 255 belongs to the model. Whatever a subclass holds
    (nothing at all, packed bits, a file), the images of a batch are only made when asked for.

    Args:
        name: Short name, as in a run's configuration.
        length: Number of images.
        image_shape: `(height, width, channels)`.
        provenance: Where the pixels come from, as values JSON can hold.
        origin: The words of `description` that say the same to a reader.
        remark: What else `description` says, at its end. Default: nothing.
        grid: The factor grid whose C order the rows follow, or `None`.
        factor_names: Names of the factors where there is no grid. Default: those of `grid`.
        factor_sizes: Number of values of each factor. Default: those of `grid`.
        is_binary: Whether every pixel is 0 or 255, so that one bit holds it. Default: `False`.
        chunk_rows: Neighbouring rows that are read about as fast as one of them. Default: 1.

    Attributes:
        name: Short name.
        image_shape: `(height, width, channels)`.
        provenance: Dictionary that JSON can hold.
        grid: `FactorGrid`, or `None` where the rows do not enumerate one.
        factor_names: Tuple of names, or `None` for images without factors.
        factor_sizes: Tuple with the number of values of each factor, or `None`.
        is_binary: Whether every pixel is 0 or 255.
        chunk_rows: Neighbouring rows that are read about as fast as one of them; shuffled
            batches keep such rows near each other in time.
    """

    def __init__(
        self,
        name: str,
        length: int,
        image_shape: tuple[int, int, int],
        provenance: dict,
        origin: str,
        remark: str = "",
        grid: FactorGrid | None = None,
        factor_names: tuple[str, ...] | None = None,
        factor_sizes: tuple[int, ...] | None = None,
        is_binary: bool = False,
        chunk_rows: int = 1,
    ):
        self.name = name
        self.image_shape = tuple(int(side) for side in image_shape)
        check_channels_last(self.image_shape)
        self.provenance = provenance
        self.grid = grid
        self.factor_names = factor_names if grid is None else grid.names
        self.factor_sizes = factor_sizes if grid is None else grid.sizes
        self.is_binary = is_binary
        self.chunk_rows = chunk_rows
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

    def images(self, indices) -> np.ndarray:
        """Returns images by row number.

        Args:
            indices: Integers of shape `(n,)`, in any order, repeats allowed; negative ones count
                from the end; may be empty.

        Returns:
            uint8 array of shape `(n, height, width, channels)` with values in 0..255, row `i`
            belonging to `indices[i]`.

        Raises:
            UsageError: If an index is out of range or not an integer.
            FailureError: If a file cannot be read any more.
        """
        rows = row_numbers(indices, len(self))
        if not len(rows):
            return np.zeros((0, *self.image_shape), np.uint8)
        return self._read_images(rows)

    def factors(self, indices) -> np.ndarray:
        """Returns the factor values of images by row number.

        Args:
            indices: As for `images`.

        Returns:
            int64 array of shape `(n, number of factors)`, row `i` belonging to `indices[i]`.

        Raises:
            UsageError: If the data set has no factors, or an index is wrong.
        """
        if self.factor_names is None:
            raise UsageError(
                f"Data set {self.name!r} has no factors: only what needs images alone can be "
                "computed on it."
            )
        return self._read_factors(row_numbers(indices, len(self)))

    def batches(
        self,
        batch_size: int = 64,
        steps: int | None = None,
        seed: int = 0,
        start_step: int = 0,
        shuffle: bool = True,
        resident: bool = False,
        **options,
    ):
        """Returns the images in batches, in the form that `keras.Model.fit` takes.

        Args:
            batch_size: Images in a batch. Default: 64.
            steps: Batches in an epoch. Default: as many as cover the data set once.
            seed: Seed of the order. Default: 0.
            start_step: First step, for a run that goes on where it was stopped. Default: 0.
            shuffle: Whether the rows are put in random order. Default: `True`.
            resident: Whether `fit` keeps the whole data set on the device and picks the images of
                a batch there; see `keras_devae.input.batches.Batches`. Default: `False`.
            **options: `workers` and other options of `keras.utils.PyDataset`.

        Returns:
            A `keras_devae.input.batches.Batches`.
        """
        # Imported here because it needs Keras, which nothing else in this package does.
        from keras_devae.input.batches import Batches

        return Batches(
            self,
            batch_size=batch_size,
            steps=steps,
            seed=seed,
            start_step=start_step,
            shuffle=shuffle,
            resident=resident,
            **options,
        )

    @abc.abstractmethod
    def _read_images(self, rows: np.ndarray) -> np.ndarray:
        """Returns uint8 `(n, h, w, c)` for at least one row number, each in `[0, len(self))`."""

    def _read_factors(self, rows: np.ndarray) -> np.ndarray:
        """Returns int64 `(n, f)` for row numbers in `[0, len(self))`."""
        return self.grid.factors(rows)


class SubgridDataset(Dataset):
    """The rows of another data set whose factors stay below smaller sizes.

    Args:
        base: Data set with a grid.
        grid: Grid with the same factors and sizes no larger than those of `base.grid`.
        provenance: Entries added to those of `base`.
    """

    def __init__(self, base: Dataset, grid: FactorGrid, provenance: dict):
        super().__init__(
            name=base.name,
            length=math.prod(grid.sizes),
            image_shape=base.image_shape,
            provenance={**base.provenance, **provenance},
            origin=base._origin,
            remark=base._remark,
            grid=grid,
            is_binary=base.is_binary,
        )
        self._base = base

    def _read_images(self, rows: np.ndarray) -> np.ndarray:
        return self._base.images(self._base.grid.indices(self.grid.factors(rows)))
