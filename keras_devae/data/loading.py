"""Loading data sets by name."""

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from keras_devae.checks import flag, function_or_none, path_of, texts
from keras_devae.data.builtin.catalogue import builtin_set, names
from keras_devae.data.builtin.declaration import BuiltinSet, enumeration
from keras_devae.data.builtin.dsprites import without_duplicate_orientation
from keras_devae.data.dataset import Dataset, OutlinedDataset, Progress
from keras_devae.data.folders.folder import folder_has_factors, from_folder, outline_of_folder
from keras_devae.data.image_sizes import ImageSize, checked_size
from keras_devae.data.own.array_files import (
    from_npy,
    from_npz,
    npz_has_factors,
    outline_of_npy,
    outline_of_npz,
)
from keras_devae.data.own.factor_files import CSV_NAME, csv_has_factors
from keras_devae.data.own.factor_values import Reading
from keras_devae.data.store.preparing import data_directory, prepare
from keras_devae.data.store.published_files import find_files
from keras_devae.data.store.reading import has_store, open_files, open_store, store_record
from keras_devae.data.variants import apply as apply_variants
from keras_devae.data.variants import check as check_variants
from keras_devae.data.variants import select_factors
from keras_devae.errors import UsageError, unknown_name

#: Where the images of a built-in data set come from; `auto`: the published file if it is here.
SOURCES = ("auto", "official", "rendered")


class _OwnKind(NamedTuple):
    """The functions that read, outline, and look for factors in one kind of a user's images."""

    load: Callable[..., Dataset]
    outline: Callable[..., OutlinedDataset | None]
    has_factors: Callable[[Path], bool]


#: Prefix (before the colon) in the name of a user's own images -> how they are read.
OWN_KINDS = {
    "npz": _OwnKind(from_npz, outline_of_npz, npz_has_factors),
    "npy": _OwnKind(from_npy, outline_of_npy, lambda path: False),
    "folder": _OwnKind(from_folder, outline_of_folder, folder_has_factors),
}


def load(
    name: str,
    source: str = "auto",
    data_dir: str | Path | None = None,
    path: str | Path | None = None,
    image_size: ImageSize | str | None = None,
    drop_duplicate_orientation: bool = False,
    factors: Sequence[str] | None = None,
    variants: Sequence[str] | None = None,
    factors_file: str | Path | None = None,
    bins: dict[str, int] | None = None,
    skip_damaged: bool = False,
    factor_kinds: dict[str, str] | None = None,
    sequence_column: str | None = None,
    channels: int | None = None,
    cache: bool | None = None,
    fetch: bool = True,
    progress: Progress | None = None,
) -> Dataset:
    """Returns a data set by name.

    Args:
        name: One of `names()`; or `"npz:PATH"`, `"npy:PATH"` or `"folder:PATH"` for your own
            images, see `from_npz`, `from_npy` and `from_folder`.
        source: `"auto"` takes the published images if they have been prepared on this machine and
            draws them otherwise (dSprites, 3D Shapes); `"official"` takes the published ones and
            fetches them if necessary; `"rendered"` always draws them. Default: `"auto"`. The data
            set's `description` says which one was used.
        data_dir: Folder of prepared and downloaded data; see `prepare`.
        path: The published file, or a folder that holds it or its conversion; read where it is, and
            never downloaded.
        image_size: Pixels per side, or `(height, width)`, also as the text `"218x178"`. Drawn
            images may have 32, 64 (the default) or 128, published ones what
            `info(name)["image_sizes"]` lists. Your own images are fitted to it: cropped in the
            middle to its shape and resized. A folder of pictures without a size gets one by its
            pictures, see `from_folder`; arrays keep their own.
        drop_duplicate_orientation: Whether to omit the last of dSprites's 40 orientations, which
            repeats the first after a full turn: sizes (3, 6, 39, 32, 32) and 718,848 images in the
            same order. Default: `False`, all 737,280.
        factors: Factors that vary, and `"name=value"` for factors held at a value; see
            `variants.select_factors`. Default: all vary.
        variants: Variants to apply, in order, as `variants.apply` takes them, e.g. `["colour"]`.
            Default: none.
        factors_file: File with the factors of your own images, see `from_folder`.
        bins: Number of bins by name, for continuous factors of your own images.
        skip_damaged: Whether to leave out damaged pictures of a folder, with a warning. Default:
            `False`, they are an error.
        factor_kinds: What a factor of your own images is, by name, where its values do not show it:
            `"classes"`, `"numbers"`, `"continuous"` or `"ignore"`; see `from_arrays`.
        sequence_column: Column of the factors of your own images that says which belong to one
            sequence, and is no factor.
        channels: 1 to read the pictures of a folder as grey, 3 as colour. Default: 1 if all are
            grey, else 3. Other images must have that many channels.
        cache: Whether to keep the decoded pictures of a folder in `data_dir`. Default: `True`.
        fetch: Whether `source="official"` may fetch and convert a set not yet prepared. Default:
            `True`.
        progress: Called with the amount done, the total (0 if unknown), and what is being done,
            during long operations.

    Returns:
        A `Dataset`.

    Raises:
        UsageError: If a name, an option or a path is wrong.
        FailureError: If a file is damaged or cannot be fetched.

    Example:
        >>> load("dsprites", source="rendered").description
        'dsprites: built-in renderer, version 1, 737,280 images of 64x64x1'
    """
    builtin = (source, data_dir, path, image_size, drop_duplicate_orientation)
    of_own: tuple[Any, ...] = (
        factors_file,
        bins,
        skip_damaged,
        factor_kinds,
        sequence_column,
        channels,
        cache,
    )
    request = _Request(name, *builtin, factors, variants, *of_own)
    function_or_none("progress", progress)
    if not request.kind:
        return request.apply_options_to(_load_builtin(builtin_set(name), request, fetch, progress))
    with warnings.catch_warnings():
        # Reading the images repeats each warning.
        warnings.simplefilter("ignore")
        outlined = request.outline_own()
        if outlined is not None:
            # Variants that do not suit these images are refused before reading them.
            request.apply_options_to(outlined)
    return request.apply_options_to(request.load_own(progress))


def outline(name: str, **options: Any) -> Dataset:
    """Returns a data set as far as it is known without reading, decoding or fetching its images.

    Args:
        name: As for `load`.
        **options: As for `load`, except `path`, `fetch` and `progress`.

    Returns:
        A `Dataset` like the result of `load`, but black; a published set is assumed complete.

    Raises:
        UsageError: As for `load`.
        FailureError: If the header of a file shows that it is damaged.
    """
    request = _Request(name, **options)
    if request.kind:
        outlined = request.outline_own()
        return request.apply_options_to(request.load_own(None) if outlined is None else outlined)
    declaration = builtin_set(name)
    if request.source != "official":
        return request.apply_options_to(_load_builtin(declaration, request, False, None))
    size = declaration.check_size(request.image_size)
    grid = declaration.grid
    whole = OutlinedDataset(
        name,
        len(grid),
        declaration.image_shape(size),
        grid=grid,
        factor_labels=declaration.factor_labels,
        nominal_factors=declaration.nominal_factors,
    )
    return request.apply_options_to(whole)


def has_factors(
    name: str, factors_file: str | Path | None = None, sequence_column: str | None = None
) -> bool:
    """Returns whether a data set has factors, without reading its images.

    Arguments and errors are as for `load`.
    """
    if not isinstance(name, str):
        raise UsageError(f"The name of a data set must be a string. Received: {name!r}.")
    kind, colon, path = name.partition(":")
    file = Path(path).expanduser()
    if not colon:
        return True
    if factors_file is None:
        if kind not in OWN_KINDS or not OWN_KINDS[kind].has_factors(file):
            return False
        factors_file = file / CSV_NAME
    if sequence_column is None:
        return True
    table = path_of("factors_file", factors_file)
    is_table = table.suffix.lower() == ".csv" and table.is_file()
    return not is_table or csv_has_factors(table, sequence_column)


@dataclasses.dataclass
class _Request:
    """The arguments of `load`, checked as far as possible without reading files.

    `kind` and `file` are the parts of the name of a user's own images; otherwise `kind` is empty.
    """

    name: str
    source: str = "auto"
    data_dir: str | Path | None = None
    path: str | Path | None = None
    image_size: Any = None
    drop_duplicate_orientation: bool = False
    factors: Sequence[str] | None = None
    variants: Sequence[str] | None = None
    factors_file: str | Path | None = None
    bins: dict[str, int] | None = None
    skip_damaged: bool = False
    factor_kinds: dict[str, str] | None = None
    sequence_column: str | None = None
    channels: int | None = None
    cache: bool | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.source, str) or self.source not in SOURCES:
            raise unknown_name("data source", self.source, SOURCES)
        if not isinstance(self.name, str):
            raise UsageError(
                "The name of a data set must be a string, e.g. 'dsprites' or 'folder:PATH'. "
                f"Received: {self.name!r}."
            )
        flag("drop_duplicate_orientation", self.drop_duplicate_orientation)
        flag("skip_damaged", self.skip_damaged)
        if self.image_size is not None:
            self.image_size = checked_size(self.image_size)
        self.path = None if self.path is None else path_of("path", self.path)
        if self.factors_file is not None:
            path_of("factors_file", self.factors_file)
        self.kind, colon, self.file = self.name.partition(":")
        self.kind = self.kind if colon else ""
        self._check_options_of_kind(bool(colon))
        # As a tuple, because a generator can be iterated only once.
        self.variants = texts("variants", () if self.variants is None else self.variants)
        check_variants(self.variants)

    def _check_options_of_kind(self, is_own: bool) -> None:
        of_builtin = (self.source, self.path, self.drop_duplicate_orientation)
        of_own = (
            *(self.factors_file, self.bins, self.skip_damaged or None),
            *(self.factor_kinds, self.sequence_column),
        )
        if is_own and of_builtin != ("auto", None, False):
            raise UsageError(
                "The options `source`, `path` and `drop_duplicate_orientation` belong to "
                f"{enumeration(names(), 'and')}. Received: {self.name!r} with one of them."
            )
        if not is_own and any(value is not None for value in of_own):
            raise UsageError(
                "The options `factors_file`, `bins`, `factor_kinds`, `sequence_column` and "
                f"`skip_damaged` belong to images of your own. Received: "
                f"{self.name!r} with one of them."
            )

    def load_own(self, progress: Progress | None) -> Dataset:
        """Reads a user's own images."""
        options: dict[str, Any] = {"factors_file": self.factors_file, "bins": self.bins}
        options |= {"factor_kinds": self.factor_kinds, "sequence_column": self.sequence_column}
        if self.kind == "folder":
            options |= {"skip_damaged": self.skip_damaged, "progress": progress}
            options |= self._options_of_folders()
        return OWN_KINDS[self.kind].load(self.file, self.image_size, **options)

    def outline_own(self) -> OutlinedDataset | None:
        """Returns the outline of a user's own images, or `None` if that requires reading them."""
        if self.kind not in OWN_KINDS:
            kinds = [f"{kind}:PATH" for kind in OWN_KINDS]
            raise unknown_name("data set", f"{self.kind}:", (*names(), *kinds))
        if not self.file:
            raise UsageError(
                f"Name a file behind the colon, e.g. {self.kind}:PATH. Received: '{self.kind}:'."
            )
        path = path_of(self.kind, self.file)
        if self.skip_damaged and self.kind != "folder":
            raise UsageError(
                "The option `skip_damaged` belongs to folders of pictures. "
                f"Received: {self.name!r}."
            )
        kind = OWN_KINDS[self.kind]
        options = self._options_of_folders() if self.kind == "folder" else {}
        reading = Reading(self.bins, self.factor_kinds, self.sequence_column)
        return kind.outline(path, self.image_size, self.factors_file, reading, **options)

    def _options_of_folders(self) -> dict[str, Any]:
        cache = self.cache is not False
        return {"channels": self.channels, "cache": cache, "data_dir": self.data_dir}

    def apply_options_to(self, dataset: Dataset) -> Dataset:
        """Applies the selection of factors and the variants."""
        if self.channels not in (None, dataset.image_shape[-1]):
            raise UsageError(
                f"The images of {self.name} have {dataset.image_shape[-1]} channels and are not "
                f"converted. Received: channels={self.channels!r}."
            )
        if self.drop_duplicate_orientation:
            dataset = without_duplicate_orientation(dataset)
        if self.factors is not None:
            dataset = select_factors(dataset, self.factors)
        return apply_variants(dataset, self.variants or ())


def _load_builtin(
    declaration: BuiltinSet, request: _Request, fetch: bool, progress: Progress | None
) -> Dataset:
    size, source, path = request.image_size, request.source, request.path
    if path is not None and source == "rendered":
        raise UsageError(f"Drawn images are not read from a path. Received: path={str(path)!r}.")
    if path is not None:
        return _load_path(declaration, Path(path), declaration.check_size(size))
    if source == "rendered" or (source == "auto" and not declaration.files):
        return declaration.drawn(size)
    if source == "auto" and declaration.renderer and size not in (None, *declaration.image_sizes):
        sizes = enumeration([f"{each}x{each}" for each in declaration.image_sizes], "and")
        return declaration.drawn(size, f"the official file has {sizes} only")
    size = declaration.check_size(size)
    store = declaration.store(data_directory(request.data_dir), size)
    if has_store(store):
        return open_store(declaration, store)
    if source == "auto":
        return declaration.drawn(size, "the official file is not prepared here")
    if not fetch:
        raise UsageError(
            f"{declaration.title} is not prepared at {store}. Prepare it with `keras-devae data "
            f"prepare {declaration.name}` and the same --image-size and --data-dir."
        )
    return open_store(
        declaration, prepare(declaration.name, None, request.data_dir, None, False, size, progress)
    )


def _load_path(declaration: BuiltinSet, path: Path, image_size: int) -> Dataset:
    for folder in (path, declaration.store(path, image_size)):
        if has_store(folder):
            record = store_record(folder)
            if (record["name"], record["image_size"]) == (declaration.name, image_size):
                return open_store(declaration, folder)
    return open_files(declaration, find_files(declaration, path), image_size)
