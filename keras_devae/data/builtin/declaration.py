"""Declarations of built-in data sets; each stands beside the set's renderer or file reader."""

import dataclasses
import numbers
from collections.abc import Iterable, Mapping
from pathlib import Path

from keras_devae.data.builtin.file_format import FileFormat
from keras_devae.data.builtin.rendered import RenderedDataset, Renderer
from keras_devae.data.factor_grid import FactorGrid
from keras_devae.data.image_sizes import ImageSize, size_text
from keras_devae.errors import UsageError

#: Image height and width in pixels that the field's comparisons use.
IMAGE_SIZE = 64


@dataclasses.dataclass(frozen=True)
class PublishedFile:
    """A file as its authors published it; unknown fields are `None`.

    `mirrors` are further addresses, tried in order. `was_replaced` means that its authors may have
    replaced it since the hash was noted; then another hash is accepted if the content is right.
    """

    name: str
    url: str
    num_bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None
    mirrors: tuple[str, ...] = ()
    was_replaced: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses where it is published, in the order to try."""
        return (self.url, *self.mirrors)

    @property
    def published_hash(self) -> tuple[str, str] | None:
        """Name and value of the best known hash, `sha256` or `md5`, or `None`."""
        if self.sha256 is not None:
            return "sha256", self.sha256
        return None if self.md5 is None else ("md5", self.md5)


@dataclasses.dataclass(frozen=True)
class BuiltinSet:
    """The one declaration of a built-in data set, with published files, a renderer, or both.

    Attributes:
        name: Its name in this package.
        title: Its name in the literature.
        grid: Grid of the factors of the whole set.
        licence: SPDX name of the licence, or the authors' own statement.
        citation: The citation that its authors ask for.
        homepage: Page of the data set.
        files: The published files, in the order that `file_format` takes.
        file_format: Class that reads the files.
        image_sizes: Heights and widths in which it can be prepared; the first is the default.
        renderer: Class that draws the same images.
        factor_labels: By factor, the text of each of its values, where a number says too little.
        nominal_factors: Factors whose values have no order.
    """

    name: str
    title: str
    grid: FactorGrid
    licence: str
    citation: str
    homepage: str
    files: tuple[PublishedFile, ...] = ()
    file_format: type[FileFormat] | None = None
    image_sizes: tuple[int, ...] = (IMAGE_SIZE,)
    renderer: type[Renderer] | None = None
    factor_labels: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    nominal_factors: tuple[str, ...] = ()

    @property
    def url_variable(self) -> str:
        """Environment variable for another address of the file, or of the folder of the files."""
        return f"KERAS_DEVAE_{self.name.upper()}_URL"

    @property
    def file_names(self) -> str:
        """The names of the files, joined as in a sentence."""
        return enumeration([file.name for file in self.files], "and")

    @property
    def reader(self) -> type[FileFormat]:
        """The reader of the published files; raises `UsageError` for a set without any."""
        self.check_published()
        assert self.file_format is not None
        return self.file_format

    def check_published(self) -> None:
        """Raises `UsageError` for a set without published files."""
        if self.file_format is None:
            raise UsageError(
                f"{self.title} has no published files: it is always drawn. Received a request for "
                "its files; load it with source='rendered'."
            )

    def image_shape(self, image_size: int) -> tuple[int, int, int]:
        """Returns `(height, width, channels)` at one of the sizes."""
        if self.file_format is not None:
            return (image_size, image_size, self.file_format.image_shape[2])
        assert self.renderer is not None
        return (image_size, image_size, self.renderer.channels)

    def check_size(self, image_size: ImageSize | None) -> int:
        """Returns the size to prepare; raises `UsageError` if there are no files of that size."""
        self.check_published()
        if image_size is None:
            return self.image_sizes[0]
        if not isinstance(image_size, numbers.Integral) or image_size not in self.image_sizes:
            sizes = enumeration(self.image_sizes, "or")
            drawn = "; others can only be drawn, with source='rendered'" if self.renderer else ""
            raise UsageError(
                f"The published images of {self.title} come with {sizes} pixels per side{drawn}. "
                f"Received: image_size={size_text(image_size)}."
            )
        return int(image_size)

    def store(self, root: Path, image_size: int | None = None) -> Path:
        """Returns the folder under `root` for the images converted to a size."""
        is_default = image_size in (None, self.image_sizes[0])
        return root / (self.name if is_default else f"{self.name}-{image_size}")

    def drawn(self, image_size: ImageSize | None, remark: str = "") -> RenderedDataset:
        """Returns the set as drawn by its renderer; raises `UsageError` if it has none."""
        if self.renderer is None:
            raise UsageError(
                f"{self.title} cannot be drawn, and it is not prepared on this machine. Fetch and "
                f"convert it with `keras-devae data prepare {self.name}` (--from FILE if you have "
                f"{self.file_names}), or choose source='official'."
            )
        renderer = self.renderer(IMAGE_SIZE if image_size is None else image_size)
        return RenderedDataset(renderer, remark, self.factor_labels, self.nominal_factors)


def enumeration(things: Iterable[object], conjunction: str) -> str:
    """Joins things as in a sentence: `a, b or c`."""
    *others, last = map(str, things)
    return f"{', '.join(others)} {conjunction} {last}" if others else last


def google_storage_address(bucket: str, name: str) -> str:
    """Returns a Google Cloud Storage address that may work where a network blocks the plain one."""
    return f"https://storage.googleapis.com/storage/v1/b/{bucket}/o/{name}?alt=media"
