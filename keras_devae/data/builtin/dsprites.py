"""The dSprites images, drawn from their geometry."""

from typing import ClassVar

import numpy as np

from keras_devae.data.builtin.rendered import check_image_size
from keras_devae.data.factor_grid import FactorGrid

SQUARE, ELLIPSE, HEART = range(3)

# Lengths are in pixels of the 64 x 64 image, at scale 1, about the point that lands on the
# sprite's position. The square is nominally 9.6; the last digits settle pixel centres that fall
# on the outline as the published images do.
HALF_SQUARE = 9.5967
ELLIPSE_HALF_AXES = (12.77, 7.215)
HALF_HEART = 9.6
# Just above the longest radius of any outline, 13.57 at the corner of the square.
HALF_WINDOW = 14
# Every vertical line cuts the heart in one interval, so that a table of the interval's two ends
# replaces a point-in-polygon test.
HEART_STEPS_PER_PIXEL = 128


class DSpritesRenderer:
    """Draws dSprites: one white square, ellipse or heart on black.

    A pixel is white exactly when its centre lies inside the outline: no anti-aliasing. Outlines
    are scaled by 0.5 to 1, turned counter-clockwise by `2 pi orientation / 39` and centred on
    `16 + 32 position / 31` pixels from the left (`position_x`) and from the top (`position_y`),
    never rounded. As in the published set the last orientation repeats the first one.

    At another image size the same outlines are sampled at the pixel centres of that size, i.e.
    every length is multiplied by `image_size / 64`; nothing is resized afterwards.

    The outlines were fitted to the frames that the data set's authors published (Matthey et al.,
    "dSprites: Disentanglement testing Sprites dataset", 2017). About one image in ten differs
    from the published one, by about one pixel on the outline.

    Args:
        image_size: Pixels a side: 32, 64 or 128. Default: 64.

    Raises:
        UsageError: If the renderers do not draw that size.
    """

    name: ClassVar[str] = "dsprites"
    version: ClassVar[int] = 1
    is_binary: ClassVar[bool] = True
    grid: ClassVar[FactorGrid] = FactorGrid(
        ("shape", "scale", "orientation", "position_x", "position_y"), (3, 6, 40, 32, 32)
    )

    def __init__(self, image_size: int = 64):
        size = check_image_size(image_size)
        self.image_shape = (size, size, 1)
        self._pixels_per_unit = size / 64
        self._half_window = HALF_WINDOW * size // 64

    def render(self, factors: np.ndarray) -> np.ndarray:
        """Draws images.

        Args:
            factors: Integers of shape `(n, 5)`, in the order of `grid.names`.

        Returns:
            uint8 array of shape `(n, image_size, image_size, 1)` holding 0 and 255.
        """
        size = self.image_shape[0]
        images = np.zeros((len(factors), size, size), np.uint8)
        width = 2 * self._half_window
        windows = np.lib.stride_tricks.sliding_window_view(
            images, (width, width), axis=(1, 2), writeable=True
        )
        centres = (16 + 32 * factors[:, 3:5] / 31) * self._pixels_per_unit
        corners = np.rint(centres).astype(np.intp) - self._half_window
        for shape, is_inside in enumerate((_in_square, _in_ellipse, _in_heart)):
            rows = np.flatnonzero(factors[:, 0] == shape)
            u, v = self._outline_coordinates(factors[rows], centres[rows], corners[rows])
            inside = is_inside(u, v).view(np.uint8)
            windows[rows, corners[rows, 1], corners[rows, 0]] = np.negative(inside)
        return images[..., np.newaxis]

    def _outline_coordinates(
        self, factors: np.ndarray, centres: np.ndarray, corners: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Takes the pixel centres of each window back to the upright outline at scale 1.

        Returns `u` (right) and `v` (down), each float32 `(n, window, window)`.
        """
        scale = (0.5 + 0.1 * factors[:, 1]) * self._pixels_per_unit
        # Modulo 39, so that rounding cannot tell the last orientation from the first.
        angle = 2 * np.pi * (factors[:, 2] % 39) / 39
        steps = np.arange(2 * self._half_window) + 0.5
        right = corners[:, :1] + steps - centres[:, :1]
        down = corners[:, 1:] + steps - centres[:, 1:]
        cosine = (np.cos(angle) / scale)[:, np.newaxis]
        sine = (np.sin(angle) / scale)[:, np.newaxis]
        u = _outer_sum(cosine * right, -sine * down)
        v = _outer_sum(sine * right, cosine * down)
        return u, v


def _outer_sum(along_row: np.ndarray, along_column: np.ndarray) -> np.ndarray:
    along_row, along_column = along_row.astype(np.float32), along_column.astype(np.float32)
    return along_row[:, np.newaxis, :] + along_column[:, :, np.newaxis]


def _in_square(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(u), np.abs(v)) < HALF_SQUARE


def _in_ellipse(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    half_length, half_height = ELLIPSE_HALF_AXES
    return np.square(u / half_length) + np.square(v / half_height) < 1


def _in_heart(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    column = np.abs(u, out=u)
    column *= HEART_STEPS_PER_PIXEL
    column = np.minimum(column, len(_HEART_TOP) - 1, out=column).astype(np.int32)
    return (v > _HEART_TOP[column]) & (v < _HEART_BOTTOM[column])


def _heart_table() -> tuple[np.ndarray, np.ndarray]:
    """Returns the top and the bottom of the heart at steps of `abs(u)`, both float32.

    The curve is `u = 9.6 sin^3 t`, `v = -0.662 (13 cos t - 5 cos 2t - 2 cos 3t - cos 4t) - 1.44`.
    """
    t = np.linspace(0, np.pi, 2001)
    u = HALF_HEART * np.sin(t) ** 3
    harmonics = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    v = -0.662 * harmonics - 1.44
    widest = np.argmax(u)
    column = (np.arange(16 * HEART_STEPS_PER_PIXEL) + 0.5) / HEART_STEPS_PER_PIXEL
    top = np.interp(column, u[: widest + 1], v[: widest + 1])
    bottom = np.interp(column, u[widest:][::-1], v[widest:][::-1])
    beside = column > HALF_HEART
    top[beside], bottom[beside] = np.inf, -np.inf
    return top.astype(np.float32), bottom.astype(np.float32)


_HEART_TOP, _HEART_BOTTOM = _heart_table()
