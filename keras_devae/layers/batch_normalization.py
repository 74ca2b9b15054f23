"""Batch normalisation over the whole batch, also where several devices share it."""

from typing import Any

import keras

from keras_devae.backend.replicas import replica
from keras_devae.checks import Tensor


@keras.saving.register_keras_serializable(package="keras_devae")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's batch normalisation, by the statistics of the whole batch on every backend.

    Where each of several TensorFlow devices has only its part of a batch, Keras would normalise
    each part by itself, and training would depend on the number of devices. Takes the arguments of
    `keras.layers.BatchNormalization` except `synchronized`.

    Example:
        >>> keras.ops.shape(BatchNormalization()(keras.ops.ones((8, 3)), training=True))
        (8, 3)
    """

    def call(self, inputs: Tensor, training: bool | None = None, mask: Any = None) -> Tensor:
        """Normalises `(batch, ..., channels)`: by the batch in training."""
        self.synchronized = replica()[1] > 1
        return super().call(inputs, training=training, mask=mask)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        # Other backends, whose devices see whole batches, refuse it.
        config.pop("synchronized", None)
        return config
