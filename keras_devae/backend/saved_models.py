"""Writes and loads TensorFlow's SavedModels, whichever backend is active."""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: Dtypes of the arrays that a SavedModel's methods accept.
_TAKEN = ("float32", "uint8", "float64", "float16", "bfloat16", "int64", "int32", "int16", "uint16")


def load_saved_model(path: str | Path) -> Any:
    """Loads a SavedModel with plain TensorFlow; its endpoints are the methods of the result."""
    import tensorflow

    return tensorflow.saved_model.load(str(path))


def write_saved_model(
    folder: Path, functions: dict[str, list[Any]], image_shape: tuple[int, ...]
) -> None:
    """Writes a SavedModel whose methods take arrays of several dtypes.

    Each method is a separate object that owns its variables, as TensorFlow's functions only hold
    weak references: `tf.saved_model.load(folder).encode(images)` would find them deleted.

    Args:
        folder: An empty folder.
        functions: Name -> list of `tf.function`s of one array, each for a different dtype. The
            first is for float32 and becomes the signature of that name. Arrays of any other dtype
            are cast, integers to int32 if there is a function for it.
        image_shape: Shape of one image; with 1 or 3 channels there is also `encode_bytes`, which
            takes encoded PNG and JPEG files.
    """
    import tensorflow

    if image_shape[-1] in (1, 3):
        functions = {**functions, "encode_bytes": [_of_files(functions["encode"], image_shape)]}
    root, signatures = tensorflow.Module(), {}
    for name, each in functions.items():
        method = tensorflow.Module()
        setattr(root, name, method)
        concrete = {f.input_signature[0].dtype.name: f.get_concrete_function() for f in each}
        kept = {v.ref(): v for function in concrete.values() for v in function.variables}
        method.variables_of_function = list(kept.values())
        method.__call__ = each[0] if name == "encode_bytes" else _polymorphic(each)
        signatures[name] = each[0]
        if "uint8" in concrete:
            signatures[f"{name}_uint8"] = each[list(concrete).index("uint8")]
    signatures["serving_default"] = next(iter(functions.values()))[0]
    tensorflow.saved_model.save(root, str(folder), signatures=signatures)


def _of_files(functions: list[Any], image_shape: tuple[int, ...]) -> Any:
    """Returns the `tf.function` for uint8 images as one of the bytes of image files."""
    import tensorflow

    from keras_devae.backend.encoded_files import images_of_files

    (of_images,) = (f for f in functions if f.input_signature[0].dtype.name == "uint8")
    signature = [tensorflow.TensorSpec((None,), "string", name="image_bytes")]

    @tensorflow.function(input_signature=signature, autograph=False)
    def encode_bytes(image_bytes):
        return of_images(images_of_files(tensorflow, image_bytes, image_shape))

    return encode_bytes


def _polymorphic(functions: list[Any]) -> Any:
    """Combines `tf.function`s of one array into one that is traced for all dtypes."""
    import tensorflow

    by_dtype = {function.input_signature[0].dtype.name: function for function in functions}
    spec = functions[0].input_signature[0]

    def dispatch(array):
        dtype = array.dtype
        if dtype.name in by_dtype:
            return by_dtype[dtype.name](array)
        if dtype.is_integer and "int32" in by_dtype:
            # Numbers beyond 32 bits must not wrap around.
            array = tensorflow.clip_by_value(array, -1, 256) if dtype.name == "int64" else array
            return by_dtype["int32"](tensorflow.cast(array, "int32"))
        return by_dtype["float32"](tensorflow.cast(array, "float32"))

    # The lambda's argument name becomes the method's argument name.
    arguments = {"image": lambda image: dispatch(image), "z": lambda z: dispatch(z)}
    method = tensorflow.function(arguments[spec.name], autograph=False)
    for dtype in _TAKEN:
        method.get_concrete_function(tensorflow.TensorSpec(spec.shape, dtype, name=spec.name))
    return method
