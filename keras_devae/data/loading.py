"""Data sets by name."""

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path

from keras_devae.checks import at_least, flag, function_or_none, path_of, texts
from keras_devae.data.builtin.official import (
    IMAGE_SIZE,
    OFFICIAL_SETS,
    OfficialSet,
    data_directory,
    listed,
    official_set,
)
from keras_devae.data.builtin.rendered import RenderedDataset, check_image_size
from keras_devae.data.dataset import Dataset, Progress, SubgridDataset
from keras_devae.data.factor_grid import FactorGrid
from keras_devae.data.outlines import (
    outline_of_arrays,
    outline_of_folder,
    outline_of_official,
)
from keras_devae.data.own.user_files import from_folder, from_npy, from_npz
from keras_devae.data.store.arrays_on_disk import (
    facts_of,
    has_store,
    open_files,
    open_store,
    store_record,
)
from keras_devae.data.store.preparing import find_files, prepare
from keras_devae.data.variants import apply as apply_variants
from keras_devae.data.variants import check as check_specifications
from keras_devae.data.variants import select_factors
from keras_devae.errors import UsageError, unknown_name

SOURCES = ("auto", "official", "rendered")
#: What stands before the colon of one's own images.
OWN_KINDS = ("npz", "npy", "folder")


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
        `image_shape`, `image_sizes` (pixels a side that it can be prepared in), `drawn` (whether
        the package can draw it), `licence`, `citation`, `homepage`, `files` (of each published
        file `name`, `url`, `num_bytes`, `sha256` and `md5`, `None` where not known), `prepared`
        (the path of each size that is prepared here, with what it was made from) and `path` (where
        it is or would be prepared).

    Raises:
        UsageError: If the name is unknown.
    """
    official = official_set(name)
    root = data_directory(data_dir)
    stores = {size: official.store(root, size) for size in official.image_sizes}
    return {
        "name": name,
        "title": official.title,
        "factors": dict(zip(official.grid.names, official.grid.sizes, strict=True)),
        "images": len(official.grid),
        "image_shape": official.image_shape(official.image_sizes[0]),
        "image_sizes": official.image_sizes,
        "drawn": official.renderer is not None,
        "licence": official.licence,
        "citation": official.citation,
        "homepage": official.homepage,
        "files": [dataclasses.asdict(file) for file in official.files],
        "prepared": {
            str(store): dataclasses.asdict(facts_of(store_record(store)))
            for store in stores.values()
            if has_store(store)
        },
        "path": str(official.store(root)),
    }


def load(
    name: str,
    source: str = "auto",
    data_dir: str | Path | None = None,
    path: str | Path | None = None,
    image_size: int | None = None,
    drop_duplicate_orientation: bool = False,
    factors: Sequence[str] | None = None,
    variants: Sequence[str] | None = None,
    factors_file: str | Path | None = None,
    bins: dict[str, int] | None = None,
    skip_damaged: bool = False,
    fetch: bool = True,
    progress: Progress | None = None,
) -> Dataset:
    """Returns a data set by name.

    Args:
        name: One of `names()`; or `"npz:PATH"`, `"npy:PATH"` or `"folder:PATH"` for images of
            your own, see `from_npz`, `from_npy` and `from_folder`.
        source: `"auto"` takes the published images where they have been prepared on this machine
            and draws them otherwise (dSprites, 3D Shapes); `"official"` takes the published ones
            and fetches them if need be; `"rendered"` draws them and never looks. Default:
            `"auto"`. The data set's `description` says which it was.
        data_dir: Where prepared and downloaded data is; see `prepare`.
        path: The published file, or a folder with it or with its conversion; read as it is, and
            never downloaded.
        image_size: Pixels a side. Default: 64. Drawn images may have 32, 64 or 128, published
            ones what `info(name)["image_sizes"]` lists, a folder of pictures needs to be told, and
            arrays are not resized.
        drop_duplicate_orientation: dSprites has 40 orientations of which the last is the first
            again, after a full turn. `True` leaves the last out: sizes (3, 6, 39, 32, 32) and
            718,848 images in the same order. Default: `False`, all 737,280.
        factors: Factors that go on varying, and `"name=value"` for others to hold at a value; see
            `variants.select_factors`. Default: all vary.
        variants: Variants to apply, in order, as `variants.apply` takes them, e.g. `["colour"]`.
            Default: none.
        factors_file: A file of the factors of your own images, see `from_folder`.
        bins: For continuous factors of your own images, name to number of bins.
        skip_damaged: Whether damaged pictures of a folder are left out, with a warning. Default:
            `False`, they are an error.
        fetch: Whether `source="official"` may fetch and convert what is not prepared. Default:
            `True`.
        progress: Called with what is done, what is to do, and what it is, if that takes long.

    Returns:
        A `Dataset`.

    Raises:
        UsageError: If a name, an option or a path is wrong.
        FailureError: If a file is damaged or cannot be fetched.

    Example:
        >>> load("dsprites", source="rendered").description
        'dsprites: built-in renderer, version 1, 737,280 images of 64x64x1'
    """
    own = {"factors_file": factors_file, "bins": bins, "skip_damaged": skip_damaged}
    kind, file = _checked_kind(name, source, path, drop_duplicate_orientation, own)
    changes = (drop_duplicate_orientation, factors, _checked_variants(variants))
    function_or_none("progress", progress)
    if not kind:
        arguments = (source, data_dir, path, image_size, fetch, progress)
        return _changed(_load_official_set(official_set(name), *arguments), *changes)
    with warnings.catch_warnings():
        # Each of them comes again with the images.
        warnings.simplefilter("ignore")
        outlined = _outline_own(kind, file, image_size, own)
        if outlined is not None:
            # What cannot be made of these images is known before they are read.
            _changed(outlined, *changes)
    return _changed(_load_own(kind, file, image_size, own, progress), *changes)


def outline(
    name: str,
    source: str = "auto",
    data_dir: str | Path | None = None,
    image_size: int | None = None,
    drop_duplicate_orientation: bool = False,
    factors: Sequence[str] | None = None,
    variants: Sequence[str] | None = None,
    factors_file: str | Path | None = None,
    bins: dict[str, int] | None = None,
    skip_damaged: bool = False,
) -> Dataset:
    """Returns what is known of a data set before its images are read, decoded or fetched.

    Args:
        name: As for `load`, and so are all the others.
        source: See `load`.
        data_dir: See `load`.
        image_size: See `load`.
        drop_duplicate_orientation: See `load`.
        factors: See `load`.
        variants: See `load`.
        factors_file: See `load`.
        bins: See `load`.
        skip_damaged: See `load`.

    Returns:
        A `Dataset` like that of `load`, but black. Of a published set it is the whole.

    Raises:
        UsageError: As for `load`.
        FailureError: If a file is damaged, as far as its header says.
    """
    own = {"factors_file": factors_file, "bins": bins, "skip_damaged": skip_damaged}
    kind, file = _checked_kind(name, source, None, drop_duplicate_orientation, own)
    changes = (drop_duplicate_orientation, factors, _checked_variants(variants))
    if kind:
        dataset = _outline_own(kind, file, image_size, own)
        if dataset is None:
            dataset = _load_own(kind, file, image_size, own, None)
    elif source == "official":
        official = official_set(name)
        dataset = outline_of_official(official, official.check_size(image_size))
    else:
        dataset = _load_official_set(
            official_set(name), source, data_dir, None, image_size, False, None
        )
    return _changed(dataset, *changes)


def _checked_kind(name, source, path, drop_duplicate_orientation, own) -> tuple[str, str]:
    """Returns the kind and the file of one's own images, two empty texts for a built-in set."""
    if not isinstance(source, str) or source not in SOURCES:
        raise unknown_name("data source", source, SOURCES)
    if not isinstance(name, str):
        raise UsageError(
            f"A data set is named by a text, e.g. 'dsprites' or 'folder:PATH'. Received: {name!r}."
        )
    flag("drop_duplicate_orientation", drop_duplicate_orientation)
    flag("skip_damaged", own["skip_damaged"])
    path = None if path is None else path_of("path", path)
    if own["factors_file"] is not None:
        path_of("factors_file", own["factors_file"])
    kind, colon, file = name.partition(":")
    if colon:
        if (source, path, drop_duplicate_orientation) != ("auto", None, False):
            raise UsageError(
                "The options `source`, `path` and `drop_duplicate_orientation` belong to "
                f"{listed(names(), 'and')}. Received: {name!r} with one of them."
            )
        return kind, file
    if any(value is not None and value is not False for value in own.values()):
        raise UsageError(
            "The options `factors_file`, `bins` and `skip_damaged` belong to images of your own. "
            f"Received: {name!r} with one of them."
        )
    return "", ""


def _checked_variants(variants: Sequence[str] | None) -> Sequence[str]:
    variants = () if variants is None else variants
    # A generator can be gone through only once.
    variants = texts("variants", variants)
    check_specifications(variants)
    return variants


def _changed(
    dataset: Dataset,
    drop_duplicate_orientation: bool,
    factors: Sequence[str] | None,
    variants: Sequence[str],
) -> Dataset:
    if drop_duplicate_orientation:
        dataset = without_duplicate_orientation(dataset)
    if factors is not None:
        dataset = select_factors(dataset, factors)
    return apply_variants(dataset, variants)


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


def _load_own(
    kind: str, file: str, image_size: int | None, own: dict, progress: Progress | None
) -> Dataset:
    if kind == "folder":
        return from_folder(file, image_size, **own, progress=progress)
    given = {name: value for name, value in own.items() if name != "skip_damaged"}
    return (from_npz if kind == "npz" else from_npy)(file, image_size, **given)


def _outline_own(kind: str, file: str, image_size: int | None, own: dict) -> Dataset | None:
    """Returns the outline of one's own images; `None` where only reading them tells."""
    if kind not in OWN_KINDS:
        kinds = ("npz:PATH", "npy:PATH", "folder:PATH")
        raise unknown_name("data set", f"{kind}:", (*names(), *kinds))
    if not file:
        raise UsageError(f"Name a file behind the colon, e.g. {kind}:PATH. Received: '{kind}:'.")
    path, arguments = path_of(kind, file), (image_size, own["factors_file"], own["bins"])
    if kind == "folder":
        return outline_of_folder(path, *arguments)
    if own["skip_damaged"]:
        raise UsageError(
            f"The option `skip_damaged` belongs to folders of pictures. Received: '{kind}:{file}'."
        )
    return outline_of_arrays(kind, path, *arguments)


def _load_official_set(
    official: OfficialSet,
    source: str,
    data_dir: str | Path | None,
    path: str | Path | None,
    image_size: int | None,
    fetch: bool,
    progress: Progress | None,
) -> Dataset:
    if image_size is not None:
        at_least("image_size", image_size, 1)
    if path is not None and source == "rendered":
        raise UsageError(f"Drawn images are not read from a path. Received: path={str(path)!r}.")
    if source == "rendered":
        return _drawn(official, image_size)
    if path is not None:
        return _load_path(official, path_of("path", path), official.check_size(image_size))
    if source == "official":
        size = official.check_size(image_size)
        store = official.store(data_directory(data_dir), size)
        if not fetch and not has_store(store):
            raise UsageError(
                f"{official.title} is not prepared at {store}. Prepare it with `keras-devae data "
                f"prepare {official.name}` and the same --image-size and --data-dir."
            )
        return open_store(
            official, prepare(official.name, data_dir=data_dir, image_size=size, progress=progress)
        )
    if official.renderer is not None and image_size not in (None, *official.image_sizes):
        sizes = listed([f"{size}x{size}" for size in official.image_sizes], "and")
        return _drawn(official, image_size, f"the official file has {sizes} only")
    store = official.store(data_directory(data_dir), official.check_size(image_size))
    if has_store(store):
        return open_store(official, store)
    return _drawn(official, image_size, "the official file is not prepared here")


def _drawn(official: OfficialSet, image_size: int | None, remark: str = "") -> Dataset:
    if official.renderer is None:
        raise UsageError(
            f"{official.title} cannot be drawn, and it is not prepared on this machine. Fetch and "
            f"convert it with `keras-devae data prepare {official.name}` (--from FILE if you have "
            f"{official.file_names}), or choose source='official'."
        )
    size = check_image_size(IMAGE_SIZE if image_size is None else image_size)
    return RenderedDataset(official.renderer(size), remark)


def _load_path(official: OfficialSet, path: Path, image_size: int) -> Dataset:
    for folder in (path, official.store(path, image_size)):
        if has_store(folder) and _is_of(store_record(folder), official, image_size):
            return open_store(official, folder)
    return open_files(official, find_files(official, path), image_size)


def _is_of(record: dict, official: OfficialSet, image_size: int) -> bool:
    return (record["name"], record["image_size"]) == (official.name, image_size)
