"""The published SmallNORB files: gzipped matrices of grey images of toys, and of their labels."""

import contextlib
import dataclasses
import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from keras_devae.data.factor_grid import FactorGrid
from keras_devae.data.own.factor_classes import distinct_counts, ranks
from keras_devae.errors import FailureError, UsageError

_ROWS_AT_ONCE = 256
_CAMERAS = 2
#: Numbers that the files begin with, and the values that they then hold.
_KINDS = {
    0x1E3D4C51: "float32",
    0x1E3D4C52: "packed",
    0x1E3D4C53: "float64",
    0x1E3D4C54: "int32",
    0x1E3D4C55: "uint8",
    0x1E3D4C56: "int16",
}
_MOST_DIMENSIONS = 8


@dataclasses.dataclass(frozen=True)
class _Half:
    """The three files of the training or of the testing half, and how many images they have."""

    images: Path
    categories: Path
    info: Path
    length: int


class SmallNORBFile:
    """Reads files in the format of `smallnorb-5x46789x9x18x6x2x96x96-training-dat.mat.gz`.

    There are two halves, training and testing, of three files each: `dat` (uint8
    `(n, 2, 96, 96)`: what two cameras saw, of which the first is taken), `cat` (int32 `(n,)`: the
    category) and `info` (int32 `(n, 4)`: instance, elevation, azimuth and lighting). The images
    leave in the order of the files, those of the training half first.

    Args:
        *paths: The six files: `dat`, `cat` and `info` for training, then for testing.

    Attributes:
        factors: int64 array of shape `(n, 5)`: the labels, the values of each factor numbered 0,
            1, 2 ... in ascending order over both halves.
        grid: Grid that the images fill, in another order, or `None`.

    Raises:
        FailureError: If a file is truncated, damaged or in another format.
        UsageError: If there are not six paths.
    """

    factor_names: ClassVar = ("category", "instance", "elevation", "azimuth", "lighting")
    image_shape: ClassVar = (96, 96, 1)
    row_shape: ClassVar = (96, 96, 1)
    is_packed: ClassVar = False

    def __init__(self, *paths: Path):
        if len(paths) != 6:
            raise UsageError(
                "SmallNORB consists of six files: dat, cat and info for training, then for "
                f"testing. Received: {', '.join(map(str, paths)) or 'none'}."
            )
        halves = [_read_half(*paths[:3]), _read_half(*paths[3:])]
        self._halves = [half for half, _ in halves]
        self.factors = ranks(np.concatenate([labels for _, labels in halves]))
        grid = FactorGrid(self.factor_names, distinct_counts(self.factors))
        self.grid = grid if _is_filled(grid, self.factors) else None

    @staticmethod
    def check_file(path: Path) -> None:
        """Checks what can be told of one of the six files alone.

        Raises:
            FailureError: If it is truncated, or no matrix.
        """
        with _opened(path) as file:
            _check_length(path, *_read_header(path, file))

    def __len__(self) -> int:
        return len(self.factors)

    def chunks(self, start: int = 0) -> Iterator[np.ndarray]:
        """Yields the images from one on in order, as uint8 arrays `(rows, 96, 96, 1)`."""
        for half in self._halves:
            if start < half.length:
                yield from self._chunks_of_half(half, start)
            start = max(0, start - half.length)

    def _chunks_of_half(self, half: _Half, start: int) -> Iterator[np.ndarray]:
        height, width, _ = self.image_shape
        row_bytes = _CAMERAS * height * width
        with _opened(half.images) as file:
            _read_header(half.images, file)
            file.seek(start * row_bytes, 1)
            for done in range(start, half.length, _ROWS_AT_ONCE):
                rows = min(_ROWS_AT_ONCE, half.length - done)
                content = file.read(rows * row_bytes)
                if len(content) < rows * row_bytes:
                    raise _wrong(half.images, "its images end too early")
                pairs = np.frombuffer(content, np.uint8).reshape(rows, _CAMERAS, height, width, 1)
                yield np.ascontiguousarray(pairs[:, 0])
            # The checksum is behind the last image; to read on is to compare it.
            if file.read(1):
                raise _wrong(half.images, "its images do not end where they should")


def _read_half(images: Path, categories: Path, info: Path) -> tuple[_Half, np.ndarray]:
    """Checks three files and returns them with their labels `(n, 5)`."""
    with _opened(images) as file:
        length = _read_shape(images, file, "uint8", (_CAMERAS, 96, 96))[0]
    half = _Half(images, categories, info, length)
    labels = [
        _read_labels(categories, (), length, images).reshape(-1, 1),
        _read_labels(info, (4,), length, images),
    ]
    return half, np.concatenate(labels, axis=1)


def _read_labels(path: Path, row: tuple[int, ...], length: int, images: Path) -> np.ndarray:
    with _opened(path) as file:
        shape = _read_shape(path, file, "int32", row)
        if shape[0] != length:
            raise _wrong(path, f"it has {shape[0]:,} rows, and {images.name} has {length:,}")
        # One byte more than there should be, so that the checksum is compared.
        content = file.read(4 * math.prod(shape) + 1)
    if len(content) != 4 * math.prod(shape):
        raise _wrong(path, "its labels do not end where they should")
    return np.frombuffer(content, "<i4").reshape(shape)


def _read_shape(path: Path, file, kind: str, row: tuple[int, ...]) -> tuple[int, ...]:
    """Reads a header and checks that rows of one kind follow, and all of them."""
    found, shape, header_bytes = _read_header(path, file)
    if found != kind or shape[1:] != row or shape[0] < 1:
        expected = f"(n, {', '.join(map(str, row))})" if row else "(n,)"
        raise _wrong(path, f"it holds {found} {shape} and not {kind} {expected}")
    _check_length(path, found, shape, header_bytes)
    return shape


def _check_length(path: Path, kind: str, shape: tuple[int, ...], header_bytes: int) -> None:
    expected = header_bytes + math.prod(shape) * np.dtype(kind).itemsize
    # The last bytes of a gzip file are the length of what it unpacks to. They tell at once what
    # else only unpacking the whole would.
    actual = int.from_bytes(_last_bytes(path, 4), "little")
    if actual != expected % 2**32:
        raise FailureError(
            f"{path} ({path.stat().st_size:,} bytes) is truncated or damaged: it should unpack to "
            f"{expected:,} bytes and does not end so. Download it again."
        )


def _read_header(path: Path, file) -> tuple[str, tuple[int, ...], int]:
    """Reads what the values of a matrix are, its shape, and how long its header is."""
    content = file.read(8)
    magic, dimensions = np.frombuffer(content.ljust(8, b"\0"), "<i4").tolist()
    if magic not in _KINDS or not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise _wrong(path, "it does not begin like a matrix")
    # There are three sizes at least, those that are not needed being 1.
    size_bytes = 4 * max(3, dimensions)
    sizes = np.frombuffer(file.read(size_bytes).ljust(size_bytes, b"\0"), "<i4").tolist()
    return _KINDS[magic], tuple(sizes[:dimensions]), 8 + size_bytes


def _last_bytes(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        file.seek(-count, 2)
        return file.read()


def _is_filled(grid: FactorGrid, factors: np.ndarray) -> bool:
    """Whether factors have each combination of a grid exactly once, in whatever order."""
    if len(grid) != len(factors):
        return False
    return len(np.unique(grid.indices(factors))) == len(grid)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[gzip.GzipFile]:
    """Unpacks a file and turns every way in which that fails into one error."""
    try:
        with gzip.open(path) as file:
            yield file
    except EOFError:
        raise FailureError(
            f"{path} is truncated: it has {path.stat().st_size:,} bytes, and its compressed "
            "stream does not end there. Download it again."
        ) from None
    except (OSError, ValueError, zlib.error) as error:
        if isinstance(error, OSError) and error.strerror:
            raise FailureError(f"{path} cannot be read: {error.strerror}.") from None
        raise FailureError(
            f"{path} ({path.stat().st_size:,} bytes) is damaged or no gzip file: {error}. "
            "Download it again."
        ) from None


def _wrong(path: Path, what: str) -> FailureError:
    return FailureError(
        f"{path} is not the SmallNORB file that was expected: {what}. Download it again."
    )
