"""The published Cars3D file: a .tar.gz of one MATLAB file for each car, and of other things."""

import contextlib
import dataclasses
import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from keras_devae.data.factor_grid import FactorGrid
from keras_devae.errors import FailureError

_LIST = "data/cars/list.txt"
_CAR = re.compile(r"data/cars/(car_\w+_mesh)\.mat")
_ELEVATIONS, _AZIMUTHS = 4, 24
_IMAGES_PER_CAR = _ELEVATIONS * _AZIMUTHS
_STORED_SHAPE = (128, 128, 3, _AZIMUTHS, _ELEVATIONS)
_BLOCK = 2**20


@dataclasses.dataclass(frozen=True)
class _Member:
    """Where a file lies in the unpacked stream."""

    name: str
    offset: int
    size: int


class Cars3DFile:
    """Reads a file in the format of `nips2015-analogy-data.tar.gz`.

    Only `data/cars/car_*_mesh.mat`, of which each holds 96 views of a car (`im`, uint8
    `(128, 128, 3, 24, 4)`), and `data/cars/list.txt`, which orders the cars, are looked at; the
    file has sprites and shapes besides. The images leave in the order in which the archive has
    the cars, so that it is unpacked from its start to its end. It is so once when it is opened,
    too, and nothing of it is written to disk.

    Args:
        path: The file.

    Attributes:
        factors: int64 array of shape `(n, 3)`. The type of an object is the place of its name in
            the list, or among the sorted names where there is no list.
        grid: Grid that the images fill, in another order.

    Raises:
        FailureError: If the file is truncated, damaged or in another format.
    """

    factor_names: ClassVar = ("elevation", "azimuth", "object_type")
    image_shape: ClassVar = (128, 128, 3)
    row_shape: ClassVar = (128, 128, 3)
    is_packed: ClassVar = False

    def __init__(self, path: Path):
        self.path = path
        self._cars, listed = self._read_members()
        if not self._cars:
            raise self._wrong("it has no member 'data/cars/car_*_mesh.mat'")
        types = self._object_types(listed)
        sizes = (_ELEVATIONS, _AZIMUTHS, len(types))
        self.grid = FactorGrid(self.factor_names, sizes)
        views = np.indices(sizes[:2]).reshape(2, -1).T
        types = np.repeat(types, len(views))
        self.factors = np.column_stack([np.tile(views, (len(self._cars), 1)), types])

    def __len__(self) -> int:
        return len(self.factors)

    def chunks(self, start: int = 0) -> Iterator[np.ndarray]:
        """Yields the images from one on in order, as uint8 arrays `(rows, 128, 128, 3)`."""
        first, skipped = divmod(start, _IMAGES_PER_CAR)
        with self._opened() as file:
            for car in self._cars[first:]:
                file.seek(car.offset)
                content = file.read(car.size)
                yield np.ascontiguousarray(self._views(car.name, content)[skipped:])
                skipped = 0

    @contextlib.contextmanager
    def _opened(self) -> Iterator[gzip.GzipFile]:
        """Unpacks the file and turns every way in which that fails into one error."""
        try:
            with gzip.open(self.path) as file:
                yield file
        except (EOFError, OSError, ValueError, zlib.error, tarfile.TarError) as error:
            raise self._unreadable(error) from None

    def _read_members(self) -> tuple[list[_Member], list[str] | None]:
        """Returns the cars in the order of the archive, and the names in its list, if any."""
        cars, listed = {}, None
        with self._opened() as file:
            # An uncompressed archive in a file that unpacks: places count in the unpacked stream.
            with tarfile.open(fileobj=file, mode="r:") as archive:
                for member in archive:
                    name = member.name.removeprefix("./")
                    if not member.isreg():
                        continue
                    if name == _LIST:
                        listed = archive.extractfile(member).read().decode("latin-1").split()
                    elif match := _CAR.fullmatch(name):
                        if match[1] in cars:
                            raise self._wrong(f"it has {name!r} twice")
                        self._check_car(name, archive.extractfile(member).read())
                        cars[match[1]] = _Member(name, member.offset_data, member.size)
            # The checksum is at the very end of the stream, behind the end of the archive.
            while file.read(_BLOCK):
                pass
        return list(cars.values()), listed

    def _object_types(self, listed: list[str] | None) -> list[int]:
        """Numbers the cars, which are in the order of the archive."""
        names = [_CAR.fullmatch(car.name)[1] for car in self._cars]
        order = sorted(names) if listed is None else listed
        for name in order:
            if name not in names:
                raise self._wrong(f"its list names {name!r}, of which it has no images")
        for name in names:
            if order.count(name) != 1:
                raise self._wrong(f"its list names {name!r} {order.count(name)} times")
        return [order.index(name) for name in names]

    def _check_car(self, name: str, content: bytes) -> None:
        """Compares what the header of a MATLAB file announces with what is expected."""
        # Imported where it is needed: most runs read no MATLAB files.
        from scipy.io import whosmat

        with self._parsing(name):
            variables = {key: (kind, shape) for key, shape, kind in whosmat(io.BytesIO(content))}
        if "im" not in variables:
            raise self._wrong(f"{name!r} has no array 'im'")
        self._check_kind(name, *variables["im"])

    def _check_kind(self, name: str, kind: object, shape: tuple[int, ...]) -> None:
        if kind != "uint8" or shape != _STORED_SHAPE:
            raise self._wrong(f"'im' in {name!r} is {kind} {shape} and not uint8 {_STORED_SHAPE}")

    def _views(self, name: str, content: bytes) -> np.ndarray:
        """Returns the images `(96, 128, 128, 3)` of a car, the azimuth fastest."""
        from scipy.io import loadmat

        with self._parsing(name):
            images = loadmat(io.BytesIO(content), variable_names=["im"])["im"]
        self._check_kind(name, images.dtype, images.shape)
        return images.transpose(4, 3, 0, 1, 2).reshape(-1, *self.row_shape)

    @contextlib.contextmanager
    def _parsing(self, name: str) -> Iterator[None]:
        """Turns whatever SciPy's parser says to a broken file into one error."""
        try:
            yield
        except Exception as error:
            raise FailureError(
                f"{self.path} is damaged: its member {name!r} is no readable MATLAB file "
                f"({error or type(error).__name__}). Download it again."
            ) from None

    def _wrong(self, what: str) -> FailureError:
        return FailureError(f"{self.path} is not a Cars3D file: {what}. Download it again.")

    def _unreadable(self, error: Exception) -> FailureError:
        if isinstance(error, OSError) and error.strerror:
            return FailureError(f"{self.path} cannot be read: {error.strerror}.")
        size = self.path.stat().st_size
        if isinstance(error, EOFError):
            return FailureError(
                f"{self.path} is truncated: it has {size:,} bytes, and its compressed stream does "
                "not end there. Download it again."
            )
        return FailureError(
            f"{self.path} ({size:,} bytes) is damaged or no .tar.gz file: {error}. "
            "Download it again."
        )
