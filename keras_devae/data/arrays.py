"""Images and factors that are already in memory as arrays."""

import warnings

import numpy as np

from keras_devae.data.dataset import Dataset
from keras_devae.data.factor_classes import complete_grid, distinct_counts
from keras_devae.errors import UsageError

# Rows looked at together, so that no check makes a second copy of a large array.
_ROWS_AT_ONCE = 1024


class ArrayDataset(Dataset):
    """Images held in memory.

    Args:
        images: uint8 array of shape `(n, height, width, channels)`; not copied.
        factors: int64 array of shape `(n, number of factors)`, or `None`.
        factor_names: A name for each column of `factors`, or `None`.
        name: Short name. Default: `"arrays"`.
        provenance: Where the images come from. Default: `{"source": "arrays"}`.
        origin: The same in words. Default: `"arrays in memory"`.
        remark: What else `description` says. Default: whether there are factors.
    """

    def __init__(
        self,
        images: np.ndarray,
        factors: np.ndarray | None = None,
        factor_names: tuple[str, ...] | None = None,
        name: str = "arrays",
        provenance: dict | None = None,
        origin: str = "arrays in memory",
        remark: str | None = None,
    ):
        if remark is None:
            remark = "without factors" if factors is None else f"factors {', '.join(factor_names)}"
        super().__init__(
            name=name,
            length=len(images),
            image_shape=images.shape[1:],
            provenance=provenance or {"source": "arrays"},
            origin=origin,
            remark=remark,
            grid=None if factors is None else complete_grid(factors, factor_names),
            factor_names=factor_names,
            factor_sizes=None if factors is None else distinct_counts(factors),
        )
        self._images = images
        self._factors = factors

    def _read_images(self, rows: np.ndarray) -> np.ndarray:
        return self._images[rows]

    def _read_factors(self, rows: np.ndarray) -> np.ndarray:
        return self._factors[rows]


def from_arrays(images, factors=None, factor_names=None, name: str = "arrays") -> Dataset:
    """Makes a data set of images, and optionally their factors, that are in memory.

    Args:
        images: Array of shape `(n, height, width)` or `(n, height, width, channels)`. uint8
            pixels in 0..255 are kept as they are, without a copy. Float pixels must lie in
            [0, 1] and become the nearest of the 256 grey levels, `rint(255 * pixel)`.
        factors: Integers of shape `(n, number of factors)`; floats are accepted where every value
            is a whole number. Default: no factors.
        factor_names: A distinct name for each factor. Default: `factor_0`, `factor_1` ...
        name: Short name. Default: `"arrays"`.

    Returns:
        A `Dataset`. Its `grid` is set if the rows of `factors` enumerate all combinations of
        `0..size-1` in C order, and `None` otherwise; `factors` works in both cases.

    Raises:
        UsageError: If a shape, a type or a value is not one of the above.

    Example:
        >>> dataset = from_arrays(np.zeros((10, 64, 64), np.uint8))
        >>> dataset.image_shape
        (64, 64, 1)
    """
    pixels = as_pixels(images)
    factors, names = checked_factors(factors, factor_names, len(pixels))
    return ArrayDataset(pixels, factors, names, name=name)


def as_pixels(images) -> np.ndarray:
    """Returns images as uint8 `(n, h, w, c)`; see `from_arrays` for what is accepted."""
    images = np.asarray(images)
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise UsageError(
            "Images must have shape (n, height, width) or (n, height, width, channels), none of "
            f"them 0. Received: shape {images.shape}."
        )
    if images.dtype.kind == "f":
        images = _quantised(images)
    elif images.dtype != np.uint8:
        raise UsageError(
            "Images must be uint8 in 0..255 or floats in [0, 1]. "
            f"Received: {images.dtype}{_range_of(images)}. Convert them, e.g. with "
            "`images.astype('uint8')` if they lie in 0..255."
        )
    _warn_if_binary(images)
    return images[..., np.newaxis] if images.ndim == 3 else images


def checked_factors(factors, factor_names, length: int):
    """Returns factors as int64 `(length, f)` and their names as a tuple, or `(None, None)`.

    See `from_arrays` for what is accepted.
    """
    if factors is None:
        if factor_names is not None:
            raise UsageError(
                f"Factor names were given without factors. Received: {list(factor_names)}."
            )
        return None, None
    factors = np.asarray(factors)
    if factors.ndim != 2 or len(factors) != length or not factors.shape[1]:
        raise UsageError(
            f"Factors must have shape ({length}, number of factors), one row for each image. "
            f"Received: shape {factors.shape}."
        )
    values = _whole_numbers(factors)
    if factor_names is None:
        return values, tuple(f"factor_{column}" for column in range(values.shape[1]))
    names = tuple(str(factor_name) for factor_name in factor_names)
    if len(names) != values.shape[1] or len(set(names)) < len(names):
        raise UsageError(
            f"There must be a distinct name for each of the {values.shape[1]} factors. "
            f"Received: {list(names)}."
        )
    return values, names


def _whole_numbers(factors: np.ndarray) -> np.ndarray:
    if factors.dtype.kind in "iu":
        return factors.astype(np.int64, copy=False)
    if factors.dtype.kind != "f":
        raise UsageError(f"Factors must be integers. Received: dtype {factors.dtype}.")
    fractional = ~(np.isfinite(factors) & (factors == np.rint(factors)))
    if fractional.any():
        row, column = np.argwhere(fractional)[0]
        raise UsageError(
            "Factors must be whole numbers, because every measure here treats them as classes. "
            f"Received: {factors[row, column]} in row {row}, column {column}; number the values "
            "of that factor 0, 1, 2 ... or group them."
        )
    return factors.astype(np.int64)


def _quantised(images: np.ndarray) -> np.ndarray:
    pixels = np.empty(images.shape, np.uint8)
    for start in range(0, len(images), _ROWS_AT_ONCE):
        part = images[start : start + _ROWS_AT_ONCE]
        if not (part.min() >= 0 and part.max() <= 1):
            _refuse_floats(images, start)
        pixels[start : start + _ROWS_AT_ONCE] = np.rint(part.astype(np.float32, copy=False) * 255)
    return pixels


def _refuse_floats(images: np.ndarray, start: int) -> None:
    """Raises for float images of which the rows from `start` hold the first wrong value."""
    for row in range(start, len(images)):
        if np.isnan(images[row]).any():
            raise UsageError(f"Image {row} contains NaN.")
    raise UsageError(
        f"Float images must lie in [0, 1]. Received: {images.dtype}{_range_of(images)}. Rescale "
        "them, e.g. with `images / 255` or `(images + 1) / 2`, or pass uint8 in 0..255."
    )


def _range_of(images: np.ndarray) -> str:
    if images.dtype.kind not in "biuf":
        return ""
    return f" with minimum {images.min():g} and maximum {images.max():g}"


def _warn_if_binary(images: np.ndarray) -> None:
    # Most sets are cleared by their first rows; only dark ones are read to the end.
    if images[:_ROWS_AT_ONCE].max() == 1 and images.max() == 1:
        warnings.warn(
            "The brightest uint8 pixel is 1 of 255, so these images are all but black. If they "
            "are binary, pass `images * 255`.",
            UserWarning,
            stacklevel=4,
        )
