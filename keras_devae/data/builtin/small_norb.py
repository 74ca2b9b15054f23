"""The published SmallNORB files: gzipped matrices of grey images of toys, and of their labels."""

import functools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from keras_devae.checks import Array
from keras_devae.data.builtin.declaration import BuiltinSet, PublishedFile
from keras_devae.data.builtin.file_format import ByteStream, FileFormat, opened_gzip, row_blocks
from keras_devae.data.factor_grid import FactorGrid, distinct_counts, ranks
from keras_devae.errors import FailureError, UsageError

_ROWS_AT_ONCE = 256
_CAMERAS = 2
#: Magic number at the start of a file -> type of its values.
_KINDS = {
    0x1E3D4C51: "float32",
    0x1E3D4C52: "packed",
    0x1E3D4C53: "float64",
    0x1E3D4C54: "int32",
    0x1E3D4C55: "uint8",
    0x1E3D4C56: "int16",
}
_MOST_DIMENSIONS = 8


class _Half(NamedTuple):
    """The three files of the training or the testing half, and their number of images."""

    images: Path
    categories: Path
    info: Path
    length: int


class SmallNORBFile(FileFormat):
    """Reads files in the format of `smallnorb-5x46789x9x18x6x2x96x96-training-dat.mat.gz`.

    The six `paths` are `dat`, `cat` and `info` for training, then for testing: uint8
    `(n, 2, 96, 96)` from two cameras, only the first of which is used; the category, int32 `(n,)`;
    and instance, elevation, azimuth and lighting, int32 `(n, 4)`. Images keep this order. `factors`
    are the labels; the values of each are numbered 0, 1, 2 ... in ascending order over both halves.
    """

    factor_names: ClassVar = ("category", "instance", "elevation", "azimuth", "lighting")
    image_shape: ClassVar = (96, 96, 1)

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
        # Each combination exactly once, in any order.
        is_filled = len(grid) == len(self.factors) == len(np.unique(grid.indices(self.factors)))
        self.grid = grid if is_filled else None

    @classmethod
    def check_file(cls, path: Path) -> None:
        """Checks one of the six files as far as it alone allows; raises `FailureError` if wrong."""
        with opened_gzip(path) as file:
            _check_length(path, *_read_header(path, file))

    def chunks(self, start: int = 0) -> Iterator[Array]:
        """Yields the images in order; see `FileFormat.chunks`."""
        for half in self._halves:
            if start < half.length:
                yield from self._chunks_of_half(half, start)
            start = max(0, start - half.length)

    def _chunks_of_half(self, half: _Half, start: int) -> Iterator[Array]:
        wrong = functools.partial(_wrong, half.images)
        with opened_gzip(half.images) as file:
            _read_header(half.images, file)
            rows, shape = range(start, half.length), (_CAMERAS, *self.image_shape)
            for pairs in row_blocks(file, rows, shape, _ROWS_AT_ONCE, wrong):
                yield np.ascontiguousarray(pairs[:, 0])
            # Reading past the last image makes gzip verify the checksum that follows it.
            if file.read(1):
                raise wrong("its images do not end where they should")


def _read_half(images: Path, categories: Path, info: Path) -> tuple[_Half, Array]:
    """Checks three files and returns them with their labels `(n, 5)`."""
    with opened_gzip(images) as file:
        length = _read_shape(images, file, "uint8", (_CAMERAS, 96, 96))[0]
    half = _Half(images, categories, info, length)
    labels = [
        _read_labels(categories, (), length, images).reshape(-1, 1),
        _read_labels(info, (4,), length, images),
    ]
    return half, np.concatenate(labels, axis=1)


def _read_labels(path: Path, row: tuple[int, ...], length: int, images: Path) -> Array:
    with opened_gzip(path) as file:
        shape = _read_shape(path, file, "int32", row)
        if shape[0] != length:
            raise _wrong(path, f"it has {shape[0]:,} rows, and {images.name} has {length:,}")
        # One byte more than there should be, so that gzip verifies the checksum.
        content = file.read(4 * math.prod(shape) + 1)
    if len(content) != 4 * math.prod(shape):
        raise _wrong(path, "its labels do not end where they should")
    return np.frombuffer(content, "<i4").reshape(shape)


def _read_shape(path: Path, file: ByteStream, kind: str, row: tuple[int, ...]) -> tuple[int, ...]:
    """Reads a header and checks that it declares rows of this type, and that all of them follow."""
    found, shape, header_bytes = _read_header(path, file)
    if found != kind or shape[1:] != row or shape[0] < 1:
        expected = f"(n, {', '.join(map(str, row))})" if row else "(n,)"
        raise _wrong(path, f"it holds {found} {shape} and not {kind} {expected}")
    _check_length(path, found, shape, header_bytes)
    return shape


def _check_length(path: Path, kind: str, shape: tuple[int, ...], header_bytes: int) -> None:
    expected = header_bytes + math.prod(shape) * np.dtype(kind).itemsize
    # A gzip file ends with the unpacked length, so truncation can be detected without unpacking.
    with path.open("rb") as file:
        file.seek(-4, 2)
        actual = int.from_bytes(file.read(), "little")
    if actual != expected % 2**32:
        raise FailureError(
            f"{path} ({path.stat().st_size:,} bytes) is truncated or damaged: it should unpack to "
            f"{expected:,} bytes and does not. Download it again."
        )


def _read_header(path: Path, file: ByteStream) -> tuple[str, tuple[int, ...], int]:
    """Returns the type of a matrix's values, its shape, and the length of its header."""
    content = file.read(8)
    magic, dimensions = np.frombuffer(content.ljust(8, b"\0"), "<i4").tolist()
    if magic not in _KINDS or not 1 <= dimensions <= _MOST_DIMENSIONS:
        raise _wrong(path, "it does not begin like a matrix")
    # There are at least three sizes; unused ones are 1.
    size_bytes = 4 * max(3, dimensions)
    sizes = np.frombuffer(file.read(size_bytes).ljust(size_bytes, b"\0"), "<i4").tolist()
    return _KINDS[magic], tuple(sizes[:dimensions]), 8 + size_bytes


def _wrong(path: Path, what: str) -> FailureError:
    return FailureError(
        f"{path} is not the SmallNORB file that was expected: {what}. Download it again."
    )


_HOMEPAGE = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/"
# Published loaders also use the longer name of the host.
_MIRROR = "http://www.cs.nyu.edu/~ylclab/data/norb-v1.0-small/"
_HALVES = {"training": "5x46789x9x18x6x2x96x96", "testing": "5x01235x9x18x6x2x96x96"}
# Bytes and SHA-256 as listed in the checksums of TensorFlow Datasets.
_HASHES = {
    "training-dat": (131896188, "5ffd6272a07d32695ee1082a26a41a93a37aab8c28da047f8c34ed348d214873"),
    "training-cat": (348, "2784e542c1922060691090952b6cd6278879a216c90f81476f0f00256d42cdaa"),
    "training-info": (71052, "de7eb932ebe7a4ee16217fead60660d0eb3d23632c2f4d1c51f88c501c17bf32"),
    "testing-dat": (130799817, "cf7104eed3e51174d2f65b66d1e5878b9da233b886f161b0d88f4510ba2c7474"),
    "testing-cat": (347, "ecaf6d5bb8c3bc5eab9cf0258f6d2198dd474e016e374836fc097f2e5ff509ff"),
    "testing-info": (10428, "16adf314226327ee006d1a44db8cfef52773c06c829951d5653a9f6f310248a2"),
}


def _published(part: str) -> PublishedFile:
    name = f"smallnorb-{_HALVES[part.partition('-')[0]]}-{part}.mat.gz"
    return PublishedFile(name, _HOMEPAGE + name, *_HASHES[part], mirrors=(_MIRROR + name,))


SMALL_NORB = BuiltinSet(
    name="smallnorb",
    title="SmallNORB",
    grid=FactorGrid(SmallNORBFile.factor_names, (5, 10, 9, 18, 6)),
    licence="for research purposes, not to be sold",
    citation=(
        "Yann LeCun, Fu Jie Huang and Leon Bottou. Learning Methods for Generic Object "
        "Recognition with Invariance to Pose and Lighting. CVPR 2004."
    ),
    homepage=_HOMEPAGE,
    files=tuple(map(_published, _HASHES)),
    file_format=SmallNORBFile,
    image_sizes=(64, 96),
    factor_labels={
        "category": ("animal", "human", "airplane", "truck", "car"),
        "elevation": tuple(f"{degrees}°" for degrees in range(30, 71, 5)),
        "azimuth": tuple(f"{degrees}°" for degrees in range(0, 341, 20)),
    },
    nominal_factors=("category", "instance", "lighting"),
)
