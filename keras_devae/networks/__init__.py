"""Encoders and decoders: functions that return a `keras.Model`."""

from collections.abc import Callable

import keras

from keras_devae.networks.broadcast import broadcast_decoder
from keras_devae.networks.convolutional import convolutional_decoder, convolutional_encoder
from keras_devae.networks.dense import (
    discriminator,
    linear_decoder,
    linear_encoder,
    mlp_decoder,
    mlp_encoder,
    projection_mlp,
    unit_predictors,
)
from keras_devae.networks.image_discriminator import image_discriminator
from keras_devae.networks.residual import residual_decoder, residual_encoder

#: Name -> (encoder, decoder), the pairs that models and the command line accept by name.
NETWORKS: dict[str, tuple[Callable[..., keras.Model], Callable[..., keras.Model]]] = {
    "convolutional": (convolutional_encoder, convolutional_decoder),
    "mlp": (mlp_encoder, mlp_decoder),
    "residual": (residual_encoder, residual_decoder),
}
#: Name -> a decoder that goes with the encoder of any pair.
DECODERS: dict[str, Callable[..., keras.Model]] = {"broadcast": broadcast_decoder}

__all__ = [
    "DECODERS",
    "NETWORKS",
    "broadcast_decoder",
    "convolutional_decoder",
    "convolutional_encoder",
    "discriminator",
    "image_discriminator",
    "linear_decoder",
    "linear_encoder",
    "mlp_decoder",
    "mlp_encoder",
    "projection_mlp",
    "residual_decoder",
    "residual_encoder",
    "unit_predictors",
]
