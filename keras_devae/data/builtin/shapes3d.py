"""The 3D Shapes images, drawn from their scene."""

import threading
from typing import ClassVar

import numpy as np

from keras_devae.data.builtin.rendered import check_image_size
from keras_devae.data.builtin.shapes3d_scene import MAPS, Scene
from keras_devae.data.factor_grid import FactorGrid

SCALES = np.linspace(0.75, 1.25, 8)
ANGLES = np.radians(np.linspace(-30, 30, 15))
SKY = (153, 226, 249)
# Larger matrices would be multiplied by several threads, which compete with those that train.
_PIXELS_AT_ONCE = 4096


class Shapes3DRenderer:
    """Draws 3D Shapes: a coloured solid in a coloured room.

    Rays are cast once for each of the 480 geometries (scale, shape, orientation), when it is
    first asked for; an image then mixes the eight brightness maps of its geometry with its three
    hues. The maps of all geometries take 63 MB and about a second at 64 x 64 pixels, 16 MB at
    32 x 32 and 252 MB at 128 x 128. Another image size shows the same scene through the same
    lens.

    Safe to call from several threads.

    Args:
        image_size: Pixels a side: 32, 64 or 128. Default: 64.

    Raises:
        UsageError: If the renderers do not draw that size.
    """

    name: ClassVar[str] = "shapes3d"
    version: ClassVar[int] = 1
    is_binary: ClassVar[bool] = False
    grid: ClassVar[FactorGrid] = FactorGrid(
        ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation"),
        (10, 10, 10, 8, 4, 15),
    )

    def __init__(self, image_size: int = 64):
        size = check_image_size(image_size)
        self.image_shape = (size, size, 3)
        self._scene = Scene(size)
        self._geometries = FactorGrid(self.grid.names[3:], self.grid.sizes[3:])
        pixels = min(size * size, _PIXELS_AT_ONCE)
        self._maps = np.empty(
            (len(self._geometries), size**2 // pixels, pixels, len(MAPS)), np.float32
        )
        self._is_cast = np.zeros(len(self._geometries), bool)
        self._lock = threading.Lock()

    def __reduce__(self):
        # Neither the lock nor the maps travel to another process, which casts its own.
        return type(self), (self.image_shape[0],)

    def render(self, factors: np.ndarray) -> np.ndarray:
        """Draws images.

        Args:
            factors: Integers of shape `(n, 6)`, in the order of `grid.names`.

        Returns:
            uint8 array of shape `(n, image_size, image_size, 3)`.
        """
        geometries = self._geometries.indices(factors[:, 3:])
        self._cast(np.unique(geometries))
        mixing = mixing_matrices(factors[:, :3])
        images = np.empty((len(factors), *self.image_shape), np.uint8)
        pixels = images.reshape(len(factors), *self._maps.shape[1:3], 3)
        brightness = np.empty(pixels.shape[1:], np.float32)
        # One image at a time stays in the processor's cache; a whole batch does not.
        for image, geometry, mix in zip(pixels, geometries, mixing, strict=True):
            np.matmul(self._maps[geometry], mix, out=brightness)
            np.clip(brightness, 0, 255, out=brightness)
            np.rint(brightness, out=brightness)
            image[:] = brightness
        return images

    def _cast(self, geometries: np.ndarray) -> None:
        """Fills the maps of the geometries that have not been asked for before."""
        if self._is_cast[geometries].all():
            return
        with self._lock:
            missing = geometries[~self._is_cast[geometries]]
            for geometry, values in zip(missing, self._geometries.factors(missing), strict=True):
                scale, shape, orientation = values
                maps = self._scene.maps(
                    float(SCALES[scale]), int(shape), float(ANGLES[orientation])
                )
                self._maps[geometry] = maps.reshape(self._maps.shape[1:])
                self._is_cast[geometry] = True


def mixing_matrices(hues: np.ndarray) -> np.ndarray:
    """Weights of the eight brightness maps in the three colour channels.

    Args:
        hues: Integers of shape `(n, 3)` in 0..9: floor, wall and object, in tenths of the circle.

    Returns:
        float32 array of shape `(n, 8, 3)`, in grey levels of 0..255.
    """
    colours = saturated_colours(np.arange(10) / 10)[hues]
    full = colours == 1
    mixing = np.empty((len(hues), len(MAPS), 3), np.float32)
    # A full channel takes the map limited to 1, any other its share of the unlimited one.
    mixing[:, 0:6:2] = np.where(full, 0, colours)
    mixing[:, 1:4:2] = full[:, :2]
    mixing[:, 5] = ~full[:, 2]
    mixing[:, 6] = full[:, 2]
    mixing[:, 7] = np.array(SKY) / 255
    return mixing * np.float32(255)


def saturated_colours(hues: np.ndarray) -> np.ndarray:
    """Converts hues in [0, 1) at full saturation and value to RGB in [0, 1].

    Args:
        hues: Array of shape `(n,)`.

    Returns:
        Array of shape `(n, 3)`.
    """
    sector = (6 * hues[:, np.newaxis] + np.array([5, 3, 1])) % 6
    return 1 - np.clip(np.minimum(sector, 4 - sector), 0, 1)
