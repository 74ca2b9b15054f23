"""Formats with one file per endpoint: ONNX, OpenVINO, LiteRT and PyTorch."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from keras_devae.backend.interface import active
from keras_devae.checks import Tensor
from keras_devae.errors import FailureError
from keras_devae.export.formats import FORMATS
from keras_devae.export.functions import Endpoint
from keras_devae.export.quantizing import quantize_weights

if TYPE_CHECKING:
    from keras_devae.models import VAE


#: How many characters of a converter's own message to pass on.
_LONGEST = 300


class _EndpointModel(keras.Model):
    """One endpoint as a model, which Keras can export."""

    def __init__(self, model: VAE, endpoint: Endpoint) -> None:
        super().__init__(name="endpoint")
        # Tracked, so that its weights are exported.
        self.model = model
        self._function = endpoint.function
        self.built = True

    def call(self, inputs: Tensor) -> dict[str, Tensor]:
        """Returns the endpoint's outputs."""
        return self._function(inputs)


def write_endpoint_files(
    model: VAE, functions: dict[str, Endpoint], folder: Path, format: str, quantize: str | None
) -> None:
    """Writes a file for each endpoint into an empty folder."""
    for name, endpoint in functions.items():
        file = folder / f"{name}{FORMATS[format].suffix}"
        with _converting(name, format):
            _write(_EndpointModel(model, endpoint), endpoint, file, format, quantize)
            if quantize == "int8":
                quantize_weights(file)


def _write(
    module: _EndpointModel, endpoint: Endpoint, file: Path, format: str, quantize: str | None
) -> None:
    _, shape, name, dtype = endpoint
    if format in active().keras_formats:
        spec = keras.InputSpec(shape=shape, dtype=dtype, name=name)
        options = active().export_options(quantize)
        module.export(str(file), format=format, verbose=False, input_signature=[spec], **options)
    elif format == "onnx":
        active().write_onnx(module, (shape, name, dtype), file)
    else:
        _write_openvino(module, (shape, name, dtype), file)


def _write_openvino(
    module: _EndpointModel, inputs: tuple[tuple[int | None, ...], str, str], file: Path
) -> None:
    """Converts an ONNX file, where Keras would need TensorFlow or fix the size of batches."""
    import openvino

    with tempfile.TemporaryDirectory() as scratch:
        between = Path(scratch, "endpoint.onnx")
        active().write_onnx(module, inputs, between)
        read = openvino.Core().read_model(between)
        openvino.save_model(read, file, compress_to_fp16=False)


@contextlib.contextmanager
def _converting(name: str, format: str) -> Iterator[None]:
    """Silences reports of progress, and names what cannot be converted."""
    silence = io.StringIO()
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(silence),
        contextlib.redirect_stderr(silence),
    ):
        warnings.simplefilter("ignore")
        try:
            yield
        except Exception as error:
            # Converters raise errors of all kinds.
            reason = " ".join(str(error).split())[:_LONGEST] or type(error).__name__
            raise FailureError(f"{name} cannot be converted to {format}: {reason}") from error
