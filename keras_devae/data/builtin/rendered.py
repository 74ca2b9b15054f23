"""Data sets that are drawn when their images are asked for, and never stored."""

import numbers
from typing import ClassVar, Protocol

import numpy as np

from keras_devae.data.dataset import Dataset
from keras_devae.data.factor_grid import FactorGrid
from keras_devae.errors import UsageError

IMAGE_SIZES = (32, 64, 128)


class Renderer(Protocol):
    """Draws images from factor values.

    Attributes:
        name: Name of the data set.
        version: Raised by one whenever a pixel changes, so that runs can be told apart.
        grid: Factors of the data set.
        is_binary: Whether every pixel is 0 or 255.
        image_shape: `(height, width, channels)`.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    grid: ClassVar[FactorGrid]
    is_binary: ClassVar[bool]
    image_shape: tuple[int, int, int]

    def render(self, factors: np.ndarray) -> np.ndarray:
        """Returns uint8 `(n, h, w, c)` for int64 factor values `(n, f)` of the grid."""
        ...


def check_image_size(image_size: int) -> int:
    """Returns `image_size` if the renderers draw it; raises `UsageError` otherwise."""
    if not isinstance(image_size, numbers.Integral) or image_size not in IMAGE_SIZES:
        raise UsageError(
            f"The built-in renderers draw images of {', '.join(map(str, IMAGE_SIZES))} pixels a "
            f"side. Received: image_size={image_size!r}."
        )
    return int(image_size)


class RenderedDataset(Dataset):
    """A data set whose images are drawn by a renderer from their factor values.

    Args:
        renderer: Draws the images.
        remark: What `description` says at its end, e.g. why no official file is used.
    """

    def __init__(self, renderer: Renderer, remark: str = ""):
        super().__init__(
            name=renderer.name,
            length=len(renderer.grid),
            image_shape=renderer.image_shape,
            provenance={
                "source": "rendered",
                "renderer": renderer.name,
                "renderer_version": renderer.version,
                "image_size": renderer.image_shape[0],
            },
            origin=f"built-in renderer, version {renderer.version}",
            remark=remark,
            grid=renderer.grid,
            is_binary=renderer.is_binary,
        )
        self._renderer = renderer

    def _read_images(self, rows: np.ndarray) -> np.ndarray:
        return self._renderer.render(self.grid.factors(rows))
