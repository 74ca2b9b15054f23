"""The published Cars3D file: a .tar.gz with one MATLAB file per car, among other files."""

import contextlib
import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from keras_devae.checks import Array
from keras_devae.data.builtin.declaration import BuiltinSet, PublishedFile
from keras_devae.data.builtin.file_format import FileFormat, opened_gzip
from keras_devae.data.factor_grid import FactorGrid
from keras_devae.errors import FailureError

_LIST = "data/cars/list.txt"
_CAR = re.compile(r"data/cars/(car_\w+_mesh)\.mat")
_ELEVATIONS, _AZIMUTHS = 4, 24
_IMAGES_PER_CAR = _ELEVATIONS * _AZIMUTHS
_STORED_SHAPE = (128, 128, 3, _AZIMUTHS, _ELEVATIONS)
_BLOCK = 2**20


class _Car(NamedTuple):
    """A car's file: the name of the car, its path in the archive, and its place in the stream."""

    name: str
    path: str
    offset: int
    size: int


class Cars3DFile(FileFormat):
    """Reads a file in the format of `nips2015-analogy-data.tar.gz`.

    Only two kinds of members are used: `data/cars/car_*_mesh.mat`, each with 96 views of a car
    (`im`, uint8 `(128, 128, 3, 24, 4)`), and `data/cars/list.txt`, which orders the cars. Images
    come in the archive's order of cars, so the archive is unpacked from start to end, once when
    it is opened and once for the images, and never to disk. The `object_type` in `factors` is the
    position of a car's name in the list, or among the sorted names if there is no list.
    """

    factor_names: ClassVar = ("elevation", "azimuth", "object_type")
    image_shape: ClassVar = (128, 128, 3)

    def __init__(self, path: Path):
        self.path = path
        self._cars, listed = self._read_members()
        if not self._cars:
            raise self._wrong("it has no member 'data/cars/car_*_mesh.mat'")
        types = self._object_types(listed)
        self.grid = FactorGrid(self.factor_names, (_ELEVATIONS, _AZIMUTHS, len(types)))
        views = np.indices((_ELEVATIONS, _AZIMUTHS)).reshape(2, -1).T
        self.factors = np.column_stack(
            [np.tile(views, (len(types), 1)), np.repeat(types, len(views))]
        )

    def chunks(self, start: int = 0) -> Iterator[Array]:
        """Yields the images in order; see `FileFormat.chunks`."""
        first, skipped = divmod(start, _IMAGES_PER_CAR)
        with opened_gzip(self.path, ".tar.gz") as file:
            for car in self._cars[first:]:
                file.seek(car.offset)
                content = file.read(car.size)
                yield np.ascontiguousarray(self._views(car.path, content)[skipped:])
                skipped = 0

    def _read_members(self) -> tuple[list[_Car], list[str] | None]:
        """Returns the cars in the order of the archive, and the names in its list, if any."""
        cars: dict[str, _Car] = {}
        listed = None
        with opened_gzip(self.path, ".tar.gz") as file:
            # tarfile reads the unpacked stream, so the offsets of members refer to that stream.
            with tarfile.open(fileobj=file, mode="r:") as archive:
                for member in archive:
                    path = member.name.removeprefix("./")
                    content = archive.extractfile(member) if member.isreg() else None
                    if content is None:
                        continue
                    if path == _LIST:
                        listed = content.read().decode("latin-1").split()
                    elif match := _CAR.fullmatch(path):
                        if match[1] in cars:
                            raise self._wrong(f"it has {path!r} twice")
                        self._check_car(path, content.read())
                        cars[match[1]] = _Car(match[1], path, member.offset_data, member.size)
            # The checksum is at the very end of the stream, after the end of the archive.
            while file.read(_BLOCK):
                pass
        return list(cars.values()), listed

    def _object_types(self, listed: list[str] | None) -> list[int]:
        """Returns the number of each car, in the order of the archive."""
        names = [car.name for car in self._cars]
        order = sorted(names) if listed is None else listed
        for name in order:
            if name not in names:
                raise self._wrong(f"its list names {name!r}, of which it has no images")
        for name in names:
            if order.count(name) != 1:
                raise self._wrong(f"its list names {name!r} {order.count(name)} times")
        return [order.index(name) for name in names]

    def _check_car(self, name: str, content: bytes) -> None:
        """Checks the array that the header of a MATLAB file declares."""
        # Imported here because most runs read no MATLAB files.
        from scipy.io import whosmat

        with self._parsing(name):
            variables = {key: (kind, shape) for key, shape, kind in whosmat(io.BytesIO(content))}
        if "im" not in variables:
            raise self._wrong(f"{name!r} has no array 'im'")
        self._check_kind(name, *variables["im"])

    def _check_kind(self, name: str, kind: object, shape: tuple[int, ...]) -> None:
        if kind != "uint8" or shape != _STORED_SHAPE:
            raise self._wrong(f"'im' in {name!r} is {kind} {shape} and not uint8 {_STORED_SHAPE}")

    def _views(self, name: str, content: bytes) -> Array:
        """Returns the images `(96, 128, 128, 3)` of a car, the azimuth fastest."""
        from scipy.io import loadmat

        with self._parsing(name):
            images = loadmat(io.BytesIO(content), variable_names=["im"])["im"]
        self._check_kind(name, images.dtype, images.shape)
        return images.transpose(4, 3, 0, 1, 2).reshape(-1, *self.image_shape)

    @contextlib.contextmanager
    def _parsing(self, name: str) -> Iterator[None]:
        """Turns any exception of SciPy's parser on a broken file into one kind of error."""
        try:
            yield
        except Exception as error:
            raise FailureError(
                f"{self.path} is damaged: its member {name!r} is not a readable MATLAB file "
                f"({error or type(error).__name__}). Download it again."
            ) from None

    def _wrong(self, what: str) -> FailureError:
        return FailureError(f"{self.path} is not a Cars3D file: {what}. Download it again.")


CARS3D = BuiltinSet(
    name="cars3d",
    title="Cars3D",
    grid=FactorGrid(Cars3DFile.factor_names, (4, 24, 183)),
    licence="none stated by its authors",
    citation=(
        "Scott Reed, Yi Zhang, Yuting Zhang and Honglak Lee. Deep Visual Analogy-Making. "
        "NeurIPS 2015."
    ),
    homepage="http://www.scottreed.info",
    files=(
        PublishedFile(
            "nips2015-analogy-data.tar.gz",
            "http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",
            # As listed by disent.
            md5="4e866a7919c1beedf53964e6f7a23686",
        ),
    ),
    file_format=Cars3DFile,
    image_sizes=(64, 128),
)
