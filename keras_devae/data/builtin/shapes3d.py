"""3D Shapes: a renderer of its images, and a reader of the published file (5.9 GB in 268 MB)."""

import contextlib
import functools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from keras_devae.checks import Array
from keras_devae.data.builtin.declaration import BuiltinSet, PublishedFile, google_storage_address
from keras_devae.data.builtin.file_format import FileFormat
from keras_devae.data.builtin.rendered import Renderer
from keras_devae.data.builtin.shapes3d_scene import MAPS, Scene
from keras_devae.data.factor_grid import FactorGrid, complete_grid, ranks
from keras_devae.data.image_sizes import ImageSize
from keras_devae.errors import FailureError

SCALES = np.linspace(0.75, 1.25, 8)
ANGLES = np.radians(np.linspace(-30, 30, 15))
SKY = (153, 226, 249)
# Larger matrices would be multiplied by several threads, which compete with the training threads.
_PIXELS_AT_ONCE = 4096

_ROWS_AT_ONCE = 1024
#: Shuffled batches alternate between 8 chunks, then between the next 8.
_CHUNKS_KEPT = 9
_MOST_KEPT_BYTES = 2**29
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class Shapes3DRenderer(Renderer):
    """Draws 3D Shapes: a coloured solid in a coloured room; safe to call from several threads.

    Rays are cast once for each of the 480 geometries (scale, shape, orientation), when it is first
    needed; an image then mixes the eight brightness maps of its geometry with its three hues.
    The maps of all geometries take 63 MB and about a second at 64 x 64 pixels, 16 MB at 32 x 32 and
    252 MB at 128 x 128. All image sizes show the same scene through the same lens.
    """

    name = "shapes3d"
    version = 1
    channels = 3
    grid = FactorGrid(
        ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation"),
        (10, 10, 10, 8, 4, 15),
    )

    def __init__(self, image_size: ImageSize = 64):
        super().__init__(image_size)
        size = self.image_shape[0]
        self._scene = Scene(size)
        self._geometries = FactorGrid(self.grid.names[3:], self.grid.sizes[3:])
        pixels = min(size * size, _PIXELS_AT_ONCE)
        self._maps = np.empty(
            (len(self._geometries), size**2 // pixels, pixels, len(MAPS)), np.float32
        )
        self._is_cast = np.zeros(len(self._geometries), bool)
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        # The lock and the maps are not pickled; another process casts its own rays.
        return type(self), (self.image_shape[0],)

    def render(self, factors: Array) -> Array:
        """Draws images; see `Renderer.render`."""
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

    def _cast(self, geometries: Array) -> None:
        """Computes the maps of those geometries that have none yet."""
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


def mixing_matrices(hues: Array) -> Array:
    """Returns float32 weights `(n, 8, 3)` that mix the brightness maps into colours in 0..255.

    `hues` are integers `(n, 3)` in 0..9: floor, wall and object, in tenths of the circle.
    """
    colours = saturated_colours(np.arange(10) / 10)[hues]
    full = colours == 1
    mixing = np.empty((len(hues), len(MAPS), 3), np.float32)
    # A channel of 1 uses the map clipped to 1; any other uses its share of the unclipped map.
    mixing[:, 0:6:2] = np.where(full, 0, colours)
    mixing[:, 1:4:2] = full[:, :2]
    mixing[:, 5] = ~full[:, 2]
    mixing[:, 6] = full[:, 2]
    mixing[:, 7] = np.array(SKY) / 255
    return mixing * np.float32(255)


def saturated_colours(hues: Array) -> Array:
    """Converts hues `(n,)` in [0, 1), at full saturation and value, to RGB `(n, 3)` in [0, 1]."""
    sector = (6 * hues[:, np.newaxis] + np.array([5, 3, 1])) % 6
    return 1 - np.clip(np.minimum(sector, 4 - sector), 0, 1)


class Shapes3DFile(FileFormat):
    """Reads a file in the format of `3dshapes.h5`: `images`, uint8 `(n, 64, 64, 3)`, and `labels`.

    `factors` are the labels `(n, 6)`, the values of each numbered 0, 1, 2 ... in ascending order.
    """

    factor_names: ClassVar = Shapes3DRenderer.grid.names
    image_shape: ClassVar = (64, 64, 3)

    def __init__(self, path: Path):
        self.path = path
        self._check_complete()
        with self._opened() as file:
            self._check_members(file)
            self.chunk_rows = file["images"].chunks[0] if file["images"].chunks else 1
            self.factors = ranks(file["labels"][:])
        self.grid = complete_grid(self.factors, self.factor_names)
        self.can_stream = _CHUNKS_KEPT * self.chunk_rows * 64 * 64 * 3 <= _MOST_KEPT_BYTES
        self._chunk = functools.lru_cache(_CHUNKS_KEPT)(self._decode_chunk)

    def __reduce__(self) -> tuple[Any, ...]:
        # The cached chunks are not pickled; another process decodes its own.
        return type(self), (self.path,)

    def chunks(self, start: int = 0) -> Iterator[Array]:
        """Yields the images in order; see `FileFormat.chunks`."""
        # Whole chunks of the file, so that none is decoded twice.
        rows = self.chunk_rows * max(1, _ROWS_AT_ONCE // self.chunk_rows)
        with self._opened() as file:
            images = file["images"]
            while start < len(self):
                end = min(start - start % rows + rows, len(self))
                yield images[start:end]
                start = end

    def read_rows(self, rows: Array) -> Array:
        """Returns images `(n, 64, 64, 3)` by row number, in any order, from the file.

        HDF5 decodes a whole chunk to read any of its rows, so the last decoded chunks are kept.
        """
        images = np.empty((len(rows), *self.image_shape), np.uint8)
        numbers = rows // self.chunk_rows
        for number in np.unique(numbers).tolist():
            places = np.flatnonzero(numbers == number)
            images[places] = self._chunk(number)[rows[places] % self.chunk_rows]
        return images

    def _decode_chunk(self, number: int) -> Array:
        start = number * self.chunk_rows
        with self._opened() as file:
            return file["images"][start : start + self.chunk_rows]

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        """Opens the file anew; any failure to read it raises the same kind of error.

        No handle is shared between threads or processes.
        """
        # Imported here because most runs read no HDF5.
        import h5py

        try:
            with h5py.File(self.path, "r") as file:
                yield file
        except FailureError:
            raise
        except (OSError, KeyError, RuntimeError) as error:
            raise FailureError(
                f"{self.path} ({self.path.stat().st_size:,} bytes) is damaged: {error}. "
                "Download it again."
            ) from None

    def _check_members(self, file: Any) -> None:
        for member in ("images", "labels"):
            if member not in file or not hasattr(file[member], "shape"):
                raise self._wrong(f"it has no data set {member!r}")
        images, labels = file["images"], file["labels"]
        if images.dtype != np.uint8 or images.shape[1:] != (64, 64, 3) or not images.shape[0]:
            raise self._wrong(
                f"'images' is {images.dtype} {images.shape} and not uint8 (n, 64, 64, 3)"
            )
        if labels.dtype.kind not in "iuf" or labels.shape != (len(images), 6):
            raise self._wrong(
                f"'labels' is {labels.dtype} {labels.shape} and not numbers ({len(images)}, 6)"
            )

    def _check_complete(self) -> None:
        """Compares the size of the file with the size stated in its header."""
        with self.path.open("rb") as file:
            start = file.read(48)
        if not start.startswith(_HDF5_SIGNATURE) or len(start) < 48:
            raise self._wrong(f"its {self.path.stat().st_size:,} bytes are not HDF5")
        # End-of-file address: its position depends on the version of the superblock.
        place = 40 if start[8] < 2 else 28
        expected = int.from_bytes(start[place : place + 8], "little")
        actual = self.path.stat().st_size
        if actual < expected:
            raise FailureError(
                f"{self.path} is truncated: it has {actual:,} bytes, and {expected:,} were "
                "expected. Download it again."
            )

    def _wrong(self, what: str) -> FailureError:
        return FailureError(f"{self.path} is not a 3D Shapes file: {what}. Download it again.")


_HOMEPAGE = "https://github.com/google-deepmind/3d-shapes"
#: What people call the ten hues, tenths of the circle from red.
_HUES = (
    *("red", "orange", "lime", "green", "mint"),
    *("cyan", "blue", "indigo", "purple", "pink"),
)

SHAPES3D = BuiltinSet(
    name=Shapes3DRenderer.name,
    title="3D Shapes",
    grid=Shapes3DRenderer.grid,
    licence="Apache-2.0",
    citation=f"Chris Burgess and Hyunjik Kim. 3D Shapes Dataset. 2018. {_HOMEPAGE}",
    homepage=_HOMEPAGE,
    files=(
        PublishedFile(
            "3dshapes.h5",
            "https://storage.googleapis.com/3d-shapes/3dshapes.h5",
            267_573_662,
            # As listed in the checksums of TensorFlow Datasets.
            sha256="0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785",
            mirrors=(google_storage_address("3d-shapes", "3dshapes.h5"),),
        ),
    ),
    file_format=Shapes3DFile,
    renderer=Shapes3DRenderer,
    factor_labels={
        **dict.fromkeys(("floor_hue", "wall_hue", "object_hue"), _HUES),
        "shape": ("cube", "cylinder", "sphere", "pill"),
        "orientation": tuple(f"{degrees:.3g}°" for degrees in np.linspace(-30, 30, 15)),
    },
    nominal_factors=("shape",),
)
