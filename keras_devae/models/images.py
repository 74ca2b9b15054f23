"""Checks of the images that a model is given, made before any long work starts."""

import warnings

import keras
import numpy as np

from keras_devae.checks import check_channels_last
from keras_devae.data.own.value_range import warn_of_range
from keras_devae.errors import UsageError
from keras_devae.input.batches import Batches
from keras_devae.models.sources import images_in, is_array

_ROWS = 4096


def check_images(images, image_shape, bounded, trains=True):
    """Checks an array, or what can be seen of a data set without using it up.

    Args:
        images: An array or tensor `(n, height, width, channels)`; or a `keras.utils.PyDataset`, a
            `tf.data.Dataset` or a `torch.utils.data.DataLoader`, of which the first batch is
            checked. Generators are not touched.
        image_shape: The `(height, width, channels)` that the model takes.
        bounded: Whether float pixels must lie in `[0, 1]`.
        trains: Whether images of 0 and 1 as integers are refused, as they are for training and its
            losses (default), or warned of: a few pictures may be that dark.

    Raises:
        UsageError: If the shape is wrong, a value is not finite, or the range does not fit.
    """
    if is_array(images):
        _check_array(images, image_shape, bounded, trains)
        if trains and not len(images):
            raise UsageError(f"There must be at least one image. Received: shape {images.shape}.")
        if trains and isinstance(images, np.ndarray) and images.dtype == np.uint8:
            warn_of_range(images, "this array", stacklevel=4)
    elif isinstance(images, Batches):
        _check_array(images.images(0), image_shape, bounded)
    elif isinstance(images, keras.utils.PyDataset):
        _check_array(images_in(images[0]), image_shape, bounded)
    elif hasattr(images, "__iter__") and not hasattr(images, "__next__"):
        for batch in images:
            _check_array(images_in(batch), image_shape, bounded)
            break


def check_held_out_images(validation_data, image_shape, bounded):
    """Checks images for validation as `check_images` does, and that they are not resident.

    Args:
        validation_data: The images, as `check_images` takes them, or `None`.
        image_shape: See `check_images`.
        bounded: See `check_images`.

    Raises:
        UsageError: See `check_images`; or if they are resident `Batches`.
    """
    if validation_data is None:
        return
    if isinstance(validation_data, Batches) and validation_data.resident:
        raise UsageError(
            "Only the images for training can be resident. Make the batches for validation "
            "without `resident`."
        )
    check_images(validation_data, image_shape, bounded)


def are_floats(images):
    """Tells floats from integers, which are read as 0..255."""
    return keras.backend.is_float_dtype(keras.backend.standardize_dtype(images.dtype))


def _check_array(images, image_shape, bounded, trains=True):
    _check_kind(images)
    if tuple(images.shape[1:]) != tuple(image_shape):
        if len(images.shape) == 4:
            check_channels_last(images.shape[1:])
        raise UsageError(
            f"Expected images of shape (n, {', '.join(map(str, image_shape))}). "
            f"Received: {tuple(images.shape)}."
        )
    extremes = []
    for start in range(0, len(images), _ROWS):
        rows = keras.ops.convert_to_numpy(images[start : start + _ROWS])
        if keras.backend.is_float_dtype(rows.dtype.name):
            _check_floats(rows, start, bounded)
        else:
            extremes += [int(np.min(rows)), int(np.max(rows))]
    if extremes:
        _check_integers(min(extremes), max(extremes), trains)


def _check_kind(images):
    """Raises a `UsageError` unless it is an array of numbers."""
    if not is_array(images) or isinstance(images, keras.KerasTensor):
        raise UsageError(
            "Expected images (n, height, width, channels) as an array. "
            f"Received: {type(images).__name__}."
        )
    if isinstance(images, np.ma.MaskedArray):
        raise UsageError(
            "Images cannot be masked. Fill what is masked, e.g. with `images.filled(0)`."
        )
    try:
        dtype = keras.backend.standardize_dtype(images.dtype)
    except ValueError:
        dtype = f"{images.dtype}, which Keras does not know"
    if " " in dtype or not dtype.startswith(("float", "bfloat", "int", "uint", "bool")):
        raise UsageError(f"Images must be numbers, integers or floats. Received: {dtype}.")


def _check_floats(rows, start, bounded):
    lowest, highest = float(np.min(rows)), float(np.max(rows))
    if not np.isfinite(lowest + highest):
        row = int(np.argmin(np.isfinite(rows).all(axis=(1, 2, 3))))
        raise UsageError(
            f"The images hold a value that is not finite, first in row {start + row}. "
            "Remove or mend that image."
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


def nan_outside_unit_range(pixels):
    """Returns float pixels with NaN in place of those outside `[0, 1]`.

    Of a generator or a data set no more than the first batch is seen before training. What comes
    later must not train to a loss that means nothing: this one stops the training.
    """
    outside = keras.ops.logical_or(pixels < 0, pixels > 1)
    return keras.ops.where(outside, float("nan"), pixels)


def count_images(images):
    """Returns the number of images in what `fit` was given, or `None` where it cannot be told.

    Args:
        images: An array or tensor; or an object that holds its data set as `dataset`, such as
            `keras_devae.input.Batches` or a `torch.utils.data.DataLoader`. The lengths of other
            sources are numbers of batches, the last of which may be smaller.
    """
    if is_array(images):
        return int(images.shape[0])
    try:
        return len(images.dataset)
    except (AttributeError, TypeError):
        return None
