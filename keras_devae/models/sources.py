"""What images come in: arrays, batches, data sets, the dictionaries of TensorFlow Datasets."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_devae.errors import UsageError
from keras_devae.input.batches import Batches
from keras_devae.metrics.arrays import is_masked

#: The part of a dictionary that holds the images, as in TensorFlow Datasets.
IMAGE = "image"
_ROWS = 1024
_SOURCES = (
    "an array (n, height, width, channels), batches of such arrays, a data set of this package, a "
    "`tf.data.Dataset`, a `keras.utils.PyDataset` or a `torch.utils.data.DataLoader`"
)


def is_array(images: Any) -> bool:
    """Tells an array or tensor from batches of them."""
    return hasattr(images, "shape") and hasattr(images, "dtype")


def is_dataset(images: Any) -> bool:
    """Tells a data set of this package, which gives images by row number."""
    return (
        callable(getattr(images, "images", None))
        and hasattr(images, "__len__")
        and not isinstance(images, keras.utils.PyDataset)
    )


def images_in(batch: Any) -> Any:
    """Returns the images of a batch: of a dictionary `image`, of a tuple the first part."""
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


def as_source(images: Any, batch_size: int | None = None, shuffle: bool = False) -> Any:
    """Turns what a user has into what Keras's training loop takes.

    Args:
        images: Any of the sources named in `arrays_of`, or a generator of batches.
        batch_size: Images a batch; `None` (default) for the 64 of `dataset.batches()`.
        shuffle: Whether a data set of this package is shuffled; default false.

    Returns:
        The images themselves where Keras takes them; of a dictionary `image`; of a list an array;
        and of a data set its batches.

    Raises:
        UsageError: If it is none of these, or a size of batches is given beside batches.
    """
    if isinstance(images, dict):
        images = images_in(images)
    if isinstance(images, (list, tuple)):
        images = _array_of(images)
    if is_dataset(images):
        size = {} if batch_size is None else {"batch_size": batch_size}
        return Batches(images, shuffle=shuffle, **size)
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
        # Keras takes generators of tuples alone.
        return (batch if isinstance(batch, tuple) else (images_in(batch),) for batch in images)
    return images


def arrays_of(images: Any) -> Iterator[Any]:
    """Yields the images of a source, array by array, in their order.

    Args:
        images: An array; a list of images; a dictionary with one of the sources as `image`; a data
            set of this package; or what gives batches: `dataset.batches()`, a `tf.data.Dataset`, a
            `keras.utils.PyDataset`, a `torch.utils.data.DataLoader`.

    Raises:
        UsageError: If it is none of these, or without end.
    """
    source = as_source(images)
    if is_array(source):
        yield source
    elif is_dataset(images):
        for start in range(0, len(images), _ROWS):
            yield images.images(np.arange(start, min(start + _ROWS, len(images))))
    elif isinstance(source, Batches):
        yield from map(source.images, range(len(source)))
    else:
        yield from map(images_in, _finite(source))


def _finite(source):
    """Returns an iterable of the batches of one pass."""
    if isinstance(source, keras.utils.PyDataset):
        count = source.num_batches
        if count is not None:
            return map(source.__getitem__, range(count))
        endless = True
    else:
        endless = hasattr(source, "__next__")
        if _is_tf_data(source):
            # -1 is an infinite number of batches.
            endless = int(source.cardinality()) == -1
    if endless:
        raise UsageError(
            f"A {type(source).__name__} may have no end. Pass {_SOURCES}, of one pass over the "
            "images."
        )
    return source


def _is_tf_data(images):
    return hasattr(images, "element_spec") and hasattr(images, "map")


def _array_of(images):
    """Returns a list of images, or of nested numbers, as one array."""
    if any(is_masked(image) for image in images):
        raise UsageError(
            "Images cannot be masked. Fill what is masked, e.g. with `images.filled(0)`."
        )
    try:
        arrays = [keras.ops.convert_to_numpy(image) for image in images]
        # Batches in a list are the images of all of them.
        in_batches = bool(arrays) and all(array.ndim == 4 for array in arrays)
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
