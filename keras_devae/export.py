"""Exports encoder and decoder as SavedModel or ONNX, for use without this package."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_devae.backend import reserve_accelerators
from keras_devae.backend.choosing import EXPORTER
from keras_devae.backend.interface import active
from keras_devae.backend.tensorflow import traced_function, write_saved_model
from keras_devae.checks import Tensor, check_model, one_of
from keras_devae.errors import FailureError, UsageError
from keras_devae.files import check_new
from keras_devae.models.saving import in_float32, load_saved

if TYPE_CHECKING:
    from keras_devae.models import VAE

#: Name of a format -> the packages that write it.
FORMATS = {"tf_saved_model": (EXPORTER,), "onnx": (EXPORTER, "tf2onnx", "onnx")}
#: Dtypes of images for which a SavedModel has functions; others are cast to one of these.
IMAGE_DTYPES = ("float32", "uint8", "int32")

_Function = Callable[[Tensor], dict[str, Tensor]]


class Endpoint(NamedTuple):
    """An exported function of one tensor, with the shape and the name of that tensor."""

    function: _Function
    shape: tuple[int | None, ...]
    input_name: str


def export_model(
    model: VAE, path: str | os.PathLike[str], format: str = "tf_saved_model", layer: int = 0
) -> None:
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

    If the model itself would refuse an input (floats out of range, integers beyond 0..255, values
    that are not finite), all outputs of its row are NaN.

    A SavedModel is one folder with the endpoints as methods and signatures, `encode` the default
    one. The methods take floats of 16, 32 and 64 bits, uint8, uint16, int16, int32 and int64;
    TensorFlow refuses other dtypes. Signatures cast any NumPy array to float32: use those ending in
    `_uint8` for integers. For ONNX the folder holds one file per endpoint, which takes only
    float32; ONNX Runtime refuses other dtypes. Either needs TensorFlow: it converts the functions
    of JAX directly; on PyTorch (and for ONNX from JAX) the model is saved and converted in a
    separate process. A model trained in mixed precision is exported in float32: other processors
    and ONNX Runtime lack bfloat16 convolutions or compute them slowly.

    Args:
        model: A model of this package.
        path: Folder to write, which must not exist. It appears only when it is complete.
        format: `"tf_saved_model"` (default) or `"onnx"`.
        layer: Latent layer of `encode`, `decode` and `reconstruct`; default 0.

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
    write = _write if format in active().exported_formats else _write_in_other_process
    with _folder_in_one_move(path) as temporary:
        write(model, temporary, format, layer)


def check_export(path: str | os.PathLike[str], format: str = "tf_saved_model") -> None:
    """Runs the checks of `export_model` that do not need the model."""
    one_of("export format", format, FORMATS)
    check_new(path)
    missing = [name for name in FORMATS[format] if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"Export to {format} needs {' and '.join(missing)}, which is not installed here. "
            f"Install it with `pip install {' '.join(missing)}`."
        )


def export_file(model_file: str, path: str, format: str, layer: str) -> None:
    """Exports a saved `.keras` file into an empty folder, see `export_model`."""
    _write(load_saved(model_file), Path(path), format, int(layer))


def endpoints(model: VAE, layer: int = 0) -> dict[str, Endpoint]:
    """Returns the exported functions by name; all but `encode_all_layers` use one layer."""
    bounded = model.likelihood.bounded

    @_nan_for_unfit_rows(bounded)
    def encode(image: Tensor) -> dict[str, Tensor]:
        """Posterior of the layer, and of the categorical code where there is one."""
        pixels = model.pixels(image)
        encoded = model.encoder(pixels)
        means, log_vars = model.posterior_of_layers(*model.bounded(encoded))
        outputs = {"z_mean": means[layer], "z_log_var": log_vars[layer]}
        if model.num_categories:
            outputs["category_probabilities"] = model.category_probabilities_of(pixels, encoded)
        return outputs

    @_nan_for_unfit_rows(bounded)
    def encode_all_layers(image: Tensor) -> dict[str, Tensor]:
        """Posteriors of all layers, with the batch as the first axis."""
        mean, log_var = model.posterior_of_layers(*model.posterior_of(model.pixels(image)))
        return {
            "z_mean": ops.transpose(mean, (1, 0, 2)),
            "z_log_var": ops.transpose(log_var, (1, 0, 2)),
        }

    @_nan_for_unfit_rows(False)
    def decode(z: Tensor) -> dict[str, Tensor]:
        """Pixel means from codes of the layer."""
        decoded = model.decoder(model.decoder_inputs(z, layer))
        return {"reconstruction": model.likelihood.mean(decoded)}

    @_nan_for_unfit_rows(bounded)
    def reconstruct(image: Tensor) -> dict[str, Tensor]:
        """Pixel means decoded from the layer's posterior mean."""
        if layer:
            # A model with several layers has no categories.
            return decode(encode(image)["z_mean"])
        return {"reconstruction": model.call(image)["reconstruction"]}

    images = ((None, *model.image_shape), "image")
    return {
        "encode": Endpoint(encode, *images),
        "encode_all_layers": Endpoint(encode_all_layers, *images),
        "decode": Endpoint(decode, (None, model.latent_dim + model.num_categories), "z"),
        "reconstruct": Endpoint(reconstruct, *images),
    }


def _nan_for_unfit_rows(bounded: bool) -> Callable[[_Function], _Function]:
    """Decorates an endpoint to return NaN in every output for rows that the model would refuse.

    NaN in the pixels is not enough: a ReLU may turn it into 0. Floats must lie in `[0, 1]` if
    `bounded`, else be finite.
    """
    largest = float(np.finfo(np.float32).max)

    def decorate(function: _Function) -> _Function:
        # The endpoint takes its name and its argument's name from the function.
        @functools.wraps(function)
        def checked(rows: Tensor) -> dict[str, Tensor]:
            dtype = keras.backend.standardize_dtype(rows.dtype)
            outputs = function(rows)
            if dtype == "uint8":
                return outputs
            low, high = (0, 1) if bounded else (-largest, largest)
            if not keras.backend.is_float_dtype(dtype):
                low, high = 0, 255
            # NaN compares as false, too.
            inside = ops.logical_and(rows >= low, rows <= high)
            fit = ops.all(inside, axis=tuple(range(1, len(rows.shape))))

            def masked(values):
                shape = (-1, *(1 for _ in values.shape[1:]))
                return ops.where(ops.reshape(fit, shape), values, float("nan"))

            return {name: masked(values) for name, values in outputs.items()}

        return checked

    return decorate


def _write(model: VAE, folder: Path, format: str, layer: int) -> None:
    if format == "onnx":
        _write_onnx(endpoints(model, layer), folder)
    else:
        _write_saved_model(model, endpoints(model, layer), folder)


def _write_saved_model(model: VAE, functions: dict[str, Endpoint], folder: Path) -> None:
    reserve_accelerators()
    archive = keras.export.ExportArchive()
    archive.track(model)
    traced = {}
    for name, (function, shape, input_name) in functions.items():
        dtypes = IMAGE_DTYPES if input_name == "image" else IMAGE_DTYPES[:1]
        traced[name] = [
            archive.add_endpoint(
                name if dtype == "float32" else f"{name}_{dtype}",
                function,
                input_signature=[keras.InputSpec(shape=shape, dtype=dtype, name=input_name)],
            )
            for dtype in dtypes
        ]
    write_saved_model(folder, traced)


def _write_onnx(functions: dict[str, Endpoint], folder: Path) -> None:
    import tf2onnx

    for name, endpoint in functions.items():
        traced, signature = traced_function(*endpoint)
        tf2onnx.convert.from_function(
            traced, signature, output_path=str(folder / f"{name}.onnx"), opset=17
        )


def _write_in_other_process(model: VAE, folder: Path, format: str, layer: int) -> None:
    """Saves the model and has a process with TensorFlow convert it."""
    with tempfile.TemporaryDirectory() as scratch:
        model_file = os.path.join(scratch, "model.keras")
        model.save(model_file)
        code = "import sys; from keras_devae.export import export_file; export_file(*sys.argv[1:])"
        result = subprocess.run(
            [sys.executable, "-c", code, model_file, str(folder), format, str(layer)],
            env={**os.environ, "KERAS_BACKEND": EXPORTER, "CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True,
            text=True,
            check=False,
        )
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise FailureError(f"The conversion by TensorFlow failed: {reason}")


@contextlib.contextmanager
def _folder_in_one_move(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{path.name}.", dir=path.parent, ignore_cleanup_errors=True
    ) as temporary:
        # The outer folder has private permissions, the inner one the usual ones.
        folder = Path(temporary, path.name)
        folder.mkdir()
        yield folder
        os.replace(folder, path)
