"""Encoders from files of any framework, as functions from images to codes."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_devae.backend.exported_programs import (
    Program,
    imported,
    only_input,
    read_saved_model,
    read_torch_program,
)
from keras_devae.checks import Array, check_channels_last, one_of
from keras_devae.errors import FailureError, UsageError
from keras_devae.evaluation.function_encoder import (
    BATCH,
    FunctionEncoder,
    as_array,
    in_whole_batches,
    returned_array,
)
from keras_devae.evaluation.pixels import LAYOUTS, PIXELS
from keras_devae.files import file_hash, is_there
from keras_devae.files.reading import reason_of
from keras_devae.models.network_names import function_of

if TYPE_CHECKING:
    from keras_devae.models.image_model import ImageModel


class EncoderFile(FunctionEncoder):
    """An encoder read from a file, for `keras_devae.evaluation.evaluate`.

    Args:
        path: A `.keras` file, the folder of a SavedModel, an `.onnx` file, a `.pt2` file of
            `torch.export`, a `.pt` file of TorchScript, or `"module:function"` for a function of
            your own that takes uint8 images `(n, height, width, channels)`. A model of this package
            has its layer 0.
        pixels: One of `PIXELS`: what the encoder expects pixels to be. Default: `None`, uint8 where
            it takes integers, and for your own function; floats in `"0..1"` else.
        layout: `"channels-last"`, `"channels-first"`, or `"auto"` (default) for the one that the
            file shows; where it shows neither, PyTorch's is channels first.
        output: Name of the output that holds the codes, or its number. Default: `None`, the only
            output, or `z_mean` with `z_log_var` where there are such.

    Attributes:
        image_size: Height and width that the encoder takes, or `None` if any.
        pixels: The name of what is done to pixels, one of `PIXELS`.

    Raises:
        UsageError: If the file is of no such kind, the package that reads it is missing, or an
            argument does not fit it.
        FailureError: If the file is damaged.

    Example:
        >>> flat = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
        >>> flat.save("flat.keras")
        >>> encoder = kd.evaluation.EncoderFile("flat.keras")
        >>> encoder.image_size
        (8, 8)
        >>> float(encoder.encoder_posterior(np.full((2, 8, 8, 1), 255, np.uint8))[0].max())
        1.0
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        pixels: str | None = None,
        layout: str = "auto",
        output: str | None = None,
    ):
        one_of("layout", layout, LAYOUTS)
        reader, takes_uint8 = _reader_of(os.fspath(path))
        self._program = reader(path)
        dtype = self._program.dtype
        if pixels is None:
            pixels = "uint8" if takes_uint8 or dtype == "uint8" else "0..1"
        self._prepare = PIXELS[one_of("pixels", pixels, PIXELS)]
        self.pixels = pixels
        self._output, self._layout, self.path = output, layout, os.fspath(path)
        shape = self._program.shape
        if shape is not None and len(shape) != 4:
            raise UsageError(
                f"An encoder of images takes a batch of shape (n, height, width, channels). "
                f"Received: {path}, which takes {shape}."
            )
        self._fixed_batch = None if shape is None else shape[0]
        self._channels_first = _is_channels_first(layout, shape, reader is read_torch_program)
        inner = (None, None, None) if shape is None else shape[1:]
        height, width, self._channels = (
            (inner[1], inner[2], inner[0]) if self._channels_first else inner
        )
        self.image_size = None if height is None or width is None else (height, width)
        super().__init__(self._encode, Path(self.path).name)

    def encoder_posterior(self, images: Array, batch_size: int = BATCH) -> tuple[Array, Array]:
        """Returns means and log-variances `(n, d)`, in batches of the size that the file fixes."""
        return super().encoder_posterior(images, self._fixed_batch or batch_size)

    def decodes(self, image_shape: tuple[int, int, int]) -> bool:
        """Tells whether the file can decode its codes to images of this shape."""
        if self._program.decode is None:
            return False
        width = self.latent_dim or self.encode(np.zeros((1, *image_shape), np.uint8)).shape[1]
        return self.decode(np.zeros((1, width))).shape[1:] == tuple(image_shape)

    def check_decodes(self) -> None:
        """Raises a `UsageError` unless the file holds a decoder."""
        if self._program.decode is None:
            raise UsageError(f"{self.path} holds an encoder without a decoder.")

    def decode(self, codes: Array, layer: int = 0) -> Array:
        """Decodes codes `(n, d)` to pixel means `(n, height, width, channels)`, float32."""
        self.check_layer(layer)
        self.check_decodes()
        assert self._program.decode is not None
        return as_array(self._program.decode(np.asarray(codes, np.float32)))

    def reconstruct(self, images: Array, layer: int = 0) -> Array:
        """Decodes the codes of uint8 images, see `decode`."""
        return self.decode(self.encode(images, layer), layer)

    def describe(self) -> dict[str, Any]:
        """Returns what results record: name, file, its SHA-256, how it was read, versions."""
        place = Path(self.path)
        given = {"pixels": self.pixels, "layout": self._layout, "output": self._output}
        digest = {"sha256": _digest(place)} if place.exists() else {}
        return {**super().describe(), "file": self.path, **digest, **given}

    def check_images(self, image_shape: tuple[int, int, int]) -> None:
        """Raises a `UsageError` unless images of this shape fit; grey ones fit three channels."""
        check_channels_last(image_shape)
        size, channels = image_shape[:2], image_shape[2]
        if self.image_size not in (None, size):
            height, width = self.image_size or size
            raise UsageError(
                f"{self.path} takes images of {height}x{width} pixels. Received: "
                f"{size[0]}x{size[1]}. Load the data set with image_size='{height}x{width}'."
            )
        if self._channels not in (None, channels) and not (channels == 1 and self._channels == 3):
            raise UsageError(
                f"{self.path} takes images of {self._channels} channels. Received: {channels}."
            )

    def _encode(self, images: Array) -> Any:
        self.check_images(images.shape[1:])
        if self._channels == 3 and images.shape[-1] == 1:
            images = np.repeat(images, 3, axis=-1)
        pixels = self._prepare(images)
        if self._channels_first:
            pixels = np.transpose(pixels, (0, 3, 1, 2))
        if self._program.dtype is not None:
            pixels = pixels.astype(self._program.dtype)
        if self._fixed_batch is not None:
            pixels = in_whole_batches(pixels, self._fixed_batch)
        try:
            found = self._program.call(np.ascontiguousarray(pixels))
        except (UsageError, KeyboardInterrupt, MemoryError):
            raise
        except Exception as error:
            raise FailureError(
                f"{self.path} failed on a batch of shape {pixels.shape} and dtype {pixels.dtype}: "
                f"{reason_of(error)}."
            ) from error
        chosen = _chosen_output(found, self._output, self.path)
        return {name: returned_array(values)[: len(images)] for name, values in chosen.items()}


def _digest(place: Path) -> str:
    """Returns the SHA-256 of a file; of a folder, of its files' names and hashes."""
    if place.is_file():
        return file_hash(place)
    files = sorted(file for file in place.rglob("*") if file.is_file())
    lines = [f"{file.relative_to(place).as_posix()} {file_hash(file)}" for file in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _reader_of(path: str) -> tuple[Callable[[Any], Program], bool]:
    """Returns the function that reads an encoder, and whether it is a function of uint8 images."""
    readers = {".keras": _read_keras, ".onnx": _read_onnx}
    readers |= dict.fromkeys((".pt2", ".pt", ".pth"), read_torch_program)
    place = Path(path)
    if place.is_dir():
        _check_saved_model(place, readers)
        return read_saved_model, False
    if reader := readers.get(place.suffix):
        if not place.is_file():
            raise UsageError(f"There is no file {path}.")
        return reader, False
    _, colon, name = path.partition(":")
    if colon and name and not place.exists():
        return _read_function, True
    raise UsageError(
        "An encoder is a .keras, .onnx, .pt2 or .pt file, the folder of a SavedModel, or "
        f"MODULE:FUNCTION. Received: {path}{'' if place.exists() else ', which does not exist'}."
    )


def _check_saved_model(folder: Path, suffixes: Container[str]) -> None:
    """Raises a `UsageError` for a folder of another kind; names a file to give in its place."""
    if any(is_there(folder / name) for name in ("saved_model.pb", "saved_model.pbtxt")):
        return
    # The endpoint that an export has for the purpose comes first.
    files = sorted(folder.glob("*"), key=lambda file: (file.stem != "encode", file.name))
    readable = [file for file in files if file.suffix in suffixes]
    if readable:
        remedy = f"Give {readable[0]}"
    elif {".xml", ".tflite"} & {file.suffix for file in files}:
        remedy = "OpenVINO and LiteRT files are not read: export to onnx or tf_saved_model"
    else:
        remedy = "Give the file of an encoder"
    raise UsageError(f"{folder} is no SavedModel: it has no saved_model.pb. {remedy}.")


def _read_keras(path: Any) -> Program:
    # Keras is imported only for such a file.
    from keras_devae.models.image_model import ImageModel
    from keras_devae.models.saving import load_any_model

    model = load_any_model(path)
    if isinstance(model, ImageModel):
        return Program(
            functools.partial(_encoded_by, model),
            (None, *model.image_shape),
            "uint8",
            model.decode if model.declaration.decodes and not model.num_categories else None,
        )
    given = only_input(getattr(model, "inputs", None) or [], path)
    return Program(model.predict_on_batch, tuple(given.shape), str(given.dtype))


def _encoded_by(model: ImageModel, images: Array) -> dict[str, Array]:
    if model.has_posterior:
        return dict(zip(("z_mean", "z_log_var"), model.posterior(images), strict=True))
    return {"z_mean": model.encode(images)}


def _read_onnx(path: Any) -> Program:
    runtime = imported("onnxruntime", "onnxruntime", path)
    try:
        session = runtime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # Its errors have no common class.
        raise FailureError(f"{path} cannot be read by ONNX Runtime: {reason_of(error)}.") from error
    given = only_input(session.get_inputs(), path)
    names = [output.name for output in session.get_outputs()]
    shape = tuple(size if isinstance(size, int) else None for size in given.shape)
    kind = given.type.removeprefix("tensor(").removesuffix(")")
    dtype = {"float": "float32", "double": "float64"}.get(kind, kind)
    return Program(
        lambda images: dict(zip(names, session.run(None, {given.name: images}), strict=True)),
        shape or None,
        dtype,
    )


def _read_function(path: Any) -> Program:
    return Program(function_of(path, "encoder"))


def _is_channels_first(layout: str, shape: Any, is_torch: bool) -> bool:
    if layout != "auto":
        return layout == "channels-first"
    if shape is None or (shape[1] is None and shape[3] is None):
        return is_torch
    return shape[1] in (1, 3) and shape[3] not in (1, 3)


def _chosen_output(found: Any, output: str | None, path: str) -> Mapping[str, Any]:
    """Returns the outputs of a program, by name, that `FunctionEncoder` takes as codes."""
    if isinstance(found, (list, tuple)):
        found = {str(number): values for number, values in enumerate(found)}
    if not isinstance(found, Mapping):
        if output is not None:
            raise UsageError(f"{path} has a single output without a name. Leave `output` out.")
        return {"codes": found}
    if output is not None:
        return {output: found[one_of("output", output, found)]}
    if "z_mean" in found:
        return {name: found[name] for name in ("z_mean", "z_log_var") if name in found}
    if len(found) == 1:
        return found
    raise UsageError(
        f"{path} has several outputs: name the one that holds the codes with `output`. "
        f"Received: {', '.join(map(str, found))}."
    )
