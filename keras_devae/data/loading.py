"""Data sets by name."""

import zipfile
from pathlib import Path

from keras_devae.data.dataset import Dataset, SubgridDataset
from keras_devae.data.factor_grid import FactorGrid
from keras_devae.data.official import OFFICIAL_SETS, OfficialSet, data_directory, official_set
from keras_devae.data.preparing import fetch, find_file
from keras_devae.data.rendered import RenderedDataset, check_image_size
from keras_devae.data.store import has_store, open_file, open_store, write_store
from keras_devae.data.user_files import from_folder, from_npz
from keras_devae.errors import UsageError, unknown_name

SOURCES = ("auto", "official", "rendered")
OFFICIAL_IMAGE_SIZE = 64


def names() -> tuple[str, ...]:
    """Returns the names of the built-in data sets."""
    return tuple(OFFICIAL_SETS)


def info(name: str, data_dir: str | Path | None = None) -> dict:
    """Describes a built-in data set.

    Args:
        name: One of `names()`.
        data_dir: Where prepared data is looked for; see `prepare`.

    Returns:
        A dictionary with `name`, `title`, `factors` (name to number of values), `images`,
        `image_shape`, `licence`, `citation`, `file`, `url`, `bytes` and `sha256` (`None` where
        not known) of the published file, `prepared` (whether it is prepared here) and `path`
        (where it is or would be prepared).

    Raises:
        UsageError: If the name is unknown.
    """
    official = official_set(name)
    grid = official.renderer.grid
    store = data_directory(data_dir) / name
    return {
        "name": name,
        "title": official.title,
        "factors": dict(zip(grid.names, grid.sizes, strict=True)),
        "images": len(grid),
        "image_shape": official.file_format.image_shape,
        "licence": official.licence,
        "citation": official.citation,
        "file": official.file_name,
        "url": official.url,
        "bytes": official.num_bytes,
        "sha256": official.sha256,
        "prepared": has_store(store),
        "path": str(store),
    }


def has_factors(name: str) -> bool:
    """Tells whether a data set comes with factors, without reading its images.

    Args:
        name: A name as in `load`.
    """
    kind, colon, file = str(name).partition(":")
    if kind == "folder":
        return (Path(file).expanduser() / "factors.csv").is_file()
    if kind == "npz" and zipfile.is_zipfile(Path(file).expanduser()):
        with zipfile.ZipFile(Path(file).expanduser()) as archive:
            return "factors.npy" in archive.namelist()
    return not colon


def load(
    name: str,
    source: str = "auto",
    data_dir: str | Path | None = None,
    path: str | Path | None = None,
    image_size: int | None = None,
    drop_duplicate_orientation: bool = False,
) -> Dataset:
    """Returns a data set by name.

    Args:
        name: `"dsprites"`, `"shapes3d"`, `"npz:PATH"` (see `from_npz`) or `"folder:PATH"` (see
            `from_folder`). The other arguments but `image_size` belong to the first two.
        source: `"auto"` takes the published images where they have been prepared on this machine
            and draws them otherwise; `"official"` takes the published ones and fetches them if
            need be; `"rendered"` draws them and never looks. Default: `"auto"`. The data set's
            `description` says which it was.
        data_dir: Where prepared and downloaded data is; see `prepare`.
        path: The published file, or a folder with it or with its conversion; read as it is, and
            never downloaded.
        image_size: Pixels a side. Default: 64. Drawn images may have 32, 64 or 128, published
            ones have 64, a folder of pictures needs to be told, and those of an .npz file are not
            resized.
        drop_duplicate_orientation: dSprites has 40 orientations of which the last is the first
            again, after a full turn. `True` leaves the last out: sizes (3, 6, 39, 32, 32) and
            718,848 images in the same order. Default: `False`, all 737,280.

    Returns:
        A `Dataset`.

    Raises:
        UsageError: If a name, an option or a path is wrong.
        FailureError: If a file is damaged or cannot be fetched.

    Example:
        >>> load("dsprites", source="rendered").description
        'dsprites: built-in renderer, version 1, 737,280 images of 64x64x1'
    """
    if source not in SOURCES:
        raise unknown_name("data source", source, SOURCES)
    kind, colon, file = str(name).partition(":")
    if colon:
        if (source, path, drop_duplicate_orientation) != ("auto", None, False):
            raise UsageError(
                f"The options source, path and drop_duplicate_orientation belong to "
                f"{' and '.join(names())}. Received: {name!r} with one of them."
            )
        return _load_own(kind, file, image_size)
    dataset = _load_built_in(official_set(name), source, data_dir, path, image_size)
    return without_duplicate_orientation(dataset) if drop_duplicate_orientation else dataset


def without_duplicate_orientation(dataset: Dataset) -> Dataset:
    """Leaves out the last orientation of dSprites, which repeats the first; see `load`.

    Raises:
        UsageError: If the data set is not dSprites with all 40 orientations.
    """
    grid = dataset.grid
    sizes = {} if grid is None else dict(zip(grid.names, grid.sizes, strict=True))
    if dataset.name != "dsprites" or sizes.get("orientation") != 40:
        raise UsageError(
            "Only dSprites with all its 40 orientations has one to leave out. "
            f"Received: {dataset.description}."
        )
    smaller = FactorGrid(grid.names, tuple((sizes | {"orientation": 39}).values()))
    return SubgridDataset(dataset, smaller, {"drop_duplicate_orientation": True})


def _load_own(kind: str, file: str, image_size: int | None) -> Dataset:
    if kind == "npz":
        return from_npz(file, image_size)
    if kind == "folder":
        return from_folder(file, image_size)
    raise unknown_name("data set", f"{kind}:", (*names(), "npz:PATH", "folder:PATH"))


def _load_built_in(
    official: OfficialSet,
    source: str,
    data_dir: str | Path | None,
    path: str | Path | None,
    image_size: int | None,
) -> Dataset:
    size = check_image_size(OFFICIAL_IMAGE_SIZE if image_size is None else image_size)
    if path is not None and source == "rendered":
        raise UsageError(f"Drawn images are not read from a path. Received: path={str(path)!r}.")
    if size != OFFICIAL_IMAGE_SIZE and (source == "official" or path is not None):
        raise UsageError(
            f"The published images have {OFFICIAL_IMAGE_SIZE} pixels a side; others can only be "
            f"drawn, with source='rendered'. Received: image_size={size}."
        )
    if path is not None:
        return _load_path(official, Path(path).expanduser())
    if source == "rendered":
        return RenderedDataset(official.renderer(size))
    if source == "official":
        return _load_official(official, data_directory(data_dir))
    if size != OFFICIAL_IMAGE_SIZE:
        return RenderedDataset(official.renderer(size), "the official file has 64x64 only")
    store = data_directory(data_dir) / official.name
    if has_store(store):
        return open_store(official, store)
    return RenderedDataset(official.renderer(size), "the official file is not prepared here")


def _load_path(official: OfficialSet, path: Path) -> Dataset:
    for folder in (path, path / official.name):
        if has_store(folder):
            return open_store(official, folder)
    return open_file(official, find_file(official, path))


def _load_official(official: OfficialSet, root: Path) -> Dataset:
    store, file = root / official.name, root / official.file_name
    if has_store(store):
        return open_store(official, store)
    if not file.is_file():
        fetch(official, file, None, None, looked_for_at=[store, file])
    write_store(official, file, store)
    return open_store(official, store)
