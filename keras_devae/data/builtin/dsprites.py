"""dSprites: a renderer of its images, and a reader of the published file (3 GB in 26 MB)."""

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from keras_devae.checks import Array
from keras_devae.data.builtin.declaration import BuiltinSet, PublishedFile
from keras_devae.data.builtin.file_format import FileFormat, row_blocks
from keras_devae.data.builtin.rendered import Renderer
from keras_devae.data.dataset import Dataset, DerivedDataset
from keras_devae.data.factor_grid import FactorGrid, complete_grid, ranks
from keras_devae.data.image_sizes import ImageSize
from keras_devae.errors import FailureError, UsageError
from keras_devae.files.archives import opened_archive, read_header

SQUARE, ELLIPSE, HEART = range(3)

# Lengths are in pixels of the 64 x 64 image at scale 1, measured from the point placed at the
# sprite's position. The square is nominally 9.6; the last digits decide pixel centres that lie on
# the outline the way the published images do.
HALF_SQUARE = 9.5967
ELLIPSE_HALF_AXES = (12.77, 7.215)
HALF_HEART = 9.6
# Just above the longest radius of any outline, 13.57 at the corner of the square.
HALF_WINDOW = 14
# Every vertical line cuts the heart in a single interval, so a table of the interval's two ends
# replaces a point-in-polygon test.
HEART_STEPS_PER_PIXEL = 128

_ROWS_AT_ONCE = 4096


class DSpritesRenderer(Renderer):
    """Draws dSprites: one white square, ellipse or heart on black.

    A pixel is white exactly when its centre lies inside the outline: no anti-aliasing. Outlines are
    scaled by 0.5 to 1, turned counter-clockwise by `2 pi orientation / 39` and centred on
    `16 + 32 position / 31` pixels from the left (`position_x`) and from the top (`position_y`),
    never rounded. Other image sizes sample the same outlines at their own pixel centres.

    The outlines were fitted to the frames that the data set's authors published (Matthey et al.,
    "dSprites: Disentanglement testing Sprites dataset", 2017). About one image in ten differs from
    the published one, by about one pixel on the outline.
    """

    name = "dsprites"
    version = 1
    channels = 1
    is_binary = True
    grid = FactorGrid(
        ("shape", "scale", "orientation", "position_x", "position_y"), (3, 6, 40, 32, 32)
    )

    def __init__(self, image_size: ImageSize = 64):
        super().__init__(image_size)
        size = self.image_shape[0]
        self._pixels_per_unit = size / 64
        self._half_window = HALF_WINDOW * size // 64

    def render(self, factors: Array) -> Array:
        """Draws images of 0 and 255; see `Renderer.render`."""
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
        self, factors: Array, centres: Array, corners: Array
    ) -> tuple[Array, Array]:
        """Maps the pixel centres of each window back to the upright outline at scale 1.

        Returns `u` (right) and `v` (down), each float32 `(n, window, window)`.
        """
        scale = (0.5 + 0.1 * factors[:, 1]) * self._pixels_per_unit
        # Modulo 39, so that rounding cannot make the last orientation differ from the first.
        angle = 2 * np.pi * (factors[:, 2] % 39) / 39
        steps = np.arange(2 * self._half_window) + 0.5
        right = corners[:, :1] + steps - centres[:, :1]
        down = corners[:, 1:] + steps - centres[:, 1:]
        cosine = (np.cos(angle) / scale)[:, np.newaxis]
        sine = (np.sin(angle) / scale)[:, np.newaxis]
        u = _outer_sum(cosine * right, -sine * down)
        v = _outer_sum(sine * right, cosine * down)
        return u, v


class DSpritesFile(FileFormat):
    """Reads a file in the format of `dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz`.

    The member `imgs` is uint8 `(n, 64, 64)` of 0 and 1; `factors` are the integers `(n, 6)` of
    `latents_classes` without its first column, the only colour. `metadata`, a pickle, is not read.
    """

    factor_names: ClassVar = DSpritesRenderer.grid.names
    image_shape: ClassVar = (64, 64, 1)
    is_packed: ClassVar = True

    def __init__(self, path: Path):
        self.path = path
        with opened_archive(self.path) as archive:
            for member in ("imgs", "latents_classes", "latents_values"):
                if f"{member}.npy" not in archive.namelist():
                    raise self._wrong(f"it has no member {member!r}")
            with archive.open("imgs.npy") as file:
                shape, fortran_order, dtype = read_header(file)
            if dtype != np.uint8 or shape[1:] != (64, 64) or fortran_order or not shape[0]:
                raise self._wrong(f"'imgs' is {dtype} {shape} and not uint8 (n, 64, 64)")
            classes = self._read_classes(archive, shape[0])
        self.factors = classes[:, 1:].astype(np.int64)
        numbered = ranks(self.factors)
        self.grid = complete_grid(numbered, self.factor_names)
        if self.grid is not None:
            self.factors = numbered

    def chunks(self, start: int = 0) -> Iterator[Array]:
        """Yields the images as packed bits `(rows, 512)`; see `FileFormat.chunks`."""
        with opened_archive(self.path) as archive, archive.open("imgs.npy") as file:
            read_header(file)
            rows = range(start, len(self))
            for pixels in row_blocks(file, rows, (64 * 64,), _ROWS_AT_ONCE, self._wrong):
                if pixels.max() > 1:
                    raise self._wrong("its images hold other values than 0 and 1")
                yield np.packbits(pixels, axis=1)

    def _read_classes(self, archive: zipfile.ZipFile, length: int) -> Array:
        with archive.open("latents_classes.npy") as file:
            classes = np.lib.format.read_array(file, allow_pickle=False)
        if classes.dtype.kind not in "iu" or classes.shape != (length, 6):
            raise self._wrong(
                f"'latents_classes' is {classes.dtype} {classes.shape} and not integers "
                f"({length}, 6)"
            )
        return classes

    def _wrong(self, what: str) -> FailureError:
        return FailureError(
            f"{self.path} is not a dSprites file: {what}. Download it again, or use "
            "'npz:PATH' for an .npz file of your own."
        )


class SubgridDataset(DerivedDataset):
    """The rows of a data set with a grid whose factor values fit in a smaller grid."""

    grid: FactorGrid

    def __init__(self, base: Dataset, grid: FactorGrid, provenance: dict[str, object]):
        provenance = {**base.provenance, **provenance}
        super().__init__(base, provenance, length=math.prod(grid.sizes), grid=grid)

    def _read_images(self, rows: Array) -> Array:
        assert self._base.grid is not None
        return self._base.images(self._base.grid.indices(self.grid.factors(rows)))


def without_duplicate_orientation(dataset: Dataset) -> Dataset:
    """Drops the last orientation of dSprites, which repeats the first; refuses other data sets."""
    grid = dataset.grid
    sizes = {} if grid is None else dict(zip(grid.names, grid.sizes, strict=True))
    if dataset.name != DSPRITES.name or sizes.get("orientation") != 40:
        raise UsageError(
            "Only dSprites with all its 40 orientations has a duplicate to leave out. "
            f"Received: {dataset.description}."
        )
    smaller = FactorGrid(tuple(sizes), tuple((sizes | {"orientation": 39}).values()))
    return SubgridDataset(dataset, smaller, {"drop_duplicate_orientation": True})


def _outer_sum(along_row: Array, along_column: Array) -> Array:
    along_row, along_column = along_row.astype(np.float32), along_column.astype(np.float32)
    return along_row[:, np.newaxis, :] + along_column[:, :, np.newaxis]


def _in_square(u: Array, v: Array) -> Array:
    return np.maximum(np.abs(u), np.abs(v)) < HALF_SQUARE


def _in_ellipse(u: Array, v: Array) -> Array:
    half_length, half_height = ELLIPSE_HALF_AXES
    return np.square(u / half_length) + np.square(v / half_height) < 1


def _in_heart(u: Array, v: Array) -> Array:
    column = np.abs(u, out=u)
    column *= HEART_STEPS_PER_PIXEL
    column = np.minimum(column, len(_HEART_TOP) - 1, out=column).astype(np.int32)
    return (v > _HEART_TOP[column]) & (v < _HEART_BOTTOM[column])


def _heart_table() -> tuple[Array, Array]:
    """Returns the top and the bottom of the heart by `abs(u)`, both float32.

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

_HOMEPAGE = "https://github.com/google-deepmind/dsprites-dataset"
_FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"

DSPRITES = BuiltinSet(
    name=DSpritesRenderer.name,
    title="dSprites",
    grid=DSpritesRenderer.grid,
    licence="Apache-2.0",
    citation=(
        "Loic Matthey, Irina Higgins, Demis Hassabis and Alexander Lerchner. dSprites: "
        f"Disentanglement testing Sprites dataset. 2017. {_HOMEPAGE}"
    ),
    homepage=_HOMEPAGE,
    files=(
        PublishedFile(
            _FILE,
            f"{_HOMEPAGE}/raw/master/{_FILE}",
            # As listed by the data set classes of latte.
            md5="7da33b31b13a06f4b04a70402ce90c2e",
            # GitHub redirects the first address to this one.
            mirrors=(
                f"https://raw.githubusercontent.com/google-deepmind/dsprites-dataset/master/{_FILE}",
            ),
        ),
    ),
    file_format=DSpritesFile,
    renderer=DSpritesRenderer,
    factor_labels={
        "shape": ("square", "ellipse", "heart"),
        "scale": ("0.5", "0.6", "0.7", "0.8", "0.9", "1.0"),
        "orientation": tuple(f"{360 * step / 39:.4g}°" for step in range(40)),
    },
    nominal_factors=("shape",),
)
