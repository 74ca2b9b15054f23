"""The base class of the readers of published files, and helpers that several readers share."""

import abc
import contextlib
import gzip
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

from keras_devae.checks import Array
from keras_devae.data.factor_grid import FactorGrid
from keras_devae.errors import FailureError


class FileFormat(abc.ABC):
    """Reads the published files of a data set.

    A subclass is called with the paths of all files, in the order of the declaration. It checks the
    files, raises a `FailureError` that names the file if one is damaged or in another format, and
    sets `factors` and `grid`.

    Attributes:
        factor_names: Names of the factors, the columns of `factors`.
        image_shape: `(height, width, channels)` as published.
        is_packed: Whether `chunks` yields binary images as packed bits. Default: `False`.
        factors: int64 array of shape `(n, f)`, in the order of the files.
        grid: Grid that the images fill, in any order, or `None`.
        can_stream: Whether `read_rows` can serve shuffled batches from the file. Default: `False`.
        chunk_rows: Number of images that the file compresses together. Default: 1.
    """

    factor_names: ClassVar[tuple[str, ...]]
    image_shape: ClassVar[tuple[int, int, int]]
    is_packed: ClassVar[bool] = False
    factors: Array
    grid: FactorGrid | None
    can_stream: bool = False
    chunk_rows: int = 1

    @abc.abstractmethod
    def __init__(self, *paths: Path): ...

    def __len__(self) -> int:
        return len(self.factors)

    @classmethod
    def stored_shape(cls, image_size: int) -> tuple[int, ...]:
        """Returns the shape of one stored image at a size."""
        height, width, channels = cls.image_shape
        return (height * width // 8,) if cls.is_packed else (image_size, image_size, channels)

    @classmethod
    def check_file(cls, path: Path) -> None:
        """Checks one file as far as it alone allows; raises `FailureError` if it is wrong."""
        cls(path)

    @abc.abstractmethod
    def chunks(self, start: int = 0) -> Iterator[Array]:
        """Yields uint8 images `(rows, *image_shape)` or packed bits, starting at row `start`."""

    def read_rows(self, rows: Array) -> Array:
        """Returns images by row number, in any order, if `can_stream` is true."""
        raise NotImplementedError


class ByteStream(Protocol):
    """A file, or a member of an archive, opened for reading."""

    def read(self, size: int = -1, /) -> bytes:
        """Reads up to `size` bytes, all of them by default."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Moves to a place in the stream."""


def row_blocks(
    file: ByteStream,
    rows: range,
    shape: tuple[int, ...],
    block_rows: int,
    wrong: Callable[[str], FailureError],
) -> Iterator[Array]:
    """Yields a stream, positioned at row 0, as uint8 `(block_rows, *shape)`, the last one smaller.

    `wrong` builds the error for a stream that ends too early.
    """
    row_bytes = int(np.prod(shape))
    file.seek(rows.start * row_bytes, 1)
    for start in range(rows.start, rows.stop, block_rows):
        count = min(block_rows, rows.stop - start)
        content = file.read(count * row_bytes)
        if len(content) < count * row_bytes:
            raise wrong("its images end too early")
        yield np.frombuffer(content, np.uint8).reshape(count, *shape)


@contextlib.contextmanager
def opened_gzip(path: Path, kind: str = "gzip") -> Iterator[gzip.GzipFile]:
    """Opens a compressed file; any failure to read it raises the same kind of error."""
    try:
        with gzip.open(path) as file:
            yield file
    except (EOFError, OSError, ValueError, zlib.error, tarfile.TarError) as error:
        if isinstance(error, OSError) and error.strerror:
            raise FailureError(f"{path} cannot be read: {error.strerror}.") from None
        size = path.stat().st_size
        if isinstance(error, EOFError):
            raise FailureError(
                f"{path} is truncated: it has {size:,} bytes, and its compressed stream does not "
                "end there. Download it again."
            ) from None
        raise FailureError(
            f"{path} ({size:,} bytes) is damaged or not a {kind} file: {error}. Download it again."
        ) from None
