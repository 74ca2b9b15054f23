"""The functions that every format exports: encode, decode and reconstruct."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_devae.checks import Tensor

if TYPE_CHECKING:
    from keras_devae.models.image_model import ImageModel

_Function = Callable[[Tensor], dict[str, Tensor]]


class Endpoint(NamedTuple):
    """An exported function of one tensor, with the shape, name and dtype of that tensor.

    Attributes:
        function: The function, which returns a dictionary of tensors.
        shape: Shape of its argument; `None` for the batch.
        input_name: Name of its argument.
        dtype: Dtype of its argument; default `"float32"`.

    Example:
        >>> model = kd.VAE.for_images((32, 32, 1), latent_dim=10)
        >>> kd.export.endpoints(model)["decode"].shape
        (None, 10)
    """

    function: _Function
    shape: tuple[int | None, ...]
    input_name: str
    dtype: str = "float32"


def endpoints(model: ImageModel, layer: int = 0) -> dict[str, Endpoint]:
    """Returns the functions that an export holds.

    Args:
        model: A model of this package.
        layer: Latent layer of all of them but `encode_all_layers`; default 0.

    Returns:
        Name -> `Endpoint`.
    """
    bounded = model.likelihood.bounded

    @_nan_for_unfit_rows(bounded)
    def encode(image: Tensor) -> dict[str, Tensor]:
        """Posterior or code of the layer, and the categorical code where there is one."""
        pixels = model.pixels(image)
        encoded = model.encoder(pixels)
        outputs = {name: values[layer] for name, values in _layers_of(model, encoded).items()}
        if model.num_categories:
            outputs["category_probabilities"] = model.category_probabilities_of(pixels, encoded)
        return outputs

    @_nan_for_unfit_rows(bounded)
    def encode_all_layers(image: Tensor) -> dict[str, Tensor]:
        """Posteriors of all layers, with the batch as the first axis."""
        layers = _layers_of(model, model.encoder(model.pixels(image)))
        return {name: ops.transpose(values, (1, 0, 2)) for name, values in layers.items()}

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
    functions = {
        "encode": Endpoint(encode, *images),
        "encode_all_layers": Endpoint(encode_all_layers, *images),
    }
    if not model.decodes(model.image_shape):
        return functions
    return {
        **functions,
        "decode": Endpoint(decode, (None, model.latent_dim + model.num_categories), "z"),
        "reconstruct": Endpoint(reconstruct, *images),
    }


def _layers_of(model: ImageModel, encoded: dict[str, Tensor]) -> dict[str, Tensor]:
    """Returns the outputs of `encode` for all layers, `(K, batch, latent_dim)`."""
    if not model.has_posterior:
        return {"z_mean": model.codes_of_layers(encoded)}
    means, log_vars = model.posterior_of_layers(*model.bounded(encoded))
    return {"z_mean": means, "z_log_var": log_vars}


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
