"""The formats of an export: what each needs, and how to load it. Imports no Keras."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from keras_devae.backend.choosing import BACKENDS, EXPORTER, chosen_backend
from keras_devae.checks import one_of
from keras_devae.errors import UsageError
from keras_devae.files import check_new


class Format(NamedTuple):
    """A format: who writes it, in which files, and how a process without this package reads it."""

    #: Backend that converts its functions -> packages that this needs besides the backend.
    backends: dict[str, tuple[str, ...]]
    #: Suffix of the file of each endpoint; "" for one folder with all.
    suffix: str = ""
    #: Package of the runtime that loads it.
    runtime: str = ""
    #: Import, loading of the file `{path}`, and encoding of `images`.
    loading: tuple[str, str, str] = ("", "", "")


#: Name of a format -> its description.
FORMATS = {
    "tf_saved_model": Format(
        {EXPORTER: (), "jax": (EXPORTER,)},
        runtime="tensorflow",
        loading=(
            "import tensorflow as tf",
            "encoder = tf.saved_model.load({path})",
            'codes = encoder.encode(images)["z_mean"].numpy()',
        ),
    ),
    "onnx": Format(
        {EXPORTER: ("tf2onnx", "onnx"), "torch": ("onnx",), "jax": ("jax2onnx",)},
        ".onnx",
        "onnxruntime",
        (
            "import onnxruntime",
            "encoder = onnxruntime.InferenceSession({path})",
            'codes = encoder.run(["z_mean"], {{"image": images}})[0]',
        ),
    ),
    "openvino": Format(
        {
            EXPORTER: ("openvino",),
            "torch": ("onnx", "openvino"),
            "jax": ("jax2onnx", "openvino"),
        },
        ".xml",
        "openvino",
        (
            "import openvino",
            'exact = {{"INFERENCE_PRECISION_HINT": "f32"}}\n'
            'encoder = openvino.compile_model({path}, "CPU", exact)',
            'codes = encoder(images)["z_mean"]',
        ),
    ),
    "litert": Format(
        {EXPORTER: ()},
        ".tflite",
        "ai-edge-litert",
        (
            "from ai_edge_litert.interpreter import Interpreter",
            "encoder = Interpreter(model_path={path}).get_signature_runner()",
            'codes = encoder(image=images)["z_mean"]',
        ),
    ),
    "torch": Format(
        {"torch": ()},
        ".pt2",
        "torch",
        (
            "import torch",
            "encoder = torch.export.load({path}).module()",
            'codes = encoder(torch.from_numpy(images))["z_mean"].numpy()',
        ),
    ),
}
#: Ways to store the weights of LiteRT files in fewer bits -> packages needed besides the format's.
QUANTIZATIONS: dict[str, tuple[str, ...]] = {"int8": ("ai-edge-quantizer",), "float16": ()}
#: The endpoint that the printed lines load where there is a file for each.
_BYTES_ENDPOINT = "encode_uint8"


def check_export(
    path: str | os.PathLike[str], format: str = "tf_saved_model", quantize: str | None = None
) -> None:
    """Runs the checks of `export_model` that do not need the model.

    Arguments and errors are as for `export_model`.
    """
    check_arguments(path, format, quantize)
    exporting_backend(format, quantize)


def check_arguments(
    path: str | os.PathLike[str], format: str = "tf_saved_model", quantize: str | None = None
) -> None:
    """Checks what `check_export` does, except for the packages that are installed."""
    one_of("export format", format, FORMATS)
    if quantize is not None:
        one_of("quantize", quantize, QUANTIZATIONS)
        if format != "litert":
            raise UsageError(f"Only the format litert can be quantized. Received: {format}.")
    check_new(path)


def exporting_backend(format: str, quantize: str | None = None) -> str:
    """Returns the backend that converts to a format here: the active one if it can.

    Raises:
        UsageError: If none can, with the packages that are fewest to install.
    """
    extra = QUANTIZATIONS[quantize] if quantize else ()
    lacking = {
        backend: [
            package
            for package in dict.fromkeys((BACKENDS[backend], *packages, *extra))
            if not _is_installed(package)
        ]
        for backend, packages in FORMATS[format].backends.items()
    }
    active = chosen_backend()
    backend = min(lacking, key=lambda name: (len(lacking[name]), name != active))
    if missing := lacking[backend]:
        are, them = ("is", "it") if len(missing) == 1 else ("are", "them")
        raise UsageError(
            f"Export to {format} needs {' and '.join(missing)}, which {are} not installed here. "
            f"Install {them} with `pip install {' '.join(missing)}`."
        )
    return backend


def loading_code(
    path: str | os.PathLike[str], format: str, image_shape: Sequence[int], count: int = 7
) -> str:
    """Returns Python code that loads an export and encodes images, without this package.

    Its first line names the packages to install where the code runs.

    Args:
        path: The exported folder.
        format: Its format, a name of `FORMATS`.
        image_shape: `(height, width, channels)` of the images.
        count: Number of images that stand in for the user's own.
    """
    described = FORMATS[format]
    file = Path(path).absolute()
    if described.suffix:
        file /= f"{_BYTES_ENDPOINT}{described.suffix}"
    needed, load, encode = described.loading
    shape = str((count, *image_shape))
    return "\n".join(
        (
            f"# pip install numpy {described.runtime}",
            "import numpy as np",
            needed,
            "",
            load.format(path=repr(str(file))),
            f'images = np.zeros({shape}, "uint8")  # your images, of 0..255',
            encode.format(),
            "",
        )
    )


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package.replace("-", "_")) is not None
