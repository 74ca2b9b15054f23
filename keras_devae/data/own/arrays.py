"""Images and factors that are already in memory as arrays."""

import hashlib
from collections.abc import Mapping

import numpy as np

from keras_devae.checks import check_channels_last, check_printable, shown, texts
from keras_devae.data.dataset import Dataset
from keras_devae.data.own.binning import class_numbers
from keras_devae.data.own.factor_classes import complete_grid, distinct_counts
from keras_devae.data.own.value_range import row_slices, warn_of_range
from keras_devae.errors import UsageError
from keras_devae.metrics.arrays import is_masked


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
        sizes = None if factors is None else distinct_counts(factors)
        super().__init__(
            name=name,
            length=len(images),
            image_shape=images.shape[1:],
            provenance=provenance or {"source": "arrays"},
            origin=origin,
            remark=remark,
            grid=None if factors is None else complete_grid(factors, factor_names),
            factor_names=factor_names,
            factor_sizes=sizes,
        )
        self._images = images
        self._factors = factors

    def _read_images(self, rows: np.ndarray) -> np.ndarray:
        return self._images[rows]

    def _read_factors(self, rows: np.ndarray) -> np.ndarray:
        return self._factors[rows]


def from_arrays(
    images, factors=None, factor_names=None, name: str = "arrays", bins=None
) -> Dataset:
    """Makes a data set of images, and optionally their factors, that are in memory.

    Args:
        images: Array of shape `(n, height, width)` or `(n, height, width, channels)`. uint8
            pixels in 0..255 are kept as they are, without a copy. Float pixels must lie in
            [0, 1] and become the nearest of the 256 grey levels, `rint(255 * pixel)`.
        factors: Integers of shape `(n, number of factors)`; floats are accepted where every value
            of a factor is a whole number, or the factor is in `bins`. Default: no factors.
        factor_names: A distinct name for each factor. Default: `factor_0`, `factor_1` ...
        name: Short name. Default: `"arrays"`.
        bins: For continuous factors, the number of bins, at least 2, by factor name, e.g.
            `{"angle": 20}`. The bins have equal width between the smallest and the largest value
            and are numbered from 0; the last holds its upper edge too. Default: none.

    Returns:
        A `Dataset`. Its `grid` is set if the rows of `factors` enumerate all combinations of
        `0..size-1` in C order, and `None` otherwise; `factors` works in both cases. Its
        `provenance` notes the ends and the number of the bins as `factor_bins`.

    Raises:
        UsageError: If a shape, a type or a value is not one of the above.

    Warns:
        UserWarning: If a factor without bins has over 1,000 values and few rows for each.

    Example:
        >>> dataset = from_arrays(np.zeros((10, 64, 64), np.uint8))
        >>> dataset.image_shape
        (64, 64, 1)
    """
    pixels = as_pixels(images)
    factors, names, notes = checked_factors(factors, factor_names, len(pixels), bins)
    return ArrayDataset(pixels, factors, names, name=name, provenance={"source": "arrays", **notes})


def content_hash(images: np.ndarray, factors: np.ndarray | None, all_rows: bool = True) -> str:
    """Returns what tells images and factors from any others, a SHA-256 in hexadecimal digits.

    Args:
        images: uint8 `(n, height, width, channels)`.
        factors: int64 `(n, f)`, or `None`.
        all_rows: Whether all images count, or only parts of them, as suits a file. Default: `True`.
    """
    digest = hashlib.sha256(repr((images.shape, np.shape(factors))).encode())
    for rows in row_slices(images, all_rows):
        digest.update(np.ascontiguousarray(images[rows]).data)
    if factors is not None:
        digest.update(np.ascontiguousarray(factors).data)
    return digest.hexdigest()


def as_pixels(images, all_rows: bool = True, name: str = "this array") -> np.ndarray:
    """Returns images as uint8 `(n, h, w, c)`; see `from_arrays` for what is accepted.

    Args:
        images: The images.
        all_rows: Whether all images may be read to see what range they fill, or only parts of
            them, as suits a file. Default: `True`.
        name: Where they come from, for a warning of that range. Default: `"this array"`.
    """
    if images is None or isinstance(images, (str, bytes, Mapping)):
        shown = f"a dictionary of {list(images)}" if isinstance(images, Mapping) else repr(images)
        raise UsageError(f"Images must be an array. Received: {shown}.")
    images = as_array(images, "Images")
    image_shape_of(images.shape)
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


def image_shape_of(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Returns `(height, width, channels)` for the shape of an array of images; see `from_arrays`.

    Raises:
        UsageError: If it is none of images, or the channels come first.
    """
    if len(shape) not in (3, 4) or 0 in shape:
        raise UsageError(
            "Images must have shape (n, height, width) or (n, height, width, channels), none of "
            f"them 0. Received: shape {shape}."
        )
    if len(shape) == 4:
        check_channels_last(shape[1:])
    return (*shape[1:3], 1 if len(shape) == 3 else shape[3])


def as_array(values, what: str) -> np.ndarray:
    """Returns values as an array; raises `UsageError` where they do not make one."""
    if is_masked(values):
        raise UsageError(
            f"{what} must have a value everywhere. Received: masked values; leave those rows out, "
            "or fill them."
        )
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{what} must be one array, rows all of one shape: {error}.") from None


def checked_factors(factors, factor_names, length: int, bins=None):
    """Returns factors as int64 `(length, f)`, their names, and what to note in the provenance.

    See `from_arrays` for what is accepted. Without factors the result is `(None, None, {})`.
    """
    if factors is None:
        if factor_names is not None:
            raise UsageError(
                f"Factor names were given without factors. Received: {shown(factor_names)}."
            )
        refuse_bins(bins)
        return None, None, {}
    factors = as_array(factors, "Factors")
    if factors.ndim != 2 or len(factors) != length or not factors.shape[1]:
        raise UsageError(
            f"Factors must have shape ({length}, number of factors), one row for each image. "
            f"Received: shape {factors.shape}."
        )
    names = checked_names(factor_names, factors.shape[1])
    values, notes = class_numbers(list(factors.T), names, bins)
    return values, names, notes


def checked_names(factor_names, count: int) -> tuple[str, ...]:
    """Returns a distinct name for each of `count` factors, `factor_0` ... if none are given."""
    if factor_names is None:
        return tuple(f"factor_{column}" for column in range(count))
    if isinstance(factor_names, np.ndarray):
        factor_names = factor_names.tolist()
    names = texts("factor_names", factor_names)
    check_printable("factor_names", names)
    if len(names) != count or len(set(names)) < len(names):
        raise UsageError(
            f"There must be a distinct name for each of the {count} factors. "
            f"Received: {shown(list(names))}."
        )
    return names


def refuse_bins(bins) -> None:
    """Raises if there are bins, for images that have no factors."""
    if bins is not None and not (isinstance(bins, Mapping) and not bins):
        raise UsageError(
            f"Bins were given for images without factors. Received: bins={bins!r}; give the "
            "factors too."
        )


def _quantised(images: np.ndarray) -> np.ndarray:
    pixels = np.empty(images.shape, np.uint8)
    for rows in row_slices(images):
        part = images[rows]
        if not (part.min() >= 0 and part.max() <= 1):
            _refuse_floats(images, rows.start)
        pixels[rows] = np.rint(part.astype(np.float32, copy=False) * 255)
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
