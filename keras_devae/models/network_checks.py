"""Checks encoders and decoders: their shapes, and which values their last layers can return."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_devae.checks import check_channels_last
from keras_devae.errors import UsageError
from keras_devae.layers import Convolution, TransposedConvolution

#: Share of the range of pixel means, at either end, that a decoder need not reach.
_MARGIN = 0.1
#: How far below and above zero the heads of an encoder must reach, apart from rounding.
_REACH = 1e-3
_LARGE = 1e6
#: Random weights to try, each with both signs: a single draw may end in a negative scale.
_DRAWS = 4
_CONVOLUTIONS = (layers.Conv2D, layers.Conv2DTranspose, Convolution, TransposedConvolution)
_REARRANGING = (layers.Reshape, layers.Flatten, layers.Concatenate, layers.Cropping2D)
_VARIANCES = ("moving_mean", "moving_variance")


def check_encoder(encoder: keras.Model, has_posterior: bool = True) -> int:
    """Checks the shapes of an encoder and returns the width of its `z_mean`.

    It must also return `z_log_var` if `has_posterior`.
    """
    output = getattr(encoder, "output", None)
    shapes = {k: v.shape for k, v in output.items()} if isinstance(output, dict) else {}
    mean_shape = shapes.get("z_mean", ())
    log_var_shape = shapes.get("z_log_var", None if has_posterior else mean_shape)
    fits = len(mean_shape) == 2 and log_var_shape == mean_shape
    if not fits or len(encoder.input_shape) != 4:
        wanted = "`z_mean` and `z_log_var`, both" if has_posterior else "`z_mean`,"
        raise UsageError(
            "The encoder must be a functional keras.Model from images (batch, height, width, "
            f"channels) to a dictionary of {wanted} (batch, latent_dim). "
            f"Received: {encoder!r} with output {output}."
        )
    check_channels_last(encoder.input_shape[1:])
    return mean_shape[-1]


def check_decoder(
    decoder: keras.Model, image_shape: Sequence[int], latent_dim: int, input_dim: int
) -> None:
    """Checks that a decoder takes codes of `input_dim` numbers and returns images."""
    shape = getattr(decoder, "input_shape", ())
    if tuple(shape[1:]) != (input_dim,):
        raise UsageError(
            f"The decoder must be a functional keras.Model of {input_dim} numbers for "
            f"{latent_dim} latent dimensions. Received: {decoder!r} of input shape {shape}."
        )
    if isinstance(decoder.output_shape, dict):
        raise UsageError(
            "The decoder must return images, one tensor. Received: a dictionary of "
            f"{', '.join(decoder.output_shape)}."
        )
    if tuple(decoder.output_shape[1:]) != tuple(image_shape):
        raise UsageError(
            "The decoder must return the encoder's images. Received: encoder input "
            f"{image_shape}, decoder output {decoder.output_shape[1:]}."
        )


def check_decoder_reach(decoder: keras.Model, likelihood: Any) -> None:
    """Refuses a decoder that squashes its output if the likelihood squashes it as well.

    A sigmoid of a sigmoid lies between 0.5 and 0.73, a sigmoid of a ReLU above 0.5: such a model
    trains but can never draw a dark pixel. If the likelihood uses the output unchanged, like the
    Gaussian with linear output, any last layer may be right.
    """
    extremes = np.full((2, *decoder.output_shape[1:]), _LARGE, np.float32)
    extremes[0] *= -1
    means = ops.convert_to_numpy(likelihood.mean(ops.convert_to_tensor(extremes)))
    low, high = float(means[0].min()), float(means[1].max())
    if not (low < high and max(-low, high) < _LARGE) or _ends_linearly(decoder.outputs[0]):
        return
    outputs = _outputs_of_random_weights(decoder)
    reached = ops.convert_to_numpy(likelihood.mean(ops.convert_to_tensor(outputs)))
    margin = _MARGIN * (high - low)
    if np.nanmin(reached) > low + margin or np.nanmax(reached) < high - margin:
        raise UsageError(
            f"The decoder ends in an activation, and the {likelihood.name} likelihood applies one "
            f"itself: no pixel could leave {_range_of(reached)}. Let the last layer be linear, "
            "without an activation, or take what the decoder returns as it is, with "
            'likelihood=keras_devae.losses.GaussianLikelihood(output="linear"). Received: '
            f"outputs in {_range_of(outputs)}, whatever the weights."
        )


def check_encoder_reach(encoder: keras.Model) -> None:
    """Refuses an encoder whose posterior lies on one side of the prior, whatever its weights.

    Means that are never negative (ReLU, sigmoid, softplus, softmax) cannot match the prior's 0, and
    a log-variance that is never negative (the same activations, often meant for a standard
    deviation) makes every code noisier than the prior. Accepts a tanh, or a negative log-variance.
    """
    heads = {name: encoder.output[name] for name in ("z_mean", "z_log_var")}
    if all(map(_ends_linearly, heads.values())):
        return
    outputs = _outputs_of_random_weights(encoder)
    for name in heads:
        values = outputs[name]
        lowest, highest = np.nanmin(values), np.nanmax(values)
        if name == "z_log_var" and lowest == highest:
            continue  # A fixed variance is accepted as intended.
        if lowest >= -_REACH or (name == "z_mean" and highest <= _REACH):
            meant = "" if name == "z_mean" else ", the logarithm of the variance,"
            raise UsageError(
                f"The encoder's `{name}`{meant} ends in an activation that keeps it on one side of "
                "zero. Let its last layer be linear, without an activation. Received: outputs in "
                f"{_range_of(values)}, whatever the weights."
            )


def _ends_linearly(tensor):
    """Returns whether a symbolic output is certain to come from a linear map."""
    layer = tensor._keras_history.operation
    kind = type(layer)
    if kind in (layers.Dense, *_CONVOLUTIONS):
        return layer.activation is keras.activations.linear
    is_linear = kind is layers.Activation and layer.activation is keras.activations.linear
    if is_linear or kind in _REARRANGING:
        # A layer that is used several times has more than one input.
        inputs = layer.input if len(layer._inbound_nodes) == 1 else None
        inputs = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        return all(x is not None and _ends_linearly(x) for x in inputs)
    return False


def _outputs_of_random_weights(network):
    """Returns a network's outputs for noise, with large random weights, as NumPy arrays.

    Its own weights may be zero or frozen. Leaves weights and seed generators unchanged.
    """
    draws = [
        _outputs_of_a_draw(network, np.random.default_rng(seed), sign)
        for seed in range(_DRAWS)
        for sign in (1, -1)
    ]
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *draws)


def _outputs_of_a_draw(network, random, sign):
    inputs = random.normal(size=(8, *network.input_shape[1:])).astype(np.float32)
    trainable, others = (
        [_random_weight(random, variable, sign) for variable in variables]
        for variables in (network.trainable_variables, network.non_trainable_variables)
    )
    outputs = network.stateless_call(
        trainable, others, ops.convert_to_tensor(inputs), training=False
    )[0]
    return keras.tree.map_structure(lambda x: ops.convert_to_numpy(ops.cast(x, "float32")), outputs)


def _random_weight(random, variable, sign):
    is_float = keras.backend.is_float_dtype(keras.backend.standardize_dtype(variable.dtype))
    if not is_float or variable.name in _VARIANCES:
        return ops.convert_to_tensor(variable)
    # Kernels of this scale make each layer's values about four times as large as its inputs.
    scale = 4 / math.sqrt(math.prod(variable.shape[:-1]) or 1)
    values = sign * random.normal(0, scale, tuple(variable.shape)).astype(np.float32)
    return ops.cast(ops.convert_to_tensor(values), variable.dtype)


def _range_of(values):
    return f"{np.nanmin(values):.2g} to {np.nanmax(values):.2g}"
