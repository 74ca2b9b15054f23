"""Data sets whose images are drawn on request and never stored."""

import abc
import numbers
from collections.abc import Mapping
from typing import ClassVar

from keras_devae.checks import Array
from keras_devae.data.dataset import Dataset
from keras_devae.data.factor_grid import FactorGrid
from keras_devae.data.image_sizes import ImageSize, size_text
from keras_devae.errors import UsageError

IMAGE_SIZES = (32, 64, 128)


class Renderer(abc.ABC):
    """Draws images, `image_size` (32, 64 or 128) pixels high and wide, from factor values.

    Attributes:
        name: Name of the data set.
        version: Increased by one whenever a pixel changes, so that runs can be told apart.
        grid: Factors of the data set.
        channels: Number of channels of an image.
        is_binary: Whether every pixel is 0 or 255. Default: `False`.
        image_shape: `(height, width, channels)`.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    grid: ClassVar[FactorGrid]
    channels: ClassVar[int]
    is_binary: ClassVar[bool] = False
    image_shape: tuple[int, int, int]

    def __init__(self, image_size: ImageSize = 64):
        if not isinstance(image_size, numbers.Integral) or image_size not in IMAGE_SIZES:
            raise UsageError(
                f"The built-in renderers draw images of {', '.join(map(str, IMAGE_SIZES))} pixels "
                f"per side. Received: image_size={size_text(image_size)}."
            )
        self.image_shape = (int(image_size), int(image_size), self.channels)

    @abc.abstractmethod
    def render(self, factors: Array) -> Array:
        """Draws int64 factors `(n, f)`, columns as in `grid`, as uint8 `(n, *image_shape)`."""


class RenderedDataset(Dataset):
    """A data set whose images are drawn by a renderer from their factor values.

    Args:
        renderer: Draws the images, see `Renderer`.
        remark: Text appended to `description`, e.g. why no official file is used. Default: none.
        factor_labels: As for `Dataset`. Default: none.
        nominal_factors: As for `Dataset`. Default: none.

    Example:
        >>> data = kd.data.load("dsprites", source="rendered", image_size=32)
        >>> isinstance(data, kd.data.RenderedDataset), data.images([0]).shape
        (True, (1, 32, 32, 1))
    """

    grid: FactorGrid

    def __init__(
        self,
        renderer: Renderer,
        remark: str = "",
        factor_labels: Mapping[str, tuple[str, ...]] | None = None,
        nominal_factors: tuple[str, ...] = (),
    ):
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
            factor_labels=factor_labels,
            nominal_factors=nominal_factors,
        )
        self._renderer = renderer

    def _read_images(self, rows: Array) -> Array:
        return self._renderer.render(self.grid.factors(rows))
