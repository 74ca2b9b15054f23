"""The layer that copies codes to every pixel of an image."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_devae.checks import Tensor, widths
from keras_devae.errors import UsageError


@keras.saving.register_keras_serializable(package="keras_devae")
class SpatialBroadcast(keras.layers.Layer):
    """Copies codes to every pixel and appends its row and column (Watters et al. 2019).

    Rows run from -1 at the top to 1 at the bottom, columns from -1 at the left to 1 at the right.

    Args:
        size: `(height, width)` in pixels.
        **kwargs: Arguments of `keras.layers.Layer`.

    Example:
        >>> ops.shape(SpatialBroadcast((4, 6))(ops.ones((8, 10))))
        (8, 4, 6, 12)
    """

    def __init__(self, size: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.size = widths("size", size)
        if len(self.size) != 2:
            raise UsageError(f"`size` must be (height, width). Received: {size!r}.")

    def call(self, z: Tensor) -> Tensor:
        """Maps codes `(batch, n)` to features `(batch, height, width, n + 2)`."""
        rows, columns = (np.linspace(-1, 1, n) for n in self.size)
        places = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)[None]
        places = ops.convert_to_tensor(places, dtype=z.dtype)
        codes = ops.expand_dims(z, (1, 2))
        # Products broadcast whatever the size of the batch, also in exported models.
        return ops.concatenate(
            [codes * ops.ones_like(places[..., :1]), places * ops.ones_like(codes[..., :1])],
            axis=-1,
        )

    def compute_output_shape(self, z_shape: tuple) -> tuple:
        """Returns `(batch, height, width, n + 2)`."""
        return (z_shape[0], *self.size, z_shape[-1] + 2)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "size": list(self.size)}
