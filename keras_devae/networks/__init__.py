"""Encoders and decoders: functions that return a `keras.Model`."""

from collections.abc import Callable

import keras

from keras_devae.networks.convolutional import convolutional_decoder, convolutional_encoder
from keras_devae.networks.dense import (
    discriminator,
    linear_decoder,
    linear_encoder,
    mlp_decoder,
    mlp_encoder,
)

#: Name -> (encoder, decoder), the pairs that models and the command line accept by name.
NETWORKS: dict[str, tuple[Callable[..., keras.Model], Callable[..., keras.Model]]] = {
    "convolutional": (convolutional_encoder, convolutional_decoder),
    "mlp": (mlp_encoder, mlp_decoder),
}

__all__ = [
    "NETWORKS",
    "convolutional_decoder",
    "convolutional_encoder",
    "discriminator",
    "linear_decoder",
    "linear_encoder",
    "mlp_decoder",
    "mlp_encoder",
]
