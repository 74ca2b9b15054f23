"""A whole data set on the device, where training looks up images by row number."""

from __future__ import annotations

import contextlib
import gc
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from keras_devae.backend import take_rows
from keras_devae.checks import Array, Tensor
from keras_devae.errors import FailureError, ran_out_of_memory

if TYPE_CHECKING:
    from keras_devae.data import Dataset

#: Number of images read from the data set at a time.
_ROWS = 4096
_HIGHEST_BIT_FIRST = np.arange(7, -1, -1, dtype=np.uint8)


class ResidentImages:
    """All images of a data set on the device: a byte per value, or a bit if it `is_binary`.

    A plain object, so that a model that has one as an attribute neither saves nor counts it.
    `progress` is called as `progress(done, total, what)` with numbers of images.

    Attributes:
        dataset: The data set.
        variable: A `keras.Variable` of uint8, `(n, height, width, channels)`, or `(n, bytes)` of
            packed bits.

    Raises:
        FailureError: If memory is too small for the images.
    """

    def __init__(self, dataset: Dataset, progress: Callable[[int, int, str], object] | None = None):
        self.dataset = dataset
        self._packed = bool(getattr(dataset, "is_binary", False))
        self._image_shape = _read(dataset, 0, 1).shape[1:]
        shape = stored_shape(dataset, self._image_shape)
        with _memory_failure(math.prod(shape)):
            stored = np.empty(shape, np.uint8)
        self._fill(stored, progress or (lambda *_: None))
        with _memory_failure(stored.nbytes):
            self.variable = keras.Variable(
                stored, dtype="uint8", trainable=False, name="resident_images"
            )

    def _fill(self, stored: Array, progress: Callable[[int, int, str], object]) -> None:
        total = len(stored)
        for start in range(0, total, _ROWS):
            stop = min(start + _ROWS, total)
            rows = _read(self.dataset, start, stop)
            packed = np.packbits(rows.reshape(stop - start, -1), axis=1) if self._packed else rows
            stored[start:stop] = packed
            progress(stop, total, "images to the device")

    def __call__(self, rows: Tensor) -> Tensor:
        """Looks up `dataset.images(rows)`, inside or outside of a compiled step.

        Args:
            rows: Row numbers, an integer tensor `(batch,)`, each in `[0, len(dataset))`.

        Returns:
            Uint8 tensor `(batch, height, width, channels)`.
        """
        images = take_rows(self.variable, rows)
        if not self._packed:
            return images
        # A NumPy array would turn uint8 into another dtype on some backends.
        shifts = ops.convert_to_tensor(_HIGHEST_BIT_FIRST, "uint8")
        bits = ops.right_shift(ops.expand_dims(images, -1), shifts)
        bits = ops.bitwise_and(bits, ops.ones_like(bits)) * ops.full_like(bits, 255)
        flat = ops.reshape(bits, (-1, 8 * self.variable.shape[1]))
        return ops.reshape(flat[:, : math.prod(self._image_shape)], (-1, *self._image_shape))


def stored_shape(dataset: Dataset, image_shape: tuple[int, int, int]) -> tuple[int, ...]:
    """Returns the shape in which a data set is stored, of packed bits if it is binary."""
    if getattr(dataset, "is_binary", False):
        return len(dataset), -(-math.prod(image_shape) // 8)
    return len(dataset), *image_shape


@contextlib.contextmanager
def kept_on_device(model: Any, batches: Any, function: str) -> Iterator[None]:
    """Sets `model.resident_images` to the images of resident batches inside a `with` block.

    Nothing happens unless `batches` has a true attribute `resident`. `function` names the model's
    attribute with Keras's compiled function, `"train_function"` or `"test_function"`. It is reset,
    as it would keep the images alive; Keras rebuilds it.

    Raises:
        FailureError: If memory is too small for the images.
    """
    if not getattr(batches, "resident", False):
        yield
        return
    before = model.resident_images
    is_there = before is not None and before.dataset is batches.dataset
    held = before if is_there else ResidentImages(batches.dataset)
    _hold(model, held, function)
    try:
        yield
    finally:
        _hold(model, before, function)
        if not is_there:
            held.variable = None
            gc.collect()


def _hold(model: Any, images: ResidentImages | None, function: str) -> None:
    # Bypasses Keras's `__setattr__`, which looks for variables to track.
    object.__setattr__(model, "resident_images", images)
    setattr(model, function, None)


def _read(dataset: Dataset, start: int, stop: int) -> Array:
    return dataset.images(np.arange(start, stop))


@contextlib.contextmanager
def _memory_failure(size: int) -> Iterator[None]:
    """Turns any backend's out-of-memory error into a `FailureError`."""
    try:
        yield
    except Exception as error:
        if not ran_out_of_memory(error):
            raise
        raise FailureError(
            f"The {size / 1e9:.2f} GB of the data set's images do not fit on the device. Train "
            f"without `resident`. ({type(error).__name__})"
        ) from error
