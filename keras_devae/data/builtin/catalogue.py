"""The built-in data sets by name."""

import contextlib
from pathlib import Path

from keras_devae.data.builtin.cars3d import CARS3D
from keras_devae.data.builtin.declaration import BuiltinSet
from keras_devae.data.builtin.dsprites import DSPRITES
from keras_devae.data.builtin.mpi3d import MPI3D_REAL, MPI3D_REALISTIC, MPI3D_TOY
from keras_devae.data.builtin.shapes3d import SHAPES3D
from keras_devae.data.builtin.small_norb import SMALL_NORB
from keras_devae.errors import unknown_name

_SETS = (DSPRITES, SHAPES3D, CARS3D, SMALL_NORB, MPI3D_TOY, MPI3D_REALISTIC, MPI3D_REAL)
BUILTIN_SETS = {each.name: each for each in _SETS}


def builtin_set(name: str) -> BuiltinSet:
    """Returns the declaration of a data set; raises `UsageError` with the close matches."""
    if not isinstance(name, str) or name not in BUILTIN_SETS:
        raise unknown_name("data set", name, BUILTIN_SETS, _own_names(name))
    return BUILTIN_SETS[name]


def _own_names(path: object) -> list[str]:
    """Returns names of a user's own images, if a path in place of a name leads to some."""
    if not isinstance(path, str) or not path.strip() or ":" in path:
        return []
    found = []
    # What cannot be a path is not there.
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        place = Path(path).expanduser()
        if place.is_dir():
            found.append(f"folder:{path}")
        for kind in ("npz", "npy"):
            if place.suffix.lower() == f".{kind}" and place.is_file():
                found.append(f"{kind}:{path}")
            elif place.with_name(f"{place.name}.{kind}").is_file():
                found.append(f"{kind}:{path}.{kind}")
    return found


def names() -> tuple[str, ...]:
    """Returns the names of the built-in data sets."""
    return tuple(BUILTIN_SETS)
