"""Images and factors in arrays, in memory or in a .npy file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_devae.checks import Array, check_channels_last
from keras_devae.data.dataset import Dataset
from keras_devae.data.factor_grid import complete_grid, distinct_counts
from keras_devae.data.indexing import as_array
from keras_devae.data.own.factor_values import Reading, checked_factors
from keras_devae.data.own.value_range import row_slices, warn_of_range
from keras_devae.errors import FailureError, UsageError
from keras_devae.files.archives import UNREADABLE


class MappedImages:
    """The images in a .npy file, uint8 `(n, height, width)` or `(n, height, width, channels)`.

    They stay in the file, which another process opens anew; `shape` always has four dimensions.
    """

    def __init__(self, path: Path):
        images = mapped_array(path)
        self._path = path
        self._images = images[..., np.newaxis] if images.ndim == 3 else images
        self.shape = self._images.shape

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._path.resolve(),)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, rows: Array) -> Array:
        return self._images[rows]


def mapped_array(file: Path) -> Array:
    """Opens a .npy file as a read-only array whose bytes stay in the file until they are used.

    Raises `UsageError` if there is no such file or it holds Python objects, and `FailureError` if
    it is damaged or not a .npy file.
    """
    if not file.is_file():
        raise UsageError(f"There is no file {file}.")
    try:
        return np.asarray(np.lib.format.open_memmap(file, mode="r"))
    except UNREADABLE as error:
        if "Python objects" in str(error):
            raise UsageError(
                f"{file} holds Python objects, which are not read because unpickling runs code; "
                "save it as an array of numbers."
            ) from None
        raise FailureError(f"{file} is not a complete .npy file: {error}.") from None


class ArrayDataset(Dataset):
    """Images in a uint8 array `(n, h, w, channels)`, with int64 factors `(n, f)` or `None`.

    `measured` are the values of the factors, float64 `(n, f)`, where some are continuous.
    """

    def __init__(
        self,
        images: Array | MappedImages,
        factors: Array | None = None,
        factor_names: tuple[str, ...] | None = None,
        name: str = "arrays",
        provenance: dict[str, Any] | None = None,
        origin: str = "arrays in memory",
        measured: Array | None = None,
        **described: Any,
    ):
        remark, grid, sizes = "without factors", None, None
        if factors is not None and factor_names is not None:
            remark = f"factors {', '.join(factor_names)}"
            grid, sizes = complete_grid(factors, factor_names), distinct_counts(factors)
        super().__init__(
            name=name,
            length=len(images),
            image_shape=images.shape[1:],
            provenance=provenance or {"source": "arrays"},
            origin=origin,
            remark=remark,
            grid=grid,
            factor_names=factor_names,
            factor_sizes=sizes,
            **described,
        )
        self._images = images
        self._factors = factors
        self._measured = measured

    def _read_images(self, rows: Array) -> Array:
        return self._images[rows]

    def _read_factors(self, rows: Array) -> Array:
        assert self._factors is not None
        return self._factors[rows]

    def _read_factor_values(self, rows: Array) -> Array:
        return super()._read_factor_values(rows) if self._measured is None else self._measured[rows]


def from_arrays(
    images: ArrayLike,
    factors: ArrayLike | None = None,
    factor_names: Iterable[str] | None = None,
    name: str = "arrays",
    bins: Mapping[str, int] | None = None,
    factor_kinds: Mapping[str, str] | None = None,
    sequence_column: str | None = None,
) -> Dataset:
    """Makes a data set from images, and optionally their factors, in memory.

    Args:
        images: Array of shape `(n, height, width)` or `(n, height, width, channels)`. uint8
            pixels in 0..255 are kept as they are, without a copy. Float pixels must lie in
            [0, 1] and become the nearest of the 256 grey levels, `rint(255 * pixel)`.
        factors: Numbers or words of shape `(n, number of factors)`. Words are classes, in natural
            order. Numbers that are not all whole are continuous if there are more than 10 different
            ones and fewer than 10 rows for each, or more than 1,000, unless each of up to 1,000
            occurs equally often, at least twice; otherwise they are the levels of a factor. Whole
            numbers are continuous if there are more than 1,000 and fewer than 10 rows for each.
            More than 100 words with fewer than 2 rows for each are left out. Default: no factors.
        factor_names: A distinct name for each factor. Default: `factor_0`, `factor_1` ...
        name: Short name. Default: `"arrays"`.
        bins: For continuous factors, the number of bins, at least 2, by factor name, e.g.
            `{"angle": 20}`. The bins have equal width between the smallest and the largest value
            and are numbered from 0; the last also includes its upper edge. Default: 20.
        factor_kinds: What a factor is where its values do not show it, by name: `"classes"`,
            `"numbers"`, `"continuous"`, or `"ignore"`, to leave it out. Default: none.
        sequence_column: Name of the factor that is none, but says which images belong to one
            sequence: the attribute `sequences`. Default: none.

    Returns:
        A `Dataset`. Its `grid` is set if the rows of `factors` enumerate all combinations of
        `0..size-1` in C order, and `None` otherwise; `factors` works in both cases. Its
        `provenance` records the ends and the number of the bins as `factor_bins`.

    Raises:
        UsageError: If a shape, a type or a value is not as described above.

    Warns:
        UserWarning: If a factor is taken as continuous or left out, unless that was asked for.

    Example:
        >>> dataset = from_arrays(np.zeros((10, 64, 64), np.uint8))
        >>> dataset.image_shape
        (64, 64, 1)
    """
    pixels = as_pixels(images)
    found = checked_factors(
        factors, factor_names, len(pixels), Reading(bins, factor_kinds, sequence_column)
    )
    provenance = {"source": "arrays", **found.notes}
    return ArrayDataset(
        pixels, found.values, found.names, name=name, provenance=provenance, **found.described
    )


def content_hash(images: Array, factors: Array | None, all_rows: bool = True) -> str:
    """Returns a SHA-256 of images and factors in hexadecimal digits.

    Unless `all_rows`, only some slices of the images are hashed, as for images kept in a file.
    """
    digest = hashlib.sha256(repr((images.shape, () if factors is None else factors.shape)).encode())
    for rows in row_slices(images, all_rows):
        digest.update(np.ascontiguousarray(images[rows]).data)
    if factors is not None:
        digest.update(np.ascontiguousarray(factors).data)
    return digest.hexdigest()


def as_pixels(images: Any, all_rows: bool = True, name: str = "this array") -> Array:
    """Returns images as uint8 `(n, h, w, c)`; see `from_arrays` for what is accepted.

    Warns of odd grey levels; unless `all_rows`, only some of the images are read to find them.
    """
    if images is None or isinstance(images, (str, bytes, Mapping)):
        given = f"a dictionary of {list(images)}" if isinstance(images, Mapping) else repr(images)
        raise UsageError(f"Images must be an array. Received: {given}.")
    images = as_array(images, "Images")
    checked_image_shape(images.shape)
    if images.dtype.kind == "f":
        images = _quantised(images)
    elif images.dtype != np.uint8:
        raise UsageError(
            "Images must be uint8 in 0..255 or floats in [0, 1]. "
            f"Received: {images.dtype}{_range_of(images)}. Convert them, e.g. with "
            "`images.astype('uint8')` if they lie in 0..255."
        )
    images = images[..., np.newaxis] if images.ndim == 3 else images
    warn_of_range(images, name, all_rows=all_rows, stacklevel=4)
    return images


def checked_image_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Returns `(height, width, channels)` for the shape of an array of images, or refuses it."""
    if len(shape) not in (3, 4) or 0 in shape:
        raise UsageError(
            "Images must have shape (n, height, width) or (n, height, width, channels), none of "
            f"them 0. Received: shape {shape}."
        )
    if len(shape) == 4:
        check_channels_last(shape[1:])
    return (shape[1], shape[2], 1 if len(shape) == 3 else shape[3])


def _quantised(images: Array) -> Array:
    pixels = np.empty(images.shape, np.uint8)
    for rows in row_slices(images):
        part = images[rows]
        if not (part.min() >= 0 and part.max() <= 1):
            _refuse_floats(images, rows.start)
        pixels[rows] = np.rint(part.astype(np.float32, copy=False) * 255)
    return pixels


def _refuse_floats(images: Array, start: int) -> None:
    """Raises for float images whose first wrong value is in row `start` or later."""
    for row in range(start, len(images)):
        if np.isnan(images[row]).any():
            raise UsageError(f"Image {row} contains NaN.")
    raise UsageError(
        f"Float images must lie in [0, 1]. Received: {images.dtype}{_range_of(images)}. Rescale "
        "them, e.g. with `images / 255` or `(images + 1) / 2`, or pass uint8 in 0..255."
    )


def _range_of(images: Array) -> str:
    if images.dtype.kind not in "biuf":
        return ""
    return f" with minimum {images.min():g} and maximum {images.max():g}"
