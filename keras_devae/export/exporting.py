"""Writes encoder and decoder in a format, all or nothing."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from keras_devae.backend import reserve_accelerators, without_file_notices
from keras_devae.backend.interface import active
from keras_devae.backend.tensorflow import write_saved_model
from keras_devae.checks import check_model
from keras_devae.errors import FailureError, UsageError
from keras_devae.export.endpoint_files import write_endpoint_files
from keras_devae.export.formats import check_export, exporting_backend
from keras_devae.export.functions import Endpoint, endpoints
from keras_devae.models.saving import in_float32, load_saved, own_modules

if TYPE_CHECKING:
    from keras_devae.models import VAE

#: Dtypes of images for which a SavedModel has functions; others are cast to one of these.
IMAGE_DTYPES = ("float32", "uint8", "int32")


def export_model(
    model: VAE,
    path: str | os.PathLike[str],
    format: str = "tf_saved_model",
    layer: int = 0,
    quantize: str | None = None,
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
    | `encode_bytes` | `image_bytes`: `(n,)`, encoded PNG or JPEG files | as `encode` |

    For a model with a categorical code `encode` also returns `category_probabilities`,
    `(n, num_categories)`, and `z` of `decode` is the code followed by the category, one-hot.

    If the model itself would refuse an input (floats out of range, integers beyond 0..255, values
    that are not finite), all outputs of its row are NaN.

    A SavedModel is one folder with the endpoints as methods and signatures, `encode` the default
    one. The methods take floats of 16, 32 and 64 bits, uint8, uint16, int16, int32 and int64;
    TensorFlow refuses other dtypes. Signatures cast any NumPy array to float32: use those ending in
    `_uint8` for integers. Only a SavedModel of images with 1 or 3 channels has `encode_bytes`. It
    decodes files to the values that `keras_devae.data` reads from them (8 bits a channel), with
    transparency on white. Files of another size are cropped in the middle and resized (bicubic);
    this differs from Pillow's resizing by a few grey levels. It does not turn pictures by their
    EXIF orientation.

    The other formats hold one file per endpoint, which takes only float32, and `encode_uint8`,
    which is `encode` for uint8 images:

    | format | files | runtime |
    | --- | --- | --- |
    | `onnx` | `encode.onnx` ... | ONNX Runtime |
    | `openvino` | `encode.xml` and `encode.bin` ... | OpenVINO |
    | `litert` | `encode.tflite` ... | LiteRT (TensorFlow Lite), with signatures |
    | `torch` | `encode.pt2` ... | PyTorch, `torch.export.load` |

    Each backend writes `onnx` and `openvino`; TensorFlow also `tf_saved_model` and `litert`, JAX
    beside TensorFlow also `tf_saved_model`, and PyTorch `torch`. What the active backend cannot
    write with the packages installed here, another one writes in a process of its own. A model
    trained in mixed precision is exported in float32: other processors and ONNX Runtime lack
    bfloat16 convolutions or compute them slowly. OpenVINO itself computes in bfloat16 on processors
    that can, unless it is told not to as in `loading_code`.

    Args:
        model: A model of this package.
        path: Folder to write, which must not exist. It appears only when it is complete.
        format: `"tf_saved_model"` (default), `"onnx"`, `"openvino"`, `"litert"` or `"torch"`.
        layer: Latent layer of `encode`, `decode` and `reconstruct`; default 0.
        quantize: For LiteRT, how large weights are stored: `"int8"` makes files of about a quarter
            of the size, whose codes differ by less than 1 % of the largest one; `"float16"` makes
            files of half the size, whose codes differ by less than 0.1 %. Both compute in float32.
            `None` (default) keeps float32.

    Raises:
        UsageError: If the folder exists, the format is unknown, there is no such layer, a needed
            package is missing, or another process cannot import the model's own layers.
        FailureError: If the conversion fails.
    """
    check_model(model)
    model.check_layer(layer)
    check_export(path, format, quantize)
    path = Path(path)
    model = in_float32(model)
    write = _writer(exporting_backend(format, quantize))
    with _folder_in_one_move(path) as temporary:
        write(model, temporary, format, layer, quantize)


def _writer(backend: str) -> Callable[..., None]:
    """Returns the function that writes with a backend: in this process if that one serves."""
    serves = active().exports_from_accelerator or not active().has_accelerator()
    if backend == keras.backend.backend() and serves:
        return _write
    return functools.partial(_write_in_other_process, backend)


def export_file(
    model_file: str,
    path: str,
    format: str,
    layer: str,
    quantize: str | None = None,
    *modules: str,
) -> None:
    """Exports a saved `.keras` file into an empty folder, see `export_model`.

    Args:
        model_file: The file.
        path: The folder.
        format: One of `FORMATS`.
        layer: Number of the latent layer, as text: this function is called from a command line.
        quantize: One of `QUANTIZATIONS`, or `None` (default) for float32.
        *modules: Modules to import first, as they register layers and functions of the model.
    """
    for module in modules:
        importlib.import_module(module)
    _write(load_saved(model_file), Path(path), format, int(layer), quantize or None)


def _write(model: VAE, folder: Path, format: str, layer: int, quantize: str | None) -> None:
    functions = endpoints(model, layer)
    with without_file_notices():
        if format == "tf_saved_model":
            _write_saved_model(model, functions, folder)
            return
        functions["encode_uint8"] = functions["encode"]._replace(dtype="uint8")
        write_endpoint_files(model, functions, folder, format, quantize)


def _write_saved_model(model: VAE, functions: dict[str, Endpoint], folder: Path) -> None:
    reserve_accelerators()
    archive = keras.export.ExportArchive()
    archive.track(model)
    traced = {}
    for name, (function, shape, input_name, _) in functions.items():
        dtypes = IMAGE_DTYPES if input_name == "image" else IMAGE_DTYPES[:1]
        traced[name] = [
            archive.add_endpoint(
                name if dtype == "float32" else f"{name}_{dtype}",
                function,
                input_signature=[keras.InputSpec(shape=shape, dtype=dtype, name=input_name)],
            )
            for dtype in dtypes
        ]
    write_saved_model(folder, traced, model.image_shape)


def _write_in_other_process(
    backend: str, model: VAE, folder: Path, format: str, layer: int, quantize: str | None
) -> None:
    """Saves the model and has a process with another backend, on the CPU, write the files."""
    modules = own_modules(model)
    if "__main__" in modules:
        raise UsageError(
            f"The conversion to {format} by {backend} runs in a separate process, which cannot "
            "import layers and functions defined in the running script or notebook. Move the "
            "model's own into a module and import them from there."
        )
    with tempfile.TemporaryDirectory() as scratch:
        model_file = os.path.join(scratch, "model.keras")
        model.save(model_file)
        code = "import sys; from keras_devae.export import export_file; export_file(*sys.argv[1:])"
        result = subprocess.run(
            [
                sys.executable,
                "-c",
                code,
                model_file,
                str(folder),
                format,
                str(layer),
                quantize or "",
                *modules,
            ],
            env=os.environ | _environment(backend),
            capture_output=True,
            text=True,
            check=False,
        )
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise FailureError(f"The conversion to {format} by {backend} failed: {reason}")


def _environment(backend: str) -> dict[str, str]:
    """Lets a process use a backend on the CPU, and import all that this process can import."""
    return {
        "KERAS_BACKEND": backend,
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }


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
