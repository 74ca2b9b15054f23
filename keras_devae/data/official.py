"""What is known about the published files of dSprites and 3D Shapes."""

import dataclasses
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from keras_devae.data.dsprites import DSpritesRenderer
from keras_devae.data.dsprites_file import DSpritesFile
from keras_devae.data.rendered import Renderer
from keras_devae.data.shapes3d import Shapes3DRenderer
from keras_devae.data.shapes3d_file import Shapes3DFile
from keras_devae.errors import FailureError, unknown_name

DATA_DIR_VARIABLE = "KERAS_DEVAE_DATA"


@dataclasses.dataclass(frozen=True)
class OfficialSet:
    """A published data set: its file, where that comes from, and who made it.

    Attributes:
        name: Name by which the package knows it.
        title: Name by which the field knows it.
        file_name: Name of the published file.
        url: Where it is published.
        url_variable: Environment variable that names another address.
        num_bytes: Size of the file, or `None` where it is not known.
        sha256: SHA-256 of the file, or `None` where it is not known.
        licence: SPDX name of the licence.
        citation: How its authors ask to be cited.
        file_format: Reads the file.
        renderer: Draws the same images.
    """

    name: str
    title: str
    file_name: str
    url: str
    url_variable: str
    num_bytes: int | None
    sha256: str | None
    licence: str
    citation: str
    file_format: Callable[[Path], DSpritesFile | Shapes3DFile]
    renderer: Callable[[int], Renderer]


@dataclasses.dataclass(frozen=True)
class FileFacts:
    """What identifies the file that official images were read from.

    Attributes:
        file: Its name.
        bytes: Its size.
        sha256: Its SHA-256.
        matches_published: Whether this is the published SHA-256; `None` where that is not known.
    """

    file: str
    bytes: int
    sha256: str
    matches_published: bool | None


OFFICIAL_SETS = {
    official.name: official
    for official in (
        OfficialSet(
            name="dsprites",
            title="dSprites",
            file_name="dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz",
            url=(
                "https://github.com/google-deepmind/dsprites-dataset/raw/master/"
                "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
            ),
            url_variable="KERAS_DEVAE_DSPRITES_URL",
            num_bytes=None,
            sha256=None,
            licence="Apache-2.0",
            citation=(
                "Loic Matthey, Irina Higgins, Demis Hassabis and Alexander Lerchner. dSprites: "
                "Disentanglement testing Sprites dataset. 2017. "
                "https://github.com/google-deepmind/dsprites-dataset"
            ),
            file_format=DSpritesFile,
            renderer=DSpritesRenderer,
        ),
        OfficialSet(
            name="shapes3d",
            title="3D Shapes",
            file_name="3dshapes.h5",
            url="https://storage.googleapis.com/3d-shapes/3dshapes.h5",
            url_variable="KERAS_DEVAE_SHAPES3D_URL",
            num_bytes=267_573_662,
            # As listed in the checksums of TensorFlow Datasets.
            sha256="0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785",
            licence="Apache-2.0",
            citation=(
                "Chris Burgess and Hyunjik Kim. 3D Shapes Dataset. 2018. "
                "https://github.com/google-deepmind/3d-shapes"
            ),
            file_format=Shapes3DFile,
            renderer=Shapes3DRenderer,
        ),
    )
}


def official_set(name: str) -> OfficialSet:
    """Returns the published set of that name; raises `UsageError` with the close matches."""
    if name not in OFFICIAL_SETS:
        raise unknown_name("data set", name, OFFICIAL_SETS)
    return OFFICIAL_SETS[name]


def data_directory(data_dir: str | Path | None = None) -> Path:
    """Returns the folder that holds prepared and downloaded data.

    Args:
        data_dir: The folder. Default: the environment variable `KERAS_DEVAE_DATA`, else
            `keras_devae` in the user's cache folder.
    """
    chosen = data_dir or os.environ.get(DATA_DIR_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    # Imported where it is needed: it takes a tenth of a second.
    import pooch

    return Path(pooch.os_cache("keras_devae"))


def file_facts(official: OfficialSet, path: Path) -> FileFacts:
    """Hashes a file and compares it with the published one.

    A file of another size is taken for another file of the same format (a part of the set, say)
    and only marked as such.

    Raises:
        FailureError: If the size is that of the published file but the content is not.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    num_bytes = path.stat().st_size
    matches = None if official.sha256 is None else digest == official.sha256
    if matches is False and num_bytes == official.num_bytes:
        raise FailureError(
            f"{path} is damaged: its SHA-256 is {digest} instead of {official.sha256}. "
            "Download it again."
        )
    return FileFacts(path.name, num_bytes, digest, matches)
