"""Reads programs that TensorFlow and PyTorch export, whichever backend is active."""

from __future__ import annotations

import dataclasses
import importlib
import os
import warnings
from collections.abc import Callable
from typing import Any

from keras_devae.checks import Array
from keras_devae.errors import FailureError, UsageError
from keras_devae.files.reading import reason_of


@dataclasses.dataclass(frozen=True)
class Program:
    """A function of a batch of images that was read from a file.

    Attributes:
        call: Takes the batch; returns an array or tensor, or a mapping or sequence of these.
        shape: Shape of the batch with `None` for what may vary; `None` if the file does not say.
        dtype: NumPy's name of the batch's dtype; `None` if the file does not say.
        decode: Takes codes `(n, d)` and returns pixel means `(n, height, width, channels)`, 0..1;
            `None` if the file holds no such decoder.
    """

    call: Callable[[Array], Any]
    shape: tuple[int | None, ...] | None = None
    dtype: str | None = None
    decode: Callable[[Array], Any] | None = None


def imported(module: str, package: str, path: object) -> Any:
    """Imports what reads a file; raises a `UsageError` that names the package to install."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"Reading {path} needs {package}, which is not installed here. Install it with "
            f"`pip install {package}`."
        ) from error


def only_input(inputs: list[Any], path: object) -> Any:
    """Returns the only input of a program, or raises a `UsageError`."""
    if len(inputs) != 1:
        raise UsageError(
            f"An encoder takes one batch of images. Received: {path}, with {len(inputs)} inputs."
        )
    return inputs[0]


def read_saved_model(path: str | os.PathLike[str]) -> Program:
    """Reads the signature `encode` of a SavedModel, or its default or only one.

    A signature `decode` of codes that returns `reconstruction`, as this package exports, is its
    decoder.

    Raises:
        UsageError: If TensorFlow is missing, or there is no such signature with one input.
        FailureError: If the folder is damaged.
    """
    tensorflow = imported("tensorflow", "tensorflow", path)
    try:
        loaded = tensorflow.saved_model.load(os.fspath(path))
    except (OSError, ValueError, tensorflow.errors.OpError) as error:
        raise FailureError(f"{path} cannot be read as a SavedModel: {reason_of(error)}.") from error
    names = [name for name in ("encode", "serving_default") if name in loaded.signatures]
    names = names or (list(loaded.signatures) if len(loaded.signatures) == 1 else [])
    if not names:
        raise UsageError(
            f"{path} has no signature `encode` or `serving_default`. Received: "
            f"{', '.join(loaded.signatures) or 'no signatures'}."
        )
    signature = loaded.signatures[names[0]]
    inputs = signature.structured_input_signature[1]
    name = only_input(list(inputs), path)
    spec = inputs[name]

    def call(images: Array) -> Any:
        # The signature is only alive as long as what it was loaded with.
        return loaded.signatures[names[0]](**{name: tensorflow.constant(images)})

    shape = None if spec.shape.rank is None else tuple(spec.shape)
    return Program(call, shape, spec.dtype.name, _decoder_of(tensorflow, loaded))


def _decoder_of(tensorflow, loaded):
    """Returns the function that decodes codes with a SavedModel of this package, or `None`."""
    if not {"encode", "decode"} <= set(loaded.signatures):
        return None
    decoder = loaded.signatures["decode"]
    inputs = decoder.structured_input_signature[1]
    if len(inputs) != 1 or set(decoder.structured_outputs) != {"reconstruction"}:
        return None
    (name,) = inputs
    dtype = inputs[name].dtype

    def decode(codes: Array) -> Any:
        given = {name: tensorflow.constant(codes, dtype)}
        return loaded.signatures["decode"](**given)["reconstruction"]

    return decode


def read_torch_program(path: str | os.PathLike[str]) -> Program:
    """Reads a program of `torch.export` (.pt2), or else one of TorchScript.

    A pickled module is refused, because reading it would run whatever code it names.

    Raises:
        UsageError: If PyTorch is missing, the file holds no program, or it takes several inputs.
    """
    torch = imported("torch", "torch", path)
    if os.fspath(path).endswith(".pt2"):
        return _exported_program(torch, path)
    try:
        with warnings.catch_warnings():
            # That TorchScript is deprecated is no news to whoever has such a file.
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(os.fspath(path), map_location="cpu").eval()
    except RuntimeError as error:
        raise UsageError(
            f"{path} holds no TorchScript program. Received a file that PyTorch refuses: "
            f"{reason_of(error)}. Save the encoder with torch.export.save as a .pt2 file."
        ) from error
    return Program(_without_gradients(torch, module))


def _exported_program(torch, path):
    try:
        program = torch.export.load(os.fspath(path))
    except Exception as error:  # torch raises whatever the damaged archive leads to.
        raise FailureError(
            f"{path} cannot be read as a program of torch.export: {reason_of(error)}."
        ) from error
    names = set(program.graph_signature.user_inputs)
    inputs = [node for node in program.graph.nodes if node.op == "placeholder"]
    example = only_input([n for n in inputs if n.name in names], path).meta["val"]
    shape = tuple(size if isinstance(size, int) else None for size in example.shape)
    dtype = str(example.dtype).removeprefix("torch.")
    return Program(_without_gradients(torch, program.module()), shape, dtype)


def _without_gradients(torch, module):
    def call(images: Array) -> Any:
        with torch.no_grad():
            return module(torch.from_numpy(images))

    return call
