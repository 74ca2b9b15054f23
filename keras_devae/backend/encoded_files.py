"""Decodes the bytes of PNG and JPEG files in TensorFlow, as a part of a SavedModel."""

from __future__ import annotations

from typing import Any


def images_of_files(tensorflow: Any, files: Any, image_shape: tuple[int, ...]) -> Any:
    """Returns uint8 images `(n, height, width, channels)` of encoded files, strings `(n,)`.

    `tensorflow` is that module. Pictures of another size are cropped in the middle and resized
    (bicubic), in rounding different from Pillow's. Transparency is put on white, grey is made as
    Pillow does. 1 or 3 channels.
    """
    return tensorflow.map_fn(
        lambda file: _image_of_file(tensorflow, file, image_shape),
        files,
        fn_output_signature=tensorflow.TensorSpec(image_shape, "uint8"),
    )


def _image_of_file(tensorflow, file, image_shape):
    height, width, channels = image_shape
    rgb = tensorflow.cond(
        tensorflow.io.is_jpeg(file),
        # As accurate as Pillow's decoder.
        lambda: tensorflow.io.decode_jpeg(file, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: _on_white(tensorflow, tensorflow.io.decode_png(file, channels=4)),
    )
    if channels == 1:
        # Pillow's weights of ITU-R 601-2, in units of 1/65536.
        weights = tensorflow.constant([19595, 38470, 7471])
        grey = tensorflow.reduce_sum(tensorflow.cast(rgb, "int32") * weights, -1, keepdims=True)
        rgb = tensorflow.cast((grey + 0x8000) // 0x10000, "uint8")
    fitted = tensorflow.cond(
        tensorflow.reduce_all(tensorflow.shape(rgb)[:2] == [height, width]),
        lambda: rgb,
        lambda: _fitted(tensorflow, rgb, height, width),
    )
    return tensorflow.ensure_shape(fitted, image_shape)


def _on_white(tensorflow, rgba):
    values = tensorflow.cast(rgba, "float32")
    opacity = values[..., 3:] / 255.0
    return tensorflow.cast(
        tensorflow.round(values[..., :3] * opacity + 255.0 * (1.0 - opacity)), "uint8"
    )


def _fitted(tensorflow, image, height, width):
    """Crops the largest middle part of the wanted shape and resizes it."""
    size = tensorflow.cast(tensorflow.shape(image)[:2], "float32")
    scale = tensorflow.minimum(size[0] / height, size[1] / width)
    part = tensorflow.stack([height * scale, width * scale])
    part = tensorflow.maximum(tensorflow.cast(tensorflow.round(part), "int32"), 1)
    start = (tensorflow.shape(image)[:2] - part) // 2
    middle = image[start[0] : start[0] + part[0], start[1] : start[1] + part[1]]
    resized = tensorflow.image.resize(middle, (height, width), "bicubic", antialias=True)
    return tensorflow.cast(tensorflow.clip_by_value(tensorflow.round(resized), 0, 255), "uint8")
