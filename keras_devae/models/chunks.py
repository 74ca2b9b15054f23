"""Networks applied to many images or codes, chunk by chunk."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.backend import compiles_with_xla, without_tracing_advice
from keras_devae.backend.replicas import without_distribution
from keras_devae.checks import Array, Tensor


class ImageEncoder(keras.Model):
    """Scaling of pixels and the encoder, compiled together so that the device does the cast."""

    def __init__(self, model: Any) -> None:
        super().__init__(name="image_encoder", autocast=False, dtype=model.dtype_policy)
        self.model = model
        self.jit_compile = model.jit_compile if model.compiled else compiles_with_xla()
        self.built = True

    def call(self, images: Any, training: bool = False) -> dict[str, Tensor]:
        """Returns what the encoder returns of images `(batch, height, width, channels)`."""
        return self.model.encoder(self.model.pixels(images), training=training)


def in_chunks(
    function: Callable[[Any], dict[str, Any]], rows: Any, batch_size: int
) -> dict[str, Array]:
    """Applies a function to chunks of rows and joins its results, float32 arrays by name.

    The last chunk is padded with zeros, and a few rows to the next power of two, so that all calls
    share a few compiled shapes. Without any rows, one row of zeros is used to find the shapes.
    """
    size = min(batch_size, 1 << max(len(rows) - 1, 0).bit_length())
    parts = []
    for start in range(0, max(len(rows), 1), size):
        chunk = ops.convert_to_numpy(rows[start : start + size])
        missing = np.zeros((size - len(chunk), *chunk.shape[1:]), chunk.dtype)
        filled = np.concatenate([chunk, missing]) if len(missing) else chunk
        with without_distribution(), without_tracing_advice():
            outputs = function(filled)
        parts.append({k: np.asarray(v, "float32")[: len(chunk)] for k, v in outputs.items()})
    return {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}
