"""Encoder and decoder for use without this package: SavedModel and ONNX."""

import contextlib
import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_devae import backend
from keras_devae.checks import check_model, one_of
from keras_devae.errors import FailureError, UsageError
from keras_devae.files import check_new
from keras_devae.models.saving import in_float32, load_saved

FORMATS = ("tf_saved_model", "onnx")
#: The dtypes of images that a SavedModel computes with; others are cast to one of them.
IMAGE_DTYPES = ("float32", "uint8", "int32")


def export_model(model, path, format="tf_saved_model", layer=0):
    """Writes a model's encoder and decoder as deterministic functions of arrays.

    The endpoints, with `image` `(n, height, width, channels)`, floats as the model was trained on
    (in `[0, 1]` for the Bernoulli likelihood) or integers of 0..255, which are divided by 255:

    | endpoint | input | outputs |
    | --- | --- | --- |
    | `encode` | `image` | `z_mean`, `z_log_var`: `(n, latent_dim)`, of the layer |
    | `encode_all_layers` | `image` | `z_mean`, `z_log_var`: `(n, K, latent_dim)` |
    | `decode` | `z`: `(n, latent_dim)`, of the layer | `reconstruction`, pixel means |
    | `reconstruct` | `image` | `reconstruction` |

    For a model with a categorical code `encode` also returns `category_probabilities`,
    `(n, num_categories)`, and `z` of `decode` is the code followed by the category, one-hot.

    What the model itself would refuse (floats out of range, integers beyond 0..255, values that are
    not finite) gives NaN in all outputs of its row.

    A SavedModel is one folder with the endpoints as methods and signatures, `encode` the default
    one. The methods take floats of 16, 32 and 64 bits, uint8, uint16, int16, int32 and int64;
    TensorFlow refuses other dtypes. It casts whatever NumPy array a signature is given: use those
    ending in `_uint8` for integers. For ONNX the folder holds one file an endpoint, which
    takes float32 alone; ONNX Runtime refuses other dtypes. TensorFlow is needed to write either; on
    JAX it converts the functions directly, on PyTorch (and for ONNX from JAX) the model is saved
    and converted by a process of its own. What was trained in mixed precision is exported in
    float32: other processors and ONNX Runtime lack convolutions of bfloat16 or compute them slowly.

    Args:
        model: A model of this package.
        path: Folder to write; it must not exist. It appears only when it is complete.
        format: `"tf_saved_model"` (default) or `"onnx"`.
        layer: Number of the latent layer that `encode`, `decode` and `reconstruct` are of; default
            0.

    Raises:
        UsageError: If the folder exists, the format is unknown, there is no such layer or a needed
            package is missing.
        FailureError: If the conversion fails.
    """
    check_model(model)
    model.check_layer(layer)
    check_export(path, format)
    path = Path(path)
    model = in_float32(model)
    active = keras.backend.backend()
    with _folder_in_one_move(path) as temporary:
        if active == "tensorflow" or (active == "jax" and format == "tf_saved_model"):
            _write(model, temporary, format, layer)
        else:
            _write_with_tensorflow(model, temporary, format, layer)


def check_export(path, format="tf_saved_model"):
    """Checks what can be checked before a model is loaded, see `export_model`."""
    one_of("export format", format, FORMATS)
    check_new(path)
    needed = ["tensorflow"] + (["tf2onnx", "onnx"] if format == "onnx" else [])
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"Export to {format} needs {' and '.join(missing)}, which is not installed here. "
            f"Install it with `pip install {' '.join(missing)}`."
        )


def export_file(model_file, path, format, layer):
    """Exports a saved `.keras` file into an empty folder, see `export_model`."""
    _write(load_saved(model_file), Path(path), format, int(layer))


def endpoints(model, layer=0):
    """Returns the exported functions.

    Args:
        model: A model of this package.
        layer: Number of the latent layer of those that are of one; default 0.

    Returns:
        Dictionary of name -> (function of one tensor, input shape, input name).
    """
    bounded = model.likelihood.bounded

    @_nan_for_unfit_rows(bounded)
    def encode(image):
        """Posterior of the layer, and of the categorical code where there is one."""
        pixels = model.pixels(image)
        encoded = model.encoder(pixels)
        mean, log_var = (of[layer] for of in model.posterior_of_layers(*model.bounded(encoded)))
        outputs = {"z_mean": mean, "z_log_var": log_var}
        if model.num_categories:
            outputs["category_probabilities"] = model.category_probabilities_of(pixels, encoded)
        return outputs

    @_nan_for_unfit_rows(bounded)
    def encode_all_layers(image):
        """Posteriors of all layers, with the batch in front."""
        mean, log_var = model.posterior_of_layers(*model.posterior_of(model.pixels(image)))
        return {
            "z_mean": ops.transpose(mean, (1, 0, 2)),
            "z_log_var": ops.transpose(log_var, (1, 0, 2)),
        }

    @_nan_for_unfit_rows(False)
    def decode(z):
        """Pixel means of codes of the layer."""
        decoded = model.decoder(model.decoder_inputs(z, layer))
        return {"reconstruction": model.likelihood.mean(decoded)}

    @_nan_for_unfit_rows(bounded)
    def reconstruct(image):
        """Pixel means from the posterior's mean of the layer."""
        if layer:
            # A model with several layers has no categories.
            return decode(encode(image)["z_mean"])
        return {"reconstruction": model.call(image)["reconstruction"]}

    images = ((None, *model.image_shape), "image")
    return {
        "encode": (encode, *images),
        "encode_all_layers": (encode_all_layers, *images),
        "decode": (decode, (None, model.latent_dim + model.num_categories), "z"),
        "reconstruct": (reconstruct, *images),
    }


def _nan_for_unfit_rows(bounded):
    """Decorates an endpoint: NaN stands in every output of a row that the model would refuse.

    In the pixels it would not do: a ReLU may make 0 of NaN.

    Args:
        bounded: Whether floats must lie in `[0, 1]`; else it is enough that they are finite.
    """
    largest = float(np.finfo(np.float32).max)

    def decorate(function):
        # Its name and that of its argument become those of the endpoint.
        @functools.wraps(function)
        def checked(rows):
            dtype = keras.backend.standardize_dtype(rows.dtype)
            outputs = function(rows)
            if dtype == "uint8":
                return outputs
            low, high = (0, 1) if bounded else (-largest, largest)
            if not keras.backend.is_float_dtype(dtype):
                low, high = 0, 255
            # False for NaN, too.
            inside = ops.logical_and(rows >= low, rows <= high)
            fit = ops.all(inside, axis=tuple(range(1, len(rows.shape))))

            def masked(values):
                shape = (-1, *(1 for _ in values.shape[1:]))
                return ops.where(ops.reshape(fit, shape), values, float("nan"))

            return {name: masked(values) for name, values in outputs.items()}

        return checked

    return decorate


def _write(model, folder, format, layer):
    if format == "onnx":
        _write_onnx(model, folder, layer)
    else:
        _write_saved_model(model, folder, layer)


def _write_saved_model(model, folder, layer):
    backend.hide_accelerators_from_tensorflow()
    archive = keras.export.ExportArchive()
    archive.track(model)
    functions = {}
    for name, (function, shape, input_name) in endpoints(model, layer).items():
        dtypes = IMAGE_DTYPES if input_name == "image" else IMAGE_DTYPES[:1]
        functions[name] = [
            archive.add_endpoint(
                name if dtype == "float32" else f"{name}_{dtype}",
                function,
                input_signature=[keras.InputSpec(shape=shape, dtype=dtype, name=input_name)],
            )
            for dtype in dtypes
        ]
    backend.write_saved_model(folder, functions)


def _write_onnx(model, folder, layer):
    import tf2onnx

    for name, (function, shape, input_name) in endpoints(model, layer).items():
        compiled, signature = backend.tensorflow_function(function, shape, input_name)
        tf2onnx.convert.from_function(
            compiled, signature, output_path=str(folder / f"{name}.onnx"), opset=17
        )


def _write_with_tensorflow(model, folder, format, layer):
    """Lets a TensorFlow process convert the saved model."""
    with tempfile.TemporaryDirectory() as scratch:
        model_file = os.path.join(scratch, "model.keras")
        model.save(model_file)
        code = "import sys; from keras_devae.export import export_file; export_file(*sys.argv[1:])"
        result = subprocess.run(
            [sys.executable, "-c", code, model_file, str(folder), format, str(layer)],
            env={**os.environ, "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True,
            text=True,
            check=False,
        )
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise FailureError(f"The conversion by TensorFlow failed: {reason}")


@contextlib.contextmanager
def _folder_in_one_move(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    # The outer folder is its owner's alone; the inner one has the usual permissions.
    folder = temporary / path.name
    folder.mkdir()
    try:
        yield folder
        os.replace(folder, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
