"""Reads images from all kinds of sources, and checks them before any long work starts."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from keras_devae.checks import Tensor, check_channels_last
from keras_devae.data.own.value_range import warn_of_range
from keras_devae.errors import UsageError
from keras_devae.input.batches import Batches
from keras_devae.metrics.arrays import is_masked

#: The dictionary key of the images, as in TensorFlow Datasets.
IMAGE = "image"
#: How many images are read from a data set, or checked, at a time.
_ROWS_READ, _ROWS_CHECKED = 1024, 4096
_SOURCES = (
    "an array (n, height, width, channels), batches of such arrays, a data set of this package, a "
    "`tf.data.Dataset`, a `keras.utils.PyDataset` or a `torch.utils.data.DataLoader`"
)
_MASKED = "Images cannot be masked. Fill what is masked, e.g. with `images.filled(0)`."


def is_array(images: Any) -> bool:
    """Returns whether the images are one array or tensor, as opposed to batches."""
    return hasattr(images, "shape") and hasattr(images, "dtype")


def is_dataset(images: Any) -> bool:
    """Returns whether this is a data set of this package, which returns images by row number."""
    return (
        callable(getattr(images, "images", None))
        and hasattr(images, "__len__")
        and not isinstance(images, keras.utils.PyDataset)
    )


def are_floats(images: Any) -> bool:
    """Returns whether pixels are floats, as opposed to integers, which are read as 0..255."""
    return keras.backend.is_float_dtype(keras.backend.standardize_dtype(images.dtype))


def as_pixels(images: Tensor) -> Tensor:
    """Converts images to float32 pixels: divides integers by 255, leaves floats unchanged."""
    pixels = keras.ops.cast(images, "float32")
    return pixels if are_floats(images) else pixels / 255.0


def images_in(batch: Any) -> Any:
    """Returns the images of a batch: entry `image` of a dictionary, the first item of a tuple."""
    if isinstance(batch, dict):
        if IMAGE not in batch:
            raise UsageError(
                f"A dictionary must hold the images as {IMAGE!r}. "
                f"Received: one of {', '.join(map(repr, batch)) or 'nothing'}."
            )
        return batch[IMAGE]
    if isinstance(batch, (tuple, list)):
        return images_in(batch[0]) if len(batch) else batch
    return batch


def as_source(
    images: Any,
    batch_size: int | None = None,
    shuffle: bool = False,
    batches: Callable[..., Batches] = Batches,
) -> Any:
    """Converts the sources of `arrays_of`, and generators, to input for Keras's training loop.

    Dictionaries and lists become arrays; data sets become `batches`, of 64 images by default.
    """
    if isinstance(images, dict):
        images = images_in(images)
    if isinstance(images, (list, tuple)):
        images = _array_of(images)
    if is_dataset(images):
        size: dict[str, Any] = {} if batch_size is None else {"batch_size": batch_size}
        return batches(images, shuffle=shuffle, **size)
    if is_array(images):
        return images
    comes_in_batches = hasattr(images, "__iter__") or isinstance(images, keras.utils.PyDataset)
    if not comes_in_batches or isinstance(images, (str, bytes, set, frozenset, type)):
        raise _no_images(images)
    if batch_size is not None:
        raise UsageError(
            f"`batch_size` is for arrays and data sets; the {type(images).__name__} comes in "
            f"batches already. Leave it out. Received: batch_size={batch_size!r}."
        )
    if _is_tf_data(images) and isinstance(images.element_spec, dict):
        images_in(images.element_spec)
        return images.map(lambda batch: batch[IMAGE])
    if hasattr(images, "__next__"):
        # Keras takes only generators of tuples.
        return (batch if isinstance(batch, tuple) else (images_in(batch),) for batch in images)
    return images


def arrays_of(images: Any) -> Iterator[Any]:
    """Yields the images of a source, array by array, in their order.

    A source is an array; a list of images; a dictionary with a source as `image`; a data set of
    this package; or an object that yields batches: `dataset.batches()`, a `tf.data.Dataset`, a
    `keras.utils.PyDataset`, a `torch.utils.data.DataLoader`. Other objects, and sources that may
    never end, raise a `UsageError`.
    """
    source = as_source(images)
    if is_array(source):
        yield source
    elif is_dataset(images):
        for start in range(0, len(images), _ROWS_READ):
            yield images.images(np.arange(start, min(start + _ROWS_READ, len(images))))
    elif isinstance(source, Batches):
        yield from map(source.images, range(len(source)))
    else:
        yield from map(images_in, _one_pass(source))


def _one_pass(source):
    """Returns an iterable over the batches of one pass."""
    if isinstance(source, keras.utils.PyDataset):
        count = source.num_batches
        if count is not None:
            return map(source.__getitem__, range(count))
        endless = True
    elif _is_tf_data(source):
        # -1 is an infinite number of batches.
        endless = int(source.cardinality()) == -1
    else:
        endless = hasattr(source, "__next__")
    if endless:
        raise UsageError(
            f"A {type(source).__name__} may have no end. Pass {_SOURCES}, of one pass over the "
            "images."
        )
    return source


def _is_tf_data(images):
    return hasattr(images, "element_spec") and hasattr(images, "map")


def _array_of(images):
    """Converts a list of images, or of nested numbers, to one array."""
    if any(is_masked(image) for image in images):
        raise UsageError(_MASKED)
    try:
        arrays = [keras.ops.convert_to_numpy(image) for image in images]
        # A list of batches is joined to one array of images, or of pairs of images.
        in_batches = bool(arrays) and {array.ndim for array in arrays} in ({4}, {5})
        array = np.concatenate(arrays) if in_batches else np.asarray(arrays)
    except (ValueError, TypeError) as error:
        raise _no_images(images) from error
    if array.ndim < 2 or array.dtype.kind not in "biuf":
        raise _no_images(images)
    return array


def _no_images(images):
    shown = repr(images)
    shown = shown if len(shown) < 60 else f"{shown[:57]}..."
    return UsageError(f"Images must be {_SOURCES}. Received: {type(images).__name__} {shown}.")


def check_images(
    images: Any,
    image_shape: Sequence[int],
    bounded: bool,
    trains: bool = True,
    pairs: bool = False,
) -> None:
    """Checks an array, or the first batch of a source that can be read again.

    With `pairs`, they must be pairs of images, `(n, 2, height, width, channels)`.
    Integer images of only 0 and 1 are refused if a model `trains` or computes its losses, else
    warned about: a few images may be that dark. If `bounded`, floats must lie in `[0, 1]`.
    """
    if is_array(images):
        _check_array(images, image_shape, bounded, trains, pairs)
        if trains and not len(images):
            raise UsageError(f"There must be at least one image. Received: shape {images.shape}.")
        if trains and isinstance(images, np.ndarray) and images.dtype == np.uint8:
            warn_of_range(images, "this array", stacklevel=5)
    elif isinstance(images, Batches):
        _check_array(images.images(0), image_shape, bounded, pairs=pairs)
    elif isinstance(images, keras.utils.PyDataset):
        _check_array(images_in(images[0]), image_shape, bounded, pairs=pairs)
    elif hasattr(images, "__iter__") and not hasattr(images, "__next__"):
        for batch in images:
            _check_array(images_in(batch), image_shape, bounded, pairs=pairs)
            break


def check_validation_images(images: Any, image_shape: Sequence[int], bounded: bool) -> None:
    """Checks validation images like `check_images`, and refuses resident ones."""
    if isinstance(images, Batches) and images.resident:
        raise UsageError(
            "Only the images for training can be resident. Make the batches for validation "
            "without `resident`."
        )
    check_images(images, image_shape, bounded)


def _check_array(images, image_shape, bounded, trains=True, pairs=False):
    _check_kind(images)
    _check_shape(tuple(images.shape), tuple(image_shape), pairs)
    extremes = []
    for start in range(0, len(images), _ROWS_CHECKED):
        rows = keras.ops.convert_to_numpy(images[start : start + _ROWS_CHECKED])
        if keras.backend.is_float_dtype(rows.dtype.name):
            _check_floats(rows, start, bounded)
        else:
            extremes += [int(np.min(rows)), int(np.max(rows))]
    if extremes:
        _check_integers(min(extremes), max(extremes), trains)


def _check_shape(shape, image_shape, pairs):
    """Raises a `UsageError` unless this is the shape of images, or of pairs of images."""
    expected = (2, *image_shape) if pairs else image_shape
    if shape[1:] == expected:
        return
    words = f"(n, {', '.join(map(str, expected))}). "
    if pairs:
        raise UsageError(
            f"Expected pairs of images of shape {words[:-2]}: pass a data set with factors, its "
            f"`pairs()`, or `np.stack([first, second], axis=1)`. Received: {shape}."
        )
    if len(shape) == 4:
        check_channels_last(shape[1:])
    raise UsageError(f"Expected images of shape {words}Received: {shape}.")


def _check_kind(images):
    """Raises a `UsageError` unless the images are an array of numbers."""
    if not is_array(images) or isinstance(images, keras.KerasTensor):
        raise UsageError(
            "Expected images (n, height, width, channels) as an array. "
            f"Received: {type(images).__name__}."
        )
    if isinstance(images, np.ma.MaskedArray):
        raise UsageError(_MASKED)
    try:
        dtype = keras.backend.standardize_dtype(images.dtype)
    except ValueError:
        dtype = f"{images.dtype}, which Keras does not know"
    if " " in dtype or not dtype.startswith(("float", "bfloat", "int", "uint", "bool")):
        raise UsageError(f"Images must be numbers, integers or floats. Received: {dtype}.")


def _check_floats(rows, start, bounded):
    lowest, highest = float(np.min(rows)), float(np.max(rows))
    if not np.isfinite(lowest + highest):
        row = int(np.argmin(np.isfinite(rows).all(axis=tuple(range(1, rows.ndim)))))
        raise UsageError(
            f"The images hold a value that is not finite, first in row {start + row}. "
            "Remove or fix that image."
        )
    if bounded and (lowest < 0 or highest > 1):
        raise UsageError(
            f"The likelihood needs float pixels in [0, 1]. Received: values from {lowest:g} to "
            f"{highest:g}. Rescale them, pass them as uint8 of 0..255, or choose "
            'likelihood=keras_devae.losses.GaussianLikelihood(output="linear").'
        )


def _check_integers(lowest, highest, trains):
    if lowest < 0 or highest > 255:
        raise UsageError(
            f"Integer pixels must lie in 0..255. Received: values from {lowest} to {highest}."
        )
    if highest == 1:
        sentence = (
            "Integer pixels are read as 0..255, and the largest of these is 1: the images would be "
            "almost black. Multiply them by 255, or pass them as floats."
        )
        if trains:
            raise UsageError(sentence)
        warnings.warn(sentence, stacklevel=4)


def nan_outside_unit_range(pixels: Tensor) -> Tensor:
    """Replaces float pixels outside `[0, 1]` by NaN, which stops training.

    Needed because only the first batch of a generator or data set is checked before training.
    """
    outside = keras.ops.logical_or(pixels < 0, pixels > 1)
    return keras.ops.where(outside, float("nan"), pixels)


def count_images(images: Any) -> int | None:
    """Returns the number of images given to `fit`, or `None` if it is not known.

    It is known for arrays, and for objects with an attribute `dataset`. Other sources only tell
    their number of batches, and the last batch may be smaller.
    """
    if is_array(images):
        return int(images.shape[0])
    try:
        return len(images.dataset)
    except (AttributeError, TypeError):
        return None
