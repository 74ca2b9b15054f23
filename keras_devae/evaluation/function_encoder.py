"""Any function from images to codes, as evaluation asks for it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keras_devae.backend import BACKENDS
from keras_devae.checks import Array, shown
from keras_devae.errors import UsageError
from keras_devae.metrics.arrays import check_codes
from keras_devae.metrics.estimators.posterior import check_posterior
from keras_devae.process.machine import installed_versions

#: Images in a batch of the encoder.
BATCH = 256
#: Packages that may compute codes, whose versions are recorded where they are in use.
_PACKAGES = ("numpy", "keras", *BACKENDS.values(), "onnxruntime", "openvino")


class FunctionEncoder:
    """A function from images to codes, for `keras_devae.evaluation.evaluate`.

    Args:
        function: Function of a uint8 batch `(n, height, width, channels)` as the data set stores
            it, always of 256 images; it returns codes `(n, d)` of any framework, alone or as the
            only entry of a dictionary, as a SavedModel does, or a dictionary with `z_mean` and,
            for metrics of the posterior, `z_log_var`.
        name: What results and reports call it. Default: `None`, for the function's own name.

    Raises:
        UsageError: If it is no function; or, when images are encoded, if it does not return one
            finite row of codes per image.

    Example:
        >>> encoder = kd.evaluation.FunctionEncoder(lambda images: images.mean(axis=(1, 2)))
        >>> encoder.encoder_posterior(np.zeros((4, 8, 8, 3), np.uint8))[0].shape
        (4, 3)
    """

    num_layers = 1
    num_categories = 0
    code_range = None

    def __init__(self, function: Callable[[Array], Any], name: str | None = None):
        if not callable(function):
            raise UsageError(
                "`model` must be a model of this package, or a function of images that returns "
                f"codes. Received: a value of type {type(function).__name__}; scores of codes from "
                "elsewhere are `keras_devae.metrics.score_codes(codes, factors)`."
            )
        self.function = function
        self.name = _name_of(function) if name is None else name
        #: Whether the function returns log-variances, and its number of codes; known once used.
        self.has_posterior = self.samples_posterior = False
        self.latent_dim = 0

    @property
    def has_prior(self) -> bool:
        """Whether codes follow a standard normal distribution: where there are log-variances."""
        return self.has_posterior

    def describe(self) -> dict[str, Any]:
        """Returns what results record of it: its name, and versions of the packages in use."""
        used = [package for package in _PACKAGES if package in sys.modules]
        return {"name": self.name, "versions": installed_versions(used)}

    def decodes(self, image_shape: tuple[int, int, int]) -> bool:
        """Tells whether codes can be decoded to images of this shape: not by a function."""
        del image_shape
        return False

    def check_decodes(self) -> None:
        """Raises a `UsageError`: a function cannot decode."""
        raise UsageError(f"{self.name} has no decoder: it only encodes images.")

    def check_layer(self, layer: int) -> None:
        """Raises a `UsageError` unless it is layer 0, the only one."""
        if layer != 0:
            raise UsageError(f"A function of images has only layer 0. Received: {shown(layer)}.")

    def encoder_posterior(self, images: Array, batch_size: int = BATCH) -> tuple[Array, Array]:
        """Returns means and log-variances `(n, d)` of images; 0 for codes without log-variances."""
        starts = range(0, len(images), batch_size)
        parts = [self._encoded(images[start : start + batch_size]) for start in starts]
        if len({part[0].shape[1] for part in parts}) > 1:
            raise UsageError("The function must return the same number of codes for all images.")
        means, log_vars = (np.concatenate(part) for part in zip(*parts, strict=True))
        self.latent_dim = means.shape[1]
        return means, log_vars

    def encode(self, images: Array, layer: int = 0) -> Array:
        """Returns the codes `(n, d)` of any number of uint8 images, in batches of 256."""
        self.check_layer(layer)
        return self.encoder_posterior(in_whole_batches(images, BATCH))[0][: len(images)]

    def layer_posterior(
        self, mean: Array, log_var: Array, layer: int | None = 0
    ) -> tuple[Array, Array]:
        """Returns the posterior of layer 0, or with a first axis for `None`."""
        return (mean[None], log_var[None]) if layer is None else (mean, log_var)

    def _encoded(self, images: Array) -> tuple[Array, Array]:
        return self.read(self.function(images), len(images))

    def read(self, found: Any, count: int) -> tuple[Array, Array]:
        """Returns means and log-variances `(count, d)` of what a function returned."""
        log_vars = None
        if isinstance(found, Mapping) and len(found) == 1:
            found = next(iter(found.values()))
        if isinstance(found, Mapping):
            if "z_mean" not in found:
                raise UsageError(
                    "A function that returns a dictionary of several entries must have `z_mean` in "
                    "it. Received: "
                    f"{', '.join(map(str, found))}."
                )
            found, log_vars = found["z_mean"], found.get("z_log_var")
        means = check_codes(returned_array(found), "codes")
        if len(means) != count:
            raise UsageError(
                "There must be one row of codes per image. Received: "
                f"{len(means):,} rows for {count:,} images."
            )
        self.has_posterior = log_vars is not None
        if log_vars is None:
            return means, np.zeros(means.shape)
        return check_posterior(means, returned_array(log_vars))


def in_whole_batches(images: Array, batch_size: int) -> Array:
    """Returns images `(n, ...)` with the last one repeated until all batches are full.

    Blank images in its place would be no images to some functions.
    """
    return np.concatenate([images, np.repeat(images[-1:], -len(images) % batch_size, axis=0)])


def _name_of(function: Any) -> str:
    """Returns the name of a function, with its module or the object that it is a method of."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__qualname__", None)
    if name is None:
        return str(getattr(function, "name", None) or type(function).__name__)
    owner = getattr(getattr(function, "__self__", None), "name", None)
    if isinstance(owner, str):
        return f"{owner}.{function.__name__}"
    module = getattr(function, "__module__", None)
    return name if module in (None, "__main__") else f"{module}.{name}"


def returned_array(values: Any) -> Any:
    """Returns what an encoder returned as an array; raises a `UsageError` if it is none."""
    array = as_array(values)
    if array.ndim == 0:
        raise UsageError(
            "The function must return codes (n, d), one row of numbers per image. Received: "
            f"{shown(values)}."
        )
    return array


def as_array(values: Any) -> Any:
    """Returns a tensor that needs a gradient, or is on another device, as NumPy can read it."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        if str(values.dtype) == "torch.bfloat16":
            # NumPy has no such dtype, and each of its numbers is one of float32.
            values = values.float()
    array = values.numpy() if callable(getattr(values, "numpy", None)) else np.asarray(values)
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array
